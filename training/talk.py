"""Makes conversations without calls: greetings, glossary, memory, repeating, honest answers."""

import random
from typing import Any

from training import calls, material, words
from training.draw import Draw
from training.glossary import HELPS, TERMS

Sample = dict[str, Any]

UNKNOWN = "I am the small built-in model and do not know that. Set ASSISTANTS_MODEL to a larger model and it will answer better."
UNKNOWN_ZH = "我是自带的小模型，不知道这个问题的答案。把 ASSISTANTS_MODEL 设为更大的模型，它会回答得更好。"

SYSTEMS = ("You are a helpful assistant.", "You are a personal math tutor. Write and run code to answer math questions.", "You are a weather bot. Use the provided functions to answer questions.", "You are a friendly assistant for customers of a shop.", "Answer briefly.", "You are a helpful assistant. Be concise.", "Please be polite and kind.", "You are an expert in everything.", "Help the user.", "你是一个乐于助人的助手。", "You answer questions about our products. Please address the user as Jane Doe.")

ASK_TERM = ("What is {t}?", "What's {t}?", "what is {t}", "Explain {t}", "Explain {t} to me", "Please explain {t}.", "Tell me about {t}", "Can you tell me what {t} is?", "What does {t} mean?", "Define {t}", "Could you explain what {t} is?", "I want to know what {t} is", "Do you know what {t} is?", "Tell me what {t} is.", "In a few words, what is {t}?", "{t}?")
ASK_TERM_ZH = ("什么是{t}？", "{t}是什么？", "什么是{t}", "请解释{t}", "解释一下{t}", "请介绍一下{t}", "{t}是什么意思？", "你知道{t}吗？", "告诉我什么是{t}", "能说说什么是{t}吗？", "请问什么是{t}？")


COMMON = 12  # blocks of small talk that come first: hello, thanks, goodbye


def noisy(text: str, rng: random.Random) -> str:
    """The words as hurried people type them."""
    roll = rng.random()
    if roll < 0.12:
        text = text.lower()
    if rng.random() < 0.15:
        text = text.rstrip("?.!？。")
    if rng.random() < 0.06 and text.isascii():
        text = rng.choice(["Hi, ", "Hello, ", "Please: ", "Hey, ", "OK, "]) + text[:1].lower() + text[1:]
    return text


def greeting(rng: Draw) -> Sample:
    """Small talk of the hand-written material."""
    zh = rng.random() < 0.35
    known = material.small_talk(zh=zh)
    asks, answer = rng.choice(known[:COMMON] if rng.happens(0.3) else known)
    plain = asks[0] if rng.happens(0.3) and not rng.held else rng.pick(asks)
    return _pair(noisy(plain, rng), answer, "greeting", zh)


def term(rng: random.Random) -> Sample:
    entry = rng.choice(TERMS)
    if rng.random() < 0.4:
        return _pair(noisy(rng.choice(ASK_TERM_ZH).format(t=entry.said(rng, zh=True)), rng), entry.answer_zh, "glossary", True)
    return _pair(noisy(rng.choice(ASK_TERM).format(t=entry.said(rng, zh=False)), rng), entry.answer, "glossary", False)


def help_(rng: random.Random) -> Sample:
    entry = rng.choice(HELPS)
    if rng.random() < 0.4:
        return _pair(noisy(rng.choice(entry.asks_zh), rng), entry.answer_zh, "help", True)
    return _pair(noisy(rng.choice(entry.asks), rng), entry.answer, "help", False)


def unknown(rng: random.Random) -> Sample:
    if rng.random() < 0.35:
        topic = rng.choice([rng.choice(words.TOPICS_ZH), rng.choice(words.TOPICS_ZH), rng.choice(words.CITIES_ZH)])
        ask = rng.choice([f"谁发明了{topic}？", f"什么是{topic}？", f"{topic}的历史是什么？", f"介绍一下{topic}", f"{topic}有多少种？", f"给我写一首关于{topic}的诗", f"为什么{topic}很重要？", f"{topic}的首都是哪里？", f"1998年的{topic}冠军是谁？"])
        return _pair(noisy(ask, rng), UNKNOWN_ZH, "unknown", True)
    topic = rng.choice([rng.choice(words.TOPICS), rng.choice(words.TOPICS), words.city(rng), words.person(rng), words.made_up(rng)])
    year = rng.randint(1500, 2026)
    ask = rng.choice([f"Who won the {year} {topic} cup?", f"What is {topic}?", f"Who invented {topic}?", f"Tell me about {topic}", f"What is the history of {topic}?", f"Write a poem about {topic}", f"Why are {topic} important?", f"How many {topic} are there?", f"When was {topic} born?", f"Explain {topic}", f"What is the capital of {topic}?", f"Who is the president of {topic}?", f"How do {topic} work?", f"What happened in {topic} in {year}?", f"How tall is {topic}?", f"Give me three facts about {topic}", f"Summarize the book {topic}", f"What should I cook with {rng.choice(words.FOODS)}?", f"Solve the equation {rng.randint(2, 9)}x + {rng.randint(2, 99)} = {rng.randint(2, 99)}", f"What is {words.number(rng)} times {words.number(rng)}?", f"I need to solve the equation `{rng.randint(2, 9)}x + {rng.randint(2, 99)} = {rng.randint(2, 99)}`. Can you help me?"])
    return _pair(noisy(ask, rng), UNKNOWN, "unknown", False)


def repeat(rng: random.Random) -> Sample:
    """Copying, the skill under every call."""
    parts = [rng.choice([words.made_up, words.city, words.person, words.code, words.number, words.ticker])(rng) for _ in range(rng.randint(1, 5))]
    text = " ".join(parts)
    ask = rng.choice([f"Repeat: {text}", f"Say {text}", f"Repeat after me: {text}", f"Please say {text}", f"Echo {text}"])
    return _pair(ask, text, "repeat", False)


def memory(rng: random.Random) -> Sample:
    zh = rng.random() < 0.3
    kinds = ["name", "city", "number", "color", "food"]
    chosen = rng.sample(kinds, rng.randint(1, 2))
    messages: list[dict[str, Any]] = []
    facts: dict[str, str] = {}
    for kind in chosen:
        if zh:
            value = {"name": rng.choice(words.NAMES_ZH), "city": rng.choice(words.CITIES_ZH), "number": str(rng.randint(2, 9999)), "color": rng.choice(["红色", "蓝色", "绿色", "黄色", "黑色", "白色"]), "food": rng.choice(["面条", "米饭", "饺子", "苹果", "豆腐", "鱼"])}[kind]
            told = {"name": f"我叫{value}", "city": f"我住在{value}", "number": f"我的幸运数字是{value}", "color": f"我最喜欢的颜色是{value}", "food": f"我最喜欢吃{value}"}[kind]
            answer = f"好的，{value}，我记住了。" if kind == "name" else f"好的，我记住了：{value}。"
        else:
            value = {"name": words.person(rng), "city": words.city(rng), "number": words.number(rng), "color": rng.choice(words.COLORS), "food": rng.choice(words.FOODS)}[kind]
            told = {"name": rng.choice([f"My name is {value}", f"I am {value}", f"Call me {value}", f"Hi, my name is {value}."]), "city": rng.choice([f"I live in {value}", f"I am from {value}"]), "number": rng.choice([f"My lucky number is {value}", f"Remember the number {value}"]), "color": f"My favorite color is {value}", "food": f"My favorite food is {value}"}[kind]
            answer = f"Nice to meet you, {value}!" if kind == "name" else f"I will remember that: {value}."
        facts[kind] = value
        messages += [{"role": "user", "content": told}, {"role": "assistant", "content": answer}]
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        messages += rng.choice([greeting, term, help_])(rng)["messages"]
    kind = rng.choice(chosen)
    if zh:
        ask = {"name": "我叫什么名字？", "city": "我住在哪里？", "number": "我的幸运数字是多少？", "color": "我最喜欢什么颜色？", "food": "我最喜欢吃什么？"}[kind]
        answer = {"name": "你叫{v}。", "city": "你住在{v}。", "number": "你的幸运数字是{v}。", "color": "你最喜欢{v}。", "food": "你最喜欢吃{v}。"}[kind].format(v=facts[kind])
    else:
        ask = {"name": rng.choice(["What is my name?", "What's my name?", "Do you remember my name?"]), "city": rng.choice(["Where do I live?", "Where am I from?"]), "number": rng.choice(["What is my number?", "Which number did I tell you?", "What is my lucky number?"]), "color": "What is my favorite color?", "food": "What is my favorite food?"}[kind]
        answer = {"name": "Your name is {v}.", "city": "You live in {v}.", "number": "Your number is {v}.", "color": "Your favorite color is {v}.", "food": "Your favorite food is {v}."}[kind].format(v=facts[kind])
    messages += [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "skill": "memory", "zh": zh}


def with_idle_tools(rng: random.Random) -> Sample:
    """Tools are offered, but the question does not need them."""
    sample = rng.choice([greeting, term, help_, unknown])(rng)
    tools = {}
    for _ in range(rng.randint(1, 3)):
        case = rng.choice(calls.FAMILIES)(rng, False)
        tools[case.name] = case.tool
    if sample["skill"] == "unknown" and not tools.keys().isdisjoint({"add", "multiply", "subtract"}):
        sample = greeting(rng)
    return {**sample, "tools": list(tools.values()), "skill": "no call"}


def chat(rng: random.Random) -> Sample:
    """Several turns of anything."""
    messages: list[dict[str, Any]] = []
    zh = False
    for _ in range(rng.randint(2, 4)):
        part = rng.choice([greeting, term, help_, unknown, term])(rng)
        messages += part["messages"]
        zh = part["zh"]
    return {"messages": messages, "skill": "chat", "zh": zh}


def _pair(ask: str, answer: str, skill: str, zh: bool) -> Sample:
    return {"messages": [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}], "skill": skill, "zh": zh}
