"""Makes conversations that obey: openings and closings, language, JSON only, long memory, other wordings."""

import json
from typing import Any

from training import talk, words
from training.draw import Draw
from training.glossary import HELPS, TERMS

Sample = dict[str, Any]
Messages = list[dict[str, Any]]

# Further wordings of "what is X"; every fifth is only for evaluation.
ASK_TERM = (
    *talk.ASK_TERM,
    "What exactly is {t}?",
    "How would you describe {t}?",
    "Give me a definition of {t}",
    "What do people mean by {t}?",
    "What is meant by {t}?",
    "I have never heard of {t}, what is it?",
    "Help me understand {t}",
    "{t}: what is that?",
    "Describe {t} in a sentence",
    "Could you define {t}, please?",
    "So what is {t}?",
    "Quick question: what is {t}?",
    "My teacher mentioned {t}. What is it?",
    "What should I know about {t}?",
    "Say in one sentence what {t} is",
    "Teach me about {t}",
    "I do not understand {t}",
    "what's the meaning of {t}",
    "Any idea what {t} is?",
    "Introduce {t} to me",
    "Please tell me about {t}",
    "I would like an explanation of {t}",
    "Can you describe {t}?",
    "Could you tell me what {t} means?",
    "What is {t} in simple words?",
    "Explain {t} like I am five",
    "Give a short explanation of {t}",
    "What do you know about {t}?",
    "How do you define {t}?",
    "I keep reading about {t}. What does it mean?",
    "Someone asked me what {t} is",
    "Can you explain {t}?",
    "Can you explain what {t} means?",
    "Would you explain {t} briefly?",
    "explain {t} briefly",
    "In the context of AI, what is {t}?",
    "what does {t} stand for",
    "Hi, what is {t}?",
    "Hello! Could you explain {t}?",
    "Write one sentence about {t}",
    "I am new here. What is {t}?",
    "For beginners: what is {t}?",
    "Remind me what {t} is",
    "What is {t}, please?",
    "Please define {t}",
    "meaning of {t}",
    "definition of {t}",
    "Who can tell me what {t} is?",
    "Could you briefly explain {t}?",
    "What is the idea of {t}?",
    "What is {t} about?",
    "I wonder what {t} is",
    "Give me a one-sentence explanation of {t}.",
    "tell me about {t} please",
)
ASK_TERM_ZH = (
    *talk.ASK_TERM_ZH,
    "{t}指的是什么？",
    "怎么理解{t}？",
    "给我讲讲{t}",
    "{t}的定义是什么？",
    "我不懂{t}，请解释",
    "简单说说{t}",
    "{t}是啥？",
    "用一句话介绍{t}",
    "{t}到底是什么？",
    "帮我理解{t}",
    "想了解{t}",
    "说一下什么叫{t}",
    "何为{t}？",
    "可以介绍{t}吗？",
    "{t}是什么东西？",
    "请用简单的话解释{t}",
    "请问{t}是什么？",
    "请问{t}是什么意思？",
    "你能解释一下{t}吗？",
    "能不能介绍一下{t}？",
    "什么叫{t}？",
    "什么叫做{t}？",
    "{t}怎么解释？",
    "给{t}下个定义",
    "老师提到了{t}，那是什么？",
    "我想知道什么是{t}",
    "请告诉我{t}是什么",
    "请简要说明{t}",
    "你好，什么是{t}？",
    "你好，请解释一下{t}",
    "我是新手，{t}是什么？",
    "关于{t}你知道什么？",
    "{t}的意思是什么？",
    "{t}的含义是什么？",
    "说说{t}",
    "请定义{t}",
    "谈谈{t}",
    "一句话解释{t}",
    "简单介绍{t}",
    "有人问我{t}是什么",
)

OPENINGS = (
    "Start every answer with {x}",
    "Begin each answer with {x}",
    "Always start your reply with {x}",
    "Every answer must begin with {x}",
    "Open each message with {x}",
    "Your answers start with {x}",
    "First write {x}, then the answer",
    "Put {x} at the beginning of every reply",
    "Begin with {x}",
    "Each reply has to start with {x}",
    "Whatever I ask, your first words are {x}",
    "The first thing in every answer is {x}",
    "Say {x} before you answer",
    "Introduce every answer with {x}",
    "Prefix your replies with {x}",
    "Let each reply start with {x}",
    "All of your messages open with {x}",
    "Make {x} the beginning of whatever you say",
    "Never answer without {x} in front",
    "Before anything else, say {x}",
    "Write {x} first in each response",
    "Your response must start with {x}",
    "Responses begin with {x}",
    "Please start with {x}",
    "You always greet with {x} and then answer",
    "Use {x} as the opening of each answer",
    "Kick off each answer with {x}",
    "Every one of your messages begins with {x}",
    "Each response opens with the words {x}",
    "Start off with {x} every time",
    "When you reply, begin by saying {x}",
    "Put the phrase {x} in front of the answer",
    "Lead with {x} in every message",
    "Always say {x} first",
    "The reply has to open with {x}",
)
CLOSINGS = (
    "End every answer with {x}",
    "Finish each answer with {x}",
    "Always end your reply with {x}",
    "Every answer must end with {x}",
    "Close each message with {x}",
    "Your answers end with {x}",
    "After the answer write {x}",
    "Put {x} at the end of every reply",
    "End with {x}",
    "Each reply has to end with {x}",
    "Whatever I ask, your last words are {x}",
    "The last thing in every answer is {x}",
    "Say {x} after you have answered",
    "Wrap up every answer with {x}",
    "Append {x} to your replies",
    "Let each reply end with {x}",
    "All of your messages close with {x}",
    "Make {x} the end of whatever you say",
    "Never answer without {x} at the end",
    "When you are done, say {x}",
    "Write {x} last in each response",
    "Your response must end with {x}",
    "Responses finish with {x}",
    "Please end with {x}",
    "You answer and then always say goodbye with {x}",
    "Use {x} as the closing of each answer",
    "Sign every answer with {x}",
    "Every one of your messages ends with {x}",
    "Each response closes with the words {x}",
    "Sign off with {x} every time",
    "When you reply, finish by saying {x}",
    "Put the phrase {x} behind the answer",
    "Conclude with {x} in every message",
    "Always say {x} last",
    "The reply has to close with {x}",
)
OPENINGS_ZH = (
    "每个回答以{x}开头",
    "回答开头写{x}",
    "请总是以{x}开始",
    "回答必须用{x}开头",
    "在每次回答前加上{x}",
    "回答之前先说{x}",
    "先写{x}，再回答",
    "每条回复的开头都是{x}",
    "无论问什么，都先说{x}",
    "你的第一句话永远是{x}",
    "回复必须从{x}开始",
    "请把{x}放在最前面",
    "所有回答都要用{x}起头",
    "开口先说{x}",
    "答案前面加上{x}",
    "回答时请以{x}作为开场",
    "你说话总是先来一句{x}",
    "每次都以{x}打头",
    "每个答复的前面写上{x}",
    "首先输出{x}",
)
CLOSINGS_ZH = (
    "每个回答以{x}结尾",
    "回答最后写{x}",
    "请总是以{x}结束",
    "回答必须用{x}结尾",
    "在每次回答后加上{x}",
    "回答完再说{x}",
    "先回答，最后写{x}",
    "每条回复的末尾都是{x}",
    "无论问什么，最后都说{x}",
    "你的最后一句话永远是{x}",
    "回复必须到{x}为止",
    "请把{x}放在最后面",
    "所有回答都要用{x}收尾",
    "说完以后补一句{x}",
    "答案后面加上{x}",
    "回答时请以{x}作为结束语",
    "你说话总是以{x}告终",
    "每次都以{x}落款",
    "每个答复的后面写上{x}",
    "最后输出{x}",
)
IN_CHINESE = (
    "Answer in Chinese.",
    "Always reply in Chinese.",
    "Please answer in Chinese only.",
    "用中文回答。",
    "请用中文回答所有问题。",
    "Your language is Chinese.",
    "Respond in Chinese.",
    "Write your answers in Chinese.",
    "The user reads Chinese only, so answer in Chinese.",
    "Speak Chinese.",
    "Reply in Mandarin.",
    "Whatever the language of the question, answer in Chinese.",
    "Only use Chinese in your answers.",
    "Your answers are in Chinese.",
    "Use Chinese, even for English questions.",
    "I want the answer in Chinese.",
    "Chinese, please.",
    "只说中文。",
    "回答一律用中文。",
    "不管用户用什么语言提问，都用中文回答。",
    "请讲中文。",
    "你的语言是中文。",
    "Give the reply in Simplified Chinese.",
    "You are a Chinese-speaking assistant.",
    "Do not answer in English; use Chinese.",
    "务必用汉语回答。",
    "以中文作答。",
    "You must respond in Chinese at all times.",
    "The answer should be in Chinese.",
    "Output language: Chinese.",
)
IN_ENGLISH = (
    "Answer in English.",
    "Always reply in English.",
    "Please answer in English only.",
    "用英文回答。",
    "请用英语回答所有问题。",
    "Your language is English.",
    "Respond in English.",
    "Write your answers in English.",
    "The user reads English only, so answer in English.",
    "Speak English.",
    "Reply in plain English.",
    "Whatever the language of the question, answer in English.",
    "Only use English in your answers.",
    "Your answers are in English.",
    "Use English, even for Chinese questions.",
    "I want the answer in English.",
    "English, please.",
    "只说英文。",
    "回答一律用英文。",
    "不管用户用什么语言提问，都用英语回答。",
    "请讲英语。",
    "你的语言是英语。",
    "Give the reply in British English.",
    "You are an English-speaking assistant.",
    "Do not answer in Chinese; use English.",
    "务必用英语回答。",
    "以英文作答。",
    "You must respond in English at all times.",
    "The answer should be in English.",
    "Output language: English.",
)
SAYINGS = (
    "Ahoy",
    "Dear friend",
    "Sure",
    "Good question",
    "Well",
    "Hear, hear",
    "Welcome",
    "Yes, captain",
    "Thank you",
    "Have a nice day",
    "Over and out",
    "Cheers",
    "Best wishes",
    "Kind regards",
    "Take care",
    "Hello there",
    "As you wish",
    "At your service",
    "Roger that",
    "Happy to help",
    "Well met",
    "Good day",
    "My pleasure",
    "Of course",
    "Listen",
    "Hi friend",
    "Answer",
    "Note",
    "In short",
    "That is all",
    "Stay curious",
    "Hope this helps",
    "See you soon",
    "Good luck",
    "Yours truly",
    "The end",
    "Bye for now",
    "Until next time",
    "Have fun",
    "Any more questions?",
    "All the best",
    "Peace",
    "Done",
    "Thanks for asking",
    "Keep going",
)
SAYINGS_ZH = (
    "亲爱的朋友",
    "好的",
    "您好",
    "好问题",
    "遵命",
    "祝您愉快",
    "谢谢",
    "再会",
    "万事如意",
    "请慢走",
    "没问题",
    "收到",
    "很高兴为您服务",
    "这个问题问得好",
    "回答如下",
    "是的",
    "嗨",
    "大家好",
    "明白",
    "主人",
    "希望对您有帮助",
    "下次见",
    "加油",
    "完毕",
    "还有问题吗",
    "回答完毕",
    "愿你今天顺利",
    "谢谢提问",
    "保重",
    "欢迎再来",
)

# intent: names for it, sentences (o order, p product, c city, n number, d day), their entities
FACTS = {
    "name": (
        (
            "My name is {v}",
            "I am {v}",
            "Call me {v}",
            "Hi, my name is {v}.",
            "Hello, this is {v}",
            "People call me {v}",
            "You can call me {v}",
        ),
        (
            "What is my name?",
            "What's my name?",
            "Do you remember my name?",
            "Who am I?",
            "Can you tell me my name?",
            "What did I say my name was?",
        ),
        "Your name is {v}.",
        ("我叫{v}", "我的名字是{v}", "你好，我是{v}", "叫我{v}吧", "大家叫我{v}"),
        ("我叫什么名字？", "我叫什么？", "你记得我的名字吗？", "我是谁？", "我的名字是什么？"),
        "你叫{v}。",
    ),
    "city": (
        ("I live in {v}", "I am from {v}", "My home is in {v}", "I come from {v}", "My city is {v}"),
        (
            "Where do I live?",
            "Where am I from?",
            "Which city do I live in?",
            "What is my city?",
            "In which town is my home?",
        ),
        "You live in {v}.",
        ("我住在{v}", "我来自{v}", "我家在{v}", "我是{v}人", "我生活在{v}"),
        ("我住在哪里？", "我来自哪里？", "我家在哪？", "我住在哪个城市？", "我生活在哪里？"),
        "你住在{v}。",
    ),
    "number": (
        (
            "My lucky number is {v}",
            "Remember the number {v}",
            "My number is {v}",
            "Please keep in mind {v}",
            "The number is {v}",
        ),
        (
            "What is my number?",
            "Which number did I tell you?",
            "What is my lucky number?",
            "Do you remember the number?",
            "What number did I give you?",
        ),
        "Your number is {v}.",
        ("我的幸运数字是{v}", "记住数字{v}", "我的号码是{v}", "请记住{v}这个数", "数字是{v}"),
        (
            "我的幸运数字是多少？",
            "我的号码是多少？",
            "我告诉你的数字是什么？",
            "你记得那个数字吗？",
            "我说的数字是多少？",
        ),
        "你的数字是{v}。",
    ),
    "color": (
        (
            "My favorite color is {v}",
            "I like the color {v} best",
            "I prefer {v}",
            "My favourite colour is {v}",
            "I love {v} as a color",
        ),
        (
            "What is my favorite color?",
            "Which color do I like best?",
            "What's my favourite colour?",
            "Which colour do I prefer?",
            "Do you remember my favorite color?",
        ),
        "Your favorite color is {v}.",
        ("我最喜欢的颜色是{v}", "我喜欢{v}", "我偏爱{v}", "颜色里我最喜欢{v}", "我最爱{v}"),
        (
            "我最喜欢什么颜色？",
            "我喜欢哪种颜色？",
            "我最爱的颜色是什么？",
            "你记得我喜欢的颜色吗？",
            "我偏爱什么颜色？",
        ),
        "你最喜欢{v}。",
    ),
    "food": (
        (
            "My favorite food is {v}",
            "I love to eat {v}",
            "I like {v} most of all",
            "I always eat {v}",
            "The food I like best is {v}",
        ),
        (
            "What is my favorite food?",
            "What do I like to eat?",
            "Which food do I like best?",
            "What's my favourite food?",
            "What do I love to eat?",
        ),
        "Your favorite food is {v}.",
        ("我最喜欢吃{v}", "我爱吃{v}", "我最爱的食物是{v}", "我常吃{v}", "吃的里面我最喜欢{v}"),
        (
            "我最喜欢吃什么？",
            "我爱吃什么？",
            "我最爱的食物是什么？",
            "你记得我喜欢吃什么吗？",
            "我常吃什么？",
        ),
        "你最喜欢吃{v}。",
    ),
    "pet": (
        (
            "My dog is called {v}",
            "I have a cat named {v}",
            "My pet is {v}",
            "The name of my pet is {v}",
            "My cat's name is {v}",
        ),
        (
            "What is my pet called?",
            "What is the name of my pet?",
            "How is my pet called?",
            "Do you remember my pet's name?",
            "Who is my pet?",
        ),
        "Your pet is called {v}.",
        ("我的狗叫{v}", "我养了一只猫叫{v}", "我的宠物叫{v}", "我家的猫叫{v}", "宠物的名字是{v}"),
        (
            "我的宠物叫什么？",
            "我养的动物叫什么名字？",
            "你记得我宠物的名字吗？",
            "我的宠物名字是什么？",
            "我家宠物叫啥？",
        ),
        "你的宠物叫{v}。",
    ),
}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def known(rng: Draw, zh: bool, answer_zh: bool | None = None) -> Messages:
    """A question that has a fixed answer; `answer_zh`: in which language it is given."""
    answer_zh = zh if answer_zh is None else answer_zh
    roll = rng.random()
    if roll < 0.85:
        entry = rng.choice(TERMS)
        ask = rng.pick(ASK_TERM_ZH if zh else ASK_TERM).format(t=entry.said(rng, zh=zh))
        return [user(talk.noisy(ask, rng)), says(entry.answer_zh if answer_zh else entry.answer)]
    help_ = rng.choice(HELPS)
    ask = rng.choice(help_.asks_zh if zh else help_.asks)
    return [user(talk.noisy(ask, rng)), says(help_.answer_zh if answer_zh else help_.answer)]


def glossary(rng: Draw) -> Sample:
    """Words of the field in many wordings."""
    zh = rng.happens(0.4)
    return {"messages": known(rng, zh), "skill": "wordings", "zh": zh}


def phrase(rng: Draw, zh: bool) -> str:
    """Words to open or close with."""
    if rng.happens(0.5):
        return rng.pick(SAYINGS_ZH if zh else SAYINGS)
    return " ".join(words.made_up(rng) for _ in range(rng.randint(1, 3)))


def framed(rng: Draw) -> Sample:
    """A fixed opening or closing, or both."""
    zh = rng.happens(0.35)
    order, first, last = [], "", ""
    kind = rng.choice(["open", "close", "close", "open", "both"])
    quote = rng.choice(["“{}”", "“{}”", "「{}」", '"{}"', "{}"] if zh else ['"{}"', '"{}"', "'{}'", "{}", "“{}”"])
    if kind != "close":
        first = phrase(rng, zh) + rng.choice(["!", ":", ",", ".", ""])
        order.append(rng.pick(OPENINGS_ZH if zh else OPENINGS).format(x=quote.format(first)))
    if kind != "open":
        last = phrase(rng, zh) + rng.choice(["!", ".", ""])
        order.append(rng.pick(CLOSINGS_ZH if zh else CLOSINGS).format(x=quote.format(last)))
    end = "。" if zh else "."
    system = " ".join(one if one[-1] in "!.:,。" else one + end for one in order)
    if rng.happens(0.25):
        ask, answer = known(rng, zh)
        whole = says(" ".join(part for part in (first, answer["content"], last) if part))
        text = f"{ask['content']} {system}" if rng.happens(0.5) else f"{system} {ask['content']}"
        return {"messages": [user(text), whole], "skill": "frames", "zh": zh}
    if rng.happens(0.4):
        system = (
            rng.choice(
                ["你是一个助手。", "你很友好。"]
                if zh
                else ["You are a helpful assistant. ", "You are friendly. "]
            )
            + system
        )
    messages: Messages = [{"role": "system", "content": system}]
    for _ in range(rng.choice([1, 1, 2])):
        ask, answer = rng.choice([known(rng, zh), talk.greeting(rng)["messages"], known(rng, zh)])
        messages += [ask, says(" ".join(part for part in (first, answer["content"], last) if part))]
    return {"messages": messages, "skill": "frames", "zh": zh}


def language(rng: Draw) -> Sample:
    """The question in one language, the answer in the other."""
    answer_zh = rng.happens(0.5)
    order = rng.pick(IN_CHINESE if answer_zh else IN_ENGLISH)
    ask, answer = known(rng, rng.happens(0.3) == answer_zh, answer_zh)
    if rng.happens(0.3):
        return {"messages": [user(f"{ask['content']} {order}"), answer], "skill": "language", "zh": answer_zh}
    return {
        "messages": [{"role": "system", "content": order}, ask, answer],
        "skill": "language",
        "zh": answer_zh,
    }


def json_only(rng: Draw) -> Sample:
    """The user's facts as a JSON object with the keys that were asked for."""
    zh = rng.happens(0.35)
    kinds = rng.sample(["name", "city", "number", "color", "food"], rng.randint(1, 3))
    spoken, data = [], {}
    for kind in kinds:
        value = value_for(rng, kind, zh)
        key = kind if rng.happens(0.6) else words.made_up(rng).lower()
        if key != kind:
            spoken.append(f"{key}是{value}" if zh else f"the {key} is {value}")
        else:
            spoken.append(rng.pick(FACTS[kind][3 if zh else 0]).format(v=value).rstrip("."))
        data[key] = value
    keys = ", ".join(data)
    order = rng.pick(
        [
            "只用 JSON 回答，键为 {k}。",
            "请输出 JSON，包含 {k}。",
            "以 JSON 格式返回 {k}。",
            "只返回 JSON 对象，键：{k}。",
            "用 JSON 写出 {k}。",
            "从用户的话里提取 {k}，只输出 JSON。",
            "把 {k} 整理成一个 JSON 对象。",
            "仅输出 JSON，字段：{k}。",
            "你只会输出 JSON，字段是 {k}。",
            "请用 JSON 对象给出 {k}，不要写别的。",
            "提取以下字段并返回 JSON：{k}。",
            "结果写成 JSON，键名为 {k}。",
            "JSON 输出，包括这些键：{k}。",
            "读用户的话，返回含有 {k} 的 JSON。",
        ]
        if zh
        else [
            "Answer only in JSON with the keys {k}.",
            "Reply with a JSON object: {k}.",
            "Return {k} as JSON.",
            "Output JSON only. Keys: {k}.",
            "Write a JSON object with {k}.",
            "Extract {k} from the message and output nothing but JSON.",
            "Put {k} into a JSON object.",
            "Only JSON. Fields: {k}.",
            "You speak nothing but JSON; the fields are {k}.",
            "Give me {k} as a JSON object, no other text.",
            "Pull out these fields as JSON: {k}.",
            "Your whole answer is one JSON object with {k}.",
            "Turn what the user says into JSON with the keys {k}.",
            "Respond with valid JSON containing {k}.",
            "JSON please, with {k} as keys.",
            "From the user's message make a JSON object that has {k}.",
            "Format: JSON object. Keys: {k}. No prose.",
            "Read the message and return JSON with the properties {k}.",
            "Fill in {k} and answer in JSON.",
        ]
    ).format(k=keys)
    text = ("，" if zh else rng.choice([" and ", ", ", ". "])).join(spoken)
    answer = says(json.dumps(data, ensure_ascii=False))
    if rng.happens(0.4):
        return {"messages": [user(f"{order} {text}"), answer], "skill": "json", "zh": zh}
    return {"messages": [{"role": "system", "content": order}, user(text), answer], "skill": "json", "zh": zh}


def value_for(rng: Draw, kind: str, zh: bool) -> str:
    """A name, city, number, colour, food or pet."""
    if zh:
        return {
            "name": rng.choice(words.NAMES_ZH)
            if rng.happens(0.5)
            else "".join(rng.pick(words.CHARACTERS_ZH) for _ in range(rng.randint(2, 3))),
            "city": rng.choice(words.CITIES_ZH),
            "number": str(rng.randint(2, 9999)),
            "color": rng.choice(["红色", "蓝色", "绿色", "黄色", "黑色", "白色", "紫色"]),
            "food": rng.choice(["面条", "米饭", "饺子", "苹果", "豆腐", "鱼", "包子"]),
            "pet": "".join(rng.pick(words.CHARACTERS_ZH) for _ in range(2)),
        }[kind]
    return {
        "name": words.person(rng),
        "city": words.city(rng),
        "number": words.number(rng),
        "color": rng.pick(words.COLORS),
        "food": rng.pick(words.FOODS),
        "pet": words.made_up(rng),
    }[kind]


def memory(rng: Draw) -> Sample:
    """Facts told up to ten messages ago, and asked for."""
    zh = rng.happens(0.4)
    kinds = rng.sample(list(FACTS), rng.randint(1, 4))
    messages: Messages = []
    facts: dict[str, str] = {}
    for kind in kinds:
        facts[kind] = value_for(rng, kind, zh)
        told = rng.pick(FACTS[kind][3 if zh else 0]).format(v=facts[kind])
        if zh:
            answer = (
                f"好的，{facts[kind]}，我记住了。" if kind == "name" else f"好的，我记住了：{facts[kind]}。"
            )
        else:
            answer = (
                f"Nice to meet you, {facts[kind]}!"
                if kind == "name"
                else f"I will remember that: {facts[kind]}."
            )
        messages += [user(told), says(answer)]
        if rng.happens(0.3):
            messages += known(rng, zh)
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        messages += rng.choice([known(rng, zh), talk.greeting(rng)["messages"]])
    for kind in rng.sample(kinds, min(len(kinds), rng.choice([1, 1, 2]))):
        messages += [
            user(rng.pick(FACTS[kind][4 if zh else 1])),
            says(FACTS[kind][5 if zh else 2].format(v=facts[kind])),
        ]
    return {"messages": messages, "skill": "memory", "zh": zh}
