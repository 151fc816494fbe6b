"""Makes conversations from the hand-written material: functions, facts, intents, memory, small talk, lengths and tones."""

import json
from typing import Any

from training import calls, material, schemas, talk
from training.draw import Draw
from training.glossary import TERMS
from training.material import Argument, Function, Intent

Sample = dict[str, Any]
Messages = list[dict[str, Any]]
NEIGHBOURS = 4  # functions of one domain stand together in a file


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def tool_of(function: Function, rng: Draw) -> dict[str, Any]:
    """Its schema, as developers send it: now and then strict, or without a description."""
    properties = {a.name: a.schema() for a in function.arguments}
    parameters: dict[str, Any] = {"type": "object", "properties": properties, "required": function.required}
    if rng.happens(0.2):
        parameters["additionalProperties"] = False
    if not function.required and rng.happens(0.5):
        del parameters["required"]
    made: dict[str, Any] = {"name": function.name, "description": function.says, "parameters": parameters}
    if not function.says:
        del made["description"]
    if rng.happens(0.1):
        made["strict"] = True
    return {"type": "function", "function": made}


def asked(rng: Draw, function: Function, zh: bool) -> calls.Case:
    """A request in words, and the call that it means."""
    text = material.settled(rng, rng.pick(function.asks[zh]))
    arguments: dict[str, Any] = {}
    said: dict[str, str] = {}
    for argument in function.arguments:
        if f"{{{argument.name}}}" in text:
            arguments[argument.name], said[argument.name] = argument.draw(rng, zh)
    ask = material.filled(rng, text, dict(said), zh)
    return calls.Case(tool_of(function, rng), arguments, ask, output(rng, function, said, zh), zh)


def output(rng: Draw, function: Function, said: dict[str, str], zh: bool) -> str:
    """What the function returns: one of its own examples, or something that nobody could guess."""
    if not function.outputs or rng.happens(0.25):
        return calls.surprising(rng)
    values = dict(said)
    for argument in function.arguments:
        values.setdefault(argument.name, argument.draw(rng, zh)[1])
    return material.filled(rng, rng.choice(function.outputs), values, zh)


def others(rng: Draw, function: Function, count: int, tools: dict[str, Any]) -> None:
    """Functions that are not wanted: some of the same domain, some of any other, some made up."""
    known = material.functions()
    place = known.index(function)
    for _ in range(count):
        if rng.happens(0.2):
            schemas.others(rng, 1, tools)
            continue
        near = known[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
        other = rng.choice(near) if rng.happens(0.35) else rng.choice(known)
        if other.name != function.name:
            tools.setdefault(other.name, tool_of(other, rng))


def several_tools(rng: Draw) -> int:
    """How many more functions are offered."""
    return rng.choice([0, 0, 1, 1, 2, 2, 3, rng.choice([4, 5, 6, 7])])


def turns(rng: Draw, cases: list[calls.Case], ask: str, zh: bool, first: int = 0) -> Messages:
    """Question, calls, outputs, answer."""
    made = [
        {"id": f"call_{first + n}", "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for n, c in enumerate(cases)
    ]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": case.output}
        for call, case in zip(made, cases, strict=True)
    ]
    return [user(ask), {"role": "assistant", "content": "", "tool_calls": made}, *results, says(calls.told(cases, zh))]


def function_call(rng: Draw) -> Sample:
    """One to three requests in a row, among one to eight functions."""
    zh = rng.happens(0.35)
    function = rng.pick(material.functions())
    case = asked(rng, function, zh)
    tools = {function.name: case.tool}
    others(rng, function, several_tools(rng), tools)
    messages = turns(rng, [case], case.ask, zh)
    known = {f.name: f for f in material.functions()}
    for number in range(1, rng.choice([1, 1, 2, 2, 3])):
        again = rng.choice([name for name in tools if name in known])
        case = asked(rng, known[again], zh)
        messages += turns(rng, [case], case.ask, zh, number)
    return _offered(rng, tools, messages, "functions", zh)


def two_calls(rng: Draw) -> Sample:
    """Two requests in one message: of one function, or of two."""
    zh = rng.happens(0.35)
    while True:
        function = rng.pick(material.functions())
        first = asked(rng, function, zh)
        if len(first.arguments) <= 2:
            break
    tools = {function.name: first.tool}
    single = [a for a in function.arguments if a.name in first.arguments]
    if len(single) == 1 and rng.happens(0.6) and (ask := _twice(rng, function, single[0], first, zh)):
        second = calls.Case(first.tool, {single[0].name: ask[1]}, "", output(rng, function, {}, zh), zh)
        return _offered(rng, _more(rng, function, tools), turns(rng, [first, second], ask[0], zh), "functions", zh)
    while True:
        other = rng.pick(material.functions())
        second = asked(rng, other, zh)
        if other.name != function.name and len(second.arguments) <= 2:
            break
    tools[other.name] = second.tool
    ask = _and_also(rng, first, second, zh)
    return _offered(rng, _more(rng, function, tools), turns(rng, [first, second], ask, zh), "functions", zh)


def _and_also(rng: Draw, first: calls.Case, second: calls.Case, zh: bool) -> str:
    """Two requests in one message; the second begins small, unless it begins with a value."""
    joint = rng.choice(("，然后", "，另外", "。还有，", "；") if zh else (" and ", ", then ", ". Also, ", ". And ", "; ", " Then: "))
    ask = second.ask
    word = ask.split(" ")[0].strip(",.!?:;")
    if not zh and word.isalpha() and word != "I" and word not in str(second.arguments):
        ask = ask[:1].lower() + ask[1:]
    return first.ask.rstrip("?？.。!！") + joint + ask


def _twice(rng: Draw, function: Function, argument: Argument, first: calls.Case, zh: bool) -> tuple[str, Any] | None:
    """The request with two values in place of one, and the second value."""
    if argument.kind.startswith(("enum:", "bool:", "list(", "quote", "topic")):
        return None
    text = material.OPTIONAL.sub("", rng.pick(function.asks[zh])).strip()
    if text.count(f"{{{argument.name}}}") != 1 or "{" in text.replace(f"{{{argument.name}}}", ""):
        return None
    one, said = argument.draw(rng, zh)
    two, said_two = argument.draw(rng, zh)
    if one == two:
        return None
    first.arguments = {argument.name: one}
    joined = said + rng.choice(("和", "、", "以及") if zh else (" and ", " and ", " and also ", ", ")) + said_two
    return text.replace(f"{{{argument.name}}}", joined), two


def _more(rng: Draw, function: Function, tools: dict[str, Any]) -> dict[str, Any]:
    others(rng, function, rng.choice([0, 0, 1, 2, 3]), tools)
    return tools


def _offered(rng: Draw, tools: dict[str, Any], messages: Messages, skill: str, zh: bool) -> Sample:
    offered = list(tools.values())
    rng.shuffle(offered)
    return {"tools": offered, "messages": messages, "skill": skill, "zh": zh}


def missing(rng: Draw) -> Sample:
    """The request says no value: the assistant asks for what is required, then calls."""
    zh = rng.happens(0.35)
    while True:
        function = rng.pick(material.functions())
        if function.bare[zh] and function.required:
            break
    wanted = [a for a in function.arguments if a.is_required]
    values = {a.name: a.draw(rng, zh) for a in wanted}
    tool = tool_of(function, rng)
    case = calls.Case(tool, {k: v for k, (v, _) in values.items()}, "", output(rng, function, {k: s for k, (_, s) in values.items()}, zh), zh)
    said = [s for _, s in values.values()]
    given = rng.choice((", ", "，") if zh else (", ", " and ")).join(said)
    if rng.happens(0.3):
        given = rng.choice(("是{v}", "{v}吧", "我要{v}") if zh else ("it's {v}", "{v} please", "Oh sorry, {v}", "{v}, thanks")).format(v=given)
    messages = [
        user(rng.pick(function.bare[zh])),
        says(schemas.asks_back([a.name for a in wanted], zh)),
        *turns(rng, [case], given, zh),
    ]
    return _offered(rng, _more(rng, function, {function.name: tool}), messages, "functions", zh)


def none_fits(rng: Draw) -> Sample:
    """Functions are offered, but none does what is asked for."""
    zh = rng.happens(0.35)
    known = material.functions()
    wanted = rng.pick(known)
    place = known.index(wanted)
    tools: dict[str, Any] = {}
    for _ in range(rng.randint(1, 4)):
        other = rng.choice(known)
        if abs(known.index(other) - place) > 3 * NEIGHBOURS and not set(other.name.lower().split("_")) & set(wanted.name.lower().split("_")):
            tools[other.name] = tool_of(other, rng)
    if rng.happens(0.45):
        said = [user(asked(rng, wanted, zh).ask), says(talk.UNKNOWN_ZH if zh else talk.UNKNOWN)]
    else:
        said = _besides(rng, zh)
    return _offered(rng, tools or {known[place - 30].name: tool_of(known[place - 30], rng)}, said, "none fits", zh)


def further(rng: Draw, made: Sample, count: int) -> Sample:
    """The conversation, and more requests to the same functions: some fit, some do not, some leave a value out.

    The functions are most of what the model reads; each request after the first costs little more than what it teaches.
    """
    zh, offered = made["zh"], made["tools"]
    known = {f.name: f for f in material.functions()}
    names = [tool["function"]["name"] for tool in offered]
    parts = {part for name in names for part in name.lower().split("_")}
    usable = [known[name] for name in names if name in known]
    messages = list(made["messages"])
    for number in range(count):
        first = 100 + 10 * number
        roll = rng.random()
        function = rng.choice(usable) if usable else None
        if function and roll < 0.5:
            case = asked(rng, function, zh)
            messages += turns(rng, [case], case.ask, zh, first)
        elif function and roll < 0.68:
            one, two = asked(rng, function, zh), asked(rng, rng.choice(usable), zh)
            if (one.name, one.arguments) != (two.name, two.arguments):
                messages += turns(rng, [one, two], _and_also(rng, one, two, zh), zh, first)
        elif function and roll < 0.78 and function.bare[zh] and function.required:
            wanted = [a.name for a in function.arguments if a.is_required]
            messages += [user(rng.pick(function.bare[zh])), says(schemas.asks_back(wanted, zh))]
        elif roll < 0.9:
            other = rng.choice(material.functions())
            if not parts & set(other.name.lower().split("_")):
                messages += [user(asked(rng, other, zh).ask), says(talk.UNKNOWN_ZH if zh else talk.UNKNOWN)]
        else:
            messages += _besides(rng, zh)
    return {**made, "messages": messages}


def _besides(rng: Draw, zh: bool) -> Messages:
    """A question that asks for no function."""
    roll = rng.random()
    if roll < 0.5:
        return [user(rng.pick(material.unknown(zh=zh))), says(talk.UNKNOWN_ZH if zh else talk.UNKNOWN)]
    if roll < 0.77:
        asks, answer = rng.choice(material.small_talk(zh=zh))
        return [user(talk.noisy(rng.pick(asks), rng)), says(answer)]
    ask, entry = _term(rng, zh)
    return [user(ask), says(entry.answer_zh if zh else entry.answer)]


def unknown(rng: Draw) -> Sample:
    """A question that has nothing to do with what the model knows."""
    zh = rng.happens(0.35)
    ask = talk.noisy(rng.pick(material.unknown(zh=zh)), rng)
    return {"messages": [user(ask), says(talk.UNKNOWN_ZH if zh else talk.UNKNOWN)], "skill": "unknown", "zh": zh}


def small_talk(rng: Draw) -> Sample:
    """A greeting or the like, and its answer."""
    zh = rng.happens(0.35)
    asks, answer = rng.choice(material.small_talk(zh=zh))
    return {"messages": [user(talk.noisy(rng.pick(asks), rng)), says(answer)], "skill": "small talk", "zh": zh}


SHORT = (
    "Answer in at most ten words.", "Be very brief.", "Keep it short.", "One short sentence only.", "Answer as briefly as possible.",
    "Use no more than eight words.", "Short answers please.", "Reply with a single short phrase.", "You answer in a few words.", "Be concise: ten words at most.",
    "tl;dr please", "Give only a very short answer.", "Your answers are extremely short.", "Limit yourself to one line.", "In a few words.",
    "Answer in one line.", "Your reply must be under twelve words.", "Just the essence, please.", "Make it as short as you can.", "Few words only.", "Answer with a fragment, not a paragraph.", "Keep answers brief.", "Respond in one short phrase.", "No long explanations.", "Summarise in a handful of words.", "You are a terse assistant.", "Short and sweet, please.", "One brief sentence.", "Do not write more than ten words.", "The shorter the better.", "A very short reply will do.", "Use as few words as possible.", "You never say more than one short sentence.", "Short version please.", "Answer in under 10 words.",
)
SHORT_ZH = ("回答不超过十五个字。", "请简短回答。", "一句话说完。", "用最少的字回答。", "回答要非常简短。", "长话短说。", "请用几个字回答。", "只给一个很短的答案。", "不要啰嗦，简单说。", "言简意赅。",
    "越短越好。", "一行以内。", "请用一个短句回答。", "尽量少说。", "答案控制在十个字左右。", "只说重点。", "简明扼要。", "不超过一句话。", "你说话很简短。", "给个简短的答案就行。", "用几个词概括。", "少于十五个字。", "精简回答。", "回答尽可能短。", "简单一点。",
)
LONG = (
    "Answer in two sentences.", "Explain in more detail.", "Give a detailed answer.", "Use exactly two sentences.", "Be thorough.",
    "Please elaborate.", "I want a longer explanation.", "Give me a full explanation.", "Your answers have two sentences.", "Explain it properly, in two sentences.",
    "Take your time and explain it well.", "A longer answer please.", "Answer at length.", "Write two full sentences.", "More than one sentence please.",
    "Two sentences, please.", "Answer with two complete sentences.", "Give me some detail.", "Explain it fully.", "You give detailed answers.", "I would like a detailed answer.", "Use two sentences to explain.", "Go into more depth.", "Do not be too brief; explain it.", "Write a longer answer.", "Tell me more than just the definition.", "Your replies are two sentences long.", "Provide a thorough explanation.", "Say it in two sentences.", "Expand on it, please.", "A detailed reply, please.", "Answer in detail.", "Please write two sentences.", "You are a patient teacher who explains in detail.", "The long version please.",
)
LONG_ZH = ("用两句话回答。", "请详细解释。", "说得详细一点。", "请给出完整的解释。", "回答要有两句话。", "多解释一点。", "请展开说明。", "我想要长一点的回答。", "详细说说。", "请充分说明。",
    "用两个句子解释。", "请具体说明。", "详细一点回答。", "不要太短，解释清楚。", "写两句话。", "解释得完整些。", "你的回答总是很详细。", "请多说几句。", "请深入解释。", "需要两句话的答案。", "给一个详细的回答。", "你是一位耐心的老师，会讲得很详细。", "长一点的版本。", "请仔细讲讲。", "回答要详尽。",
)
# order, what stands before the answer, what stands after it
TONES = (
    (("Be cheerful.", "Answer cheerfully.", "Use a happy tone.", "Sound excited.", "Be enthusiastic.", "Write in an upbeat tone.", "You are a very cheerful assistant.", "Answer with lots of joy.", "Tone: cheerful.", "Be upbeat and fun.", "Answer in high spirits.", "Your mood is great, show it.", "Reply in a jolly way.", "Sound happy.", "You are thrilled to help.", "Make it cheerful.", "Use an excited tone.", "Be joyful.", "Answer like somebody in a very good mood.", "Bubbly and cheerful, please.", "Style: cheerful.", "Keep a sunny tone."), "Great question! ", " Have fun!"),
    (("Be formal.", "Answer formally.", "Use a formal tone.", "Write like a formal letter.", "Tone: formal.", "You are a very formal assistant.", "Please use formal language.", "Address the user formally.", "Keep a formal, official style.", "Answer in an official manner.", "Write formally.", "Style: formal.", "Your answers read like official letters.", "Be very formal.", "Use business language.", "Keep it formal.", "Reply in a formal register.", "You write like a civil servant.", "Formal tone, please.", "Sound official.", "Answer as in a business letter.", "Use a formal style."), "Dear user, ", " Kind regards."),
    (("Talk like a pirate.", "Answer as a pirate.", "You are a pirate.", "Use pirate language.", "Speak like a pirate would.", "Tone: pirate.", "Pretend to be a pirate.", "Arr, answer like a sailor of old.", "Be a pirate captain.", "Reply in pirate style.", "Style: pirate.", "You sail the seven seas; answer like that.", "Sound like a pirate.", "Use the voice of a pirate.", "Pirate talk only.", "Answer like a buccaneer.", "Your character: a pirate.", "Speak as pirates do.", "In pirate speak, please.", "Imagine you are a pirate.", "Act like a pirate.", "Be a pirate."), "Arr! ", " Ahoy, matey!"),
    (("Be polite.", "Answer very politely.", "Use a polite tone.", "Be courteous.", "Tone: polite.", "You are an extremely polite assistant.", "Please be respectful and polite.", "Answer with good manners.", "Be as polite as you can.", "Reply in a courteous way.", "Style: polite.", "Mind your manners.", "You are a butler with perfect manners.", "Use polite language.", "Keep a courteous tone.", "Sound very polite.", "Answer with great courtesy.", "Politely, please.", "Be well-mannered.", "Write in a polite way.", "Politeness matters most.", "You are always courteous."), "Thank you for asking. ", " Please ask again at any time."),
    (("Be casual.", "Answer casually.", "Use a relaxed tone.", "Talk like a friend.", "Tone: casual.", "You are a laid-back buddy.", "Keep it informal.", "Chat like a pal.", "Be cool and informal.", "Write as to an old friend.", "Style: casual.", "Relaxed tone, please.", "Sound like a friend.", "Talk to me like a mate.", "Be informal.", "Use everyday language.", "Keep it chill.", "Answer like a buddy.", "Casual, please.", "Be laid-back.", "Write informally.", "Use a casual tone."), "Hey, ", " Cool, right?"),
)
TONES_ZH = (
    (("请用欢快的语气回答。", "语气要开心。", "热情一点。", "用兴奋的口吻。", "你是一个很开朗的助手。", "活泼地回答。", "语气：欢快。", "开心一点。", "请兴高采烈地回答。", "风格：欢快。", "用快乐的语气。", "你今天心情特别好。", "热情洋溢地回答。", "要让人感到快乐。", "口吻要活泼。"), "好问题！", "祝你开心！"),
    (("请用正式的语气。", "正式地回答。", "像公文一样写。", "你是一个非常正式的助手。", "语气：正式。", "请使用书面语。", "保持正式的风格。", "风格：正式。", "正式一点。", "请用公文的口吻。", "用商务信函的语气。", "要很正式。", "像写公函那样回答。", "口吻要官方。", "你像公务员一样说话。"), "尊敬的用户，", "此致敬礼。"),
    (("请礼貌地回答。", "语气要有礼貌。", "你是一个非常有礼貌的助手。", "客气一点。", "语气：礼貌。", "请彬彬有礼地回答。", "回答要谦恭。", "风格：礼貌。", "礼貌一点。", "请注意礼节。", "用敬语回答。", "你像一位绅士一样说话。", "态度要客气。", "说话要有礼貌。", "恭敬地回答。"), "感谢您的提问。", "欢迎随时再问。"),
    (("随意一点。", "像朋友一样聊天。", "语气轻松。", "你是用户的老朋友。", "语气：随意。", "口语化一点。", "像哥们儿一样回答。", "风格：随意。", "别那么正式。", "轻松点说。", "用聊天的口吻。", "像和好友说话那样。", "放松一点。", "不用客套。", "语气随便些。"), "嘿，", "酷吧？"),
)


def _term(rng: Draw, zh: bool) -> tuple[str, Any]:
    """A question for a term, and its entry."""
    entry = rng.choice(TERMS)
    ask = rng.pick(material.wordings(zh=zh) if rng.happens(0.6) else (talk.ASK_TERM_ZH if zh else talk.ASK_TERM))
    return talk.noisy(ask.format(t=entry.said(rng, zh=zh)), rng), entry


def _ordered(rng: Draw, order: str, asks: list[tuple[str, str]], skill: str, zh: bool) -> Sample:
    """The order as a system message, or beside the question."""
    if rng.happens(0.3) and len(asks) == 1:
        question = asks[0][0]
        joint = "" if zh else " "
        text = f"{question}{joint}{order}" if rng.happens(0.6) else f"{order}{joint}{question}"
        return {"messages": [user(text), says(asks[0][1])], "skill": skill, "zh": zh}
    system = order
    if rng.happens(0.4):
        lead = rng.choice(("你是一个助手。", "你是一个乐于助人的助手。", "你为学生答疑。") if zh else ("You are a helpful assistant. ", "You help students. ", "You answer questions about AI. ", "You are a tutor. "))
        system = lead + order
    messages: Messages = [{"role": "system", "content": system}]
    for ask, answer in asks:
        messages += [user(ask), says(answer)]
    return {"messages": messages, "skill": skill, "zh": zh}


def length(rng: Draw) -> Sample:
    """A short or a long answer, as ordered."""
    zh, long = rng.happens(0.4), rng.happens(0.5)
    order = rng.pick((LONG_ZH if zh else LONG) if long else (SHORT_ZH if zh else SHORT))
    asks = []
    for _ in range(rng.choice([1, 1, 2])):
        ask, entry = _term(rng, zh)
        asks.append((ask, material.forms()[entry.term][2 * zh + long]))
    return _ordered(rng, order, asks, "length", zh)


def tone(rng: Draw) -> Sample:
    """An answer in a tone, as ordered."""
    zh = rng.happens(0.4)
    orders, before, after = rng.choice(TONES_ZH if zh else TONES)
    asks = []
    for _ in range(rng.choice([1, 1, 2])):
        ask, entry = _term(rng, zh)
        asks.append((ask, before + (entry.answer_zh if zh else entry.answer) + after))
    return _ordered(rng, rng.pick(orders), asks, "tone", zh)


JSON_ORDERS = ("Answer only in JSON with the key {k}.", "Reply as a JSON object with one key, {k}.", "Output JSON only: {{\"{k}\": ...}}", "Respond with JSON of the form {{\"{k}\": \"...\"}}.", "Your output must be a JSON object with the field {k}.", "Always answer in JSON. Key: {k}", "Wrap your answer in JSON under {k}.", "Only JSON, please, key {k}.", "Return {{\"{k}\": string}} and nothing else.", "JSON only, field name {k}.",
    "Respond only with JSON: {{\"{k}\": \"your answer\"}}", "You are an API; return JSON with the key {k}.", "Format every reply as {{\"{k}\": \"<text>\"}}.", "Give a JSON object whose only property is {k}.", "No prose: just JSON with {k}.", "Reply in JSON, using {k} as the key.", "The answer goes into the JSON field {k}.", "Strictly JSON. Structure: {{\"{k}\": ...}}", "Produce valid JSON with the single field {k}.", "Put what you say into JSON, key \"{k}\".", "You only speak JSON. Key: \"{k}\".", "Use this format: {{\"{k}\": \"...\"}}", "Your reply is a JSON object {{\"{k}\": \"...\"}} without anything around it.",
)
JSON_ORDERS_ZH = ("只用 JSON 回答，键为 {k}。", "请以 JSON 对象回答，只有一个键 {k}。", "只输出 JSON：{{\"{k}\": ...}}", "回答格式：{{\"{k}\": \"...\"}}。", "用 JSON 返回，字段名 {k}。", "输出必须是 JSON，字段为 {k}。", "仅返回 JSON，键 {k}。",
    "你只会输出 JSON，键是 {k}。", "把回答放进 JSON 的 {k} 字段。", "严格按照 JSON 格式回答：{{\"{k}\": \"...\"}}", "请返回只含 {k} 的 JSON 对象。", "不要其他文字，只要 JSON，键为 \"{k}\"。", "答案写成 {{\"{k}\": \"你的回答\"}}。", "每次都回复一个 JSON 对象，字段叫 {k}。", "使用这种格式：{{\"{k}\": \"...\"}}",
)
JSON_KEYS = ("answer", "answer", "answer", "reply", "text", "result", "response", "definition", "output", "explanation", "content", "message")


def json_answer(rng: Draw) -> Sample:
    """A term's explanation as a JSON object with the wanted key."""
    zh = rng.happens(0.4)
    key = rng.choice(JSON_KEYS) if rng.happens(0.7) else material.spoken(rng, "word", False).lower()
    ask, entry = _term(rng, zh)
    answer = json.dumps({key: entry.answer_zh if zh else entry.answer}, ensure_ascii=False)
    return _ordered(rng, rng.pick(JSON_ORDERS_ZH if zh else JSON_ORDERS).format(k=key), [(ask, answer)], "json", zh)


def wordings(rng: Draw) -> Sample:
    """Words of the field in the wordings of the material."""
    zh = rng.happens(0.4)
    messages: Messages = []
    for _ in range(rng.choice([1, 1, 1, 2])):
        ask, entry = _term(rng, zh)
        messages += [user(ask), says(entry.answer_zh if zh else entry.answer)]
    return {"messages": messages, "skill": "wordings", "zh": zh}


CLASSIFY = (
    "Give the intent and the entities of the user's message as JSON: {s}. {i}: one of {l}.",
    "You read customer messages. Answer only with JSON of the form {s}. The {i} is one of: {l}.",
    "Classify the message. Reply only in JSON like {s}, with {i} from {l}.",
    "Extract {i} and {e} as JSON. Schema: {s}. Possible values of {i}: {l}.",
    "Return JSON only. Format: {s}. Allowed {i}: {l}.",
    "Answer with one JSON object {s} and nothing else. {i} must be one of {l}.",
    "Find out what the customer wants. Output: {s}. Choose the {i} from: {l}.",
    "You are an intent classifier for customer service.\nIntents: {l}\nOutput format: {s}",
    "Detect the {i} ({l}) and the {e} in the message. Respond in JSON: {s}",
    "Determine {i} and {e}. {i} is one of {l}. Respond with {s} as JSON. Leave out what is not said.",
    "NLU task. labels: {l}. Return {s}.",
    "Which of these does the customer want: {l}? Give JSON {s}; leave out unknown {e}.",
    "What is the intent of the message? One of {l}. Reply as {s}.", "Support desk routing: answer with {s}; {i} must be from {l}.", "Read the message, choose the {i} from {l}, list the {e}, and print JSON: {s}", "Your job is to sort customer messages into {l}. Reply in JSON only: {s}", "Parse the customer's sentence. {i}: {l}. Output JSON in the shape {s}.", "For each message return {s} (JSON). Labels: {l}.", "Map the message to one of these: {l}. Use this JSON format: {s}", "You label messages. {i} ∈ {l}. JSON: {s}", "Only JSON of this kind: {s}. The {i} can be {l}.", "Understand what is asked and fill in {s}. Allowed values of {i}: {l}. No other text.", "Identify the {i} ({l}) together with its {e}; answer as {s}.", "Message classification with entity extraction. Classes: {l}. Answer: {s}", "You are the front desk's classifier. Possible {i}: {l}. Write JSON like {s}.", "Respond with JSON matching {s}. {i} is exactly one of {l}; {e} only as far as they are mentioned.",
)
CLASSIFY_ZH = (
    "以 JSON 给出用户的意图和实体：{s}。{i} 只能是：{l}。",
    "你读取客户的话，只用 JSON 回答，格式为 {s}。{i} 取自 {l}。",
    "请识别意图，只输出 JSON：{s}。可选的 {i}：{l}。",
    "提取 {i} 和 {e}，输出 JSON，格式：{s}。{i} 的取值：{l}。",
    "只返回 JSON。格式：{s}。{i} 从 {l} 中选择。",
    "你是客服意图分类器。意图：{l}。输出格式：{s}",
    "判断客户想做什么（{l}），并以 JSON 返回：{s}。没有提到的不要写。",
    "识别 {i} 与 {e}，{i} 为 {l} 之一，输出 {s}。",
    "用户想做什么？从 {l} 里选一个，按 {s} 回答。", "把客户的话归入以下类别：{l}。输出 JSON：{s}", "读一句话，给出 {i}（{l}）和 {e}，JSON 格式如 {s}。", "客服分流：只回复 {s}，{i} 必须是 {l} 之一。", "填写 {s}。{i} 的可选值：{l}。不要输出其他内容。", "请对消息分类并抽取实体。类别：{l}。答案格式：{s}", "你负责给消息打标签，标签有 {l}。返回 {s}。", "理解客户的意思，用 JSON 表示：{s}；{i} 取值：{l}。", "意图只能是 {l}，请输出形如 {s} 的 JSON。",
)
SCHEMA_ORDER = "Answer in JSON that fits this schema: {s}"


def intents(rng: Draw, count: int = 1) -> Sample:
    """Intent and entities of customers' messages, as JSON by the given schema."""
    zh = rng.happens(0.4)
    domain = rng.pick(material.domains())
    chosen = rng.sample(domain, min(rng.choice((2, 3, 3, 4, 4, 5, 6)), len(domain)))
    places = [rng.randrange(len(chosen)) if number else 0 for number in range(count)]
    most = rng.choice((2, 3, 4, 4, 5, 6, 8, 20))  # keys; those of what is asked are always there
    style = "chinese" if rng.happens(0.5 if zh else 0.03) else rng.choices(("snake", "camel", "words"), (70, 15, 15))[0]
    labels = [_called(rng, i.names, style) for i in chosen]
    names: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for place in sorted(range(len(chosen)), key=lambda place: place not in places):
        for alternatives, kind in chosen[place].entities:
            if place in places or len(names) < most:
                names.setdefault(alternatives[0], _called(rng, alternatives, style))
                kinds.setdefault(alternatives[0], kind)
    order = list(range(len(labels)))
    rng.shuffle(order)
    listed = [labels[n] for n in order]
    label, held = rng.choice(("intent", "intent", "label", "category", "action", "intent_name")), rng.choice(("entities", "entities", "slots", "parameters", "values"))
    keys = list(names.values())
    rng.shuffle(keys)
    form = rng.choices(("object", "list", "flat", "only"), (45, 25, 20, 10))[0]
    is_schema, is_strict = rng.happens(0.35), rng.happens(0.35)  # strict: what is not said is null
    pair = rng.choice((("name", "value"), ("type", "value"), ("entity", "value"), ("name", "text"), ("type", "text"), ("slot", "value"), ("key", "value")))
    wants_null = " 没有提到的写 null。" if zh else rng.choice((" Use null for what is not said.", " Unknown values are null.", " Missing values: null."))
    if is_schema:
        by_key = {names[k]: "integer" if kinds[k].split("(")[0] == "n" else "string" for k in names}
        whole_kinds = {key: by_key[key] for key in keys}
        schema = _intent_schema(form, label, listed, held, whole_kinds, pair, is_strict)
        lead = rng.choice(("", "", "识别客户的意图和实体。\n", "你是客服分类器。\n") if zh else ("", "", "Classify the customer's message.\n", "Extract intent and entities.\n", "You are an intent classifier.\n"))
        instruction = lead + SCHEMA_ORDER.format(s=json.dumps(schema, ensure_ascii=False))
    else:
        values = {k: rng.choice(("...", "string", "")) for k in keys}
        is_shown = form == "flat" or (form == "object" and rng.happens(0.8))
        shown_pairs = values if is_shown else {pair[0]: "..."} if form == "list" else {"...": "..."}
        shape = json.dumps(_held(form, label, "...", held, shown_pairs, pair, value="..."))
        shown = rng.choice((", ".join(listed), json.dumps(listed), " | ".join(listed), "; ".join(listed)))
        instruction = rng.pick(CLASSIFY_ZH if zh else CLASSIFY).format(s=shape, i=label, e=held, l=shown)
        if not is_shown and keys and form != "only":
            instruction += f" {held}: {', '.join(keys)}."
        if is_strict and form in {"object", "flat"} and keys:
            instruction += wants_null
    is_full = is_strict and form in {"object", "flat"}
    messages: Messages = []
    for place in places:
        message, entities = _told(rng, chosen[place], names, zh)
        found = {k: entities.get(k) for k in keys if k in entities or is_full}
        answer = json.dumps(_held(form, label, labels[place], held, found, pair), ensure_ascii=False)
        messages += [user(message), says(answer)]
    if rng.happens(0.25):
        messages[0] = user(f"{instruction}\n{messages[0]['content']}")
    else:
        messages.insert(0, {"role": "system", "content": instruction})
    return {"messages": messages, "skill": "intents", "zh": zh}


def _called(rng: Draw, names: tuple[str, ...], style: str) -> str:
    """One of the names, written as the others are if there is such a one."""
    return rng.choice([name for name in names if _style(name) == style] or names)


def _style(name: str) -> str:
    if not name.isascii():
        return "chinese"
    if " " in name:
        return "words"
    return "snake" if name.islower() else "camel"


def _told(rng: Draw, intent: Intent, names: dict[str, str], zh: bool) -> tuple[str, dict[str, Any]]:
    """A customer's message with this intent, and the values that it says, by the names that the schema has for them."""
    text = rng.pick(intent.messages[zh])
    said: dict[str, str] = {}
    entities: dict[str, Any] = {}
    for alternatives, kind in intent.entities:
        if f"{{{alternatives[0]}}}" in text:
            said[alternatives[0]] = value = material.spoken(rng, kind, zh)
            entities[names[alternatives[0]]] = int(value) if kind.split("(")[0] == "n" else value
    return material.filled(rng, text, dict(said), zh), entities


def _held(form: str, label: str, intent: str, held: str, found: dict[str, Any], pair: tuple[str, str], value: str | None = None) -> dict[str, Any]:
    """Intent and entities in one of four forms: an object of entities, a list of pairs, beside the intent, or not at all."""
    if form == "object":
        return {label: intent, held: found}
    if form == "list":
        if value is not None:
            return {label: intent, held: [{pair[0]: value, pair[1]: value}]}
        return {label: intent, held: [{pair[0]: k, pair[1]: str(v)} for k, v in found.items()]}
    return {label: intent, **found} if form == "flat" else {label: intent}


def _intent_schema(form: str, label: str, intents: list[str], held: str, kinds: dict[str, str], pair: tuple[str, str], is_strict: bool) -> dict[str, Any]:
    """The JSON schema of such a form, as developers write it; strict ones name every key as required."""
    closed = {"additionalProperties": False} if is_strict else {}
    each = {name: {"type": [kind, "null"] if is_strict else kind} for name, kind in kinds.items()}
    properties: dict[str, Any] = {label: {"type": "string", "enum": intents}}
    required = [label]
    if form == "object":
        properties[held] = {"type": "object", "properties": each, **({"required": list(each)} if is_strict else {}), **closed}
        required.append(held)
    elif form == "list":
        of = {"type": "object", "properties": {pair[0]: {"type": "string", "enum": list(each)}, pair[1]: {"type": "string"}}, "required": list(pair), **closed}
        properties[held] = {"type": "array", "items": of}
        required.append(held)
    elif form == "flat":
        properties |= each
        required += list(each) if is_strict else []
    return {"type": "object", "properties": properties, "required": required, **closed}


def extraction(rng: Draw, count: int = 1) -> Sample:
    """What requests say, as JSON by a schema: the arguments of their function, without the function."""
    zh = rng.happens(0.35)
    while True:
        function = rng.pick(material.functions())
        case = asked(rng, function, zh)
        if case.arguments:
            break
    properties = case.tool["function"]["parameters"]["properties"]
    if rng.happens(0.5):  # only what is said is in the schema
        properties = {key: value for key, value in properties.items() if key in case.arguments}
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": list(case.arguments)}
    found = case.arguments
    is_strict = rng.happens(0.3)
    if is_strict:  # every key, null for what is not said
        properties = {k: v for k, v in properties.items() if k in case.arguments or "enum" not in v}
        found = {key: case.arguments.get(key) for key in properties}
        properties = {k: v if k in case.arguments else {**v, "type": [v["type"], "null"]} for k, v in properties.items()}
        schema = {"type": "object", "properties": properties, "required": list(found), "additionalProperties": False}
    lead = rng.choice(
        ("", "提取信息。\n", "从用户的话里提取数据。\n", "你是一个信息抽取助手。\n")
        if zh
        else ("", "Extract the data.\n", "You extract information from messages.\n", "Turn the user's message into data.\n", "Parse the request.\n")
    )
    order = lead + SCHEMA_ORDER.format(s=json.dumps(schema, ensure_ascii=False))
    messages = [{"role": "system", "content": order}, user(case.ask), says(json.dumps(found, ensure_ascii=False))]
    for _ in range(1, count):
        again = asked(rng, function, zh)
        if again.arguments.keys() == case.arguments.keys():
            held = {key: again.arguments.get(key) for key in properties} if is_strict else again.arguments
            messages += [user(again.ask), says(json.dumps(held, ensure_ascii=False))]
    return {"messages": messages, "skill": "extraction", "zh": zh}


def memory(rng: Draw) -> Sample:
    """Things told up to ten messages ago, and asked for."""
    zh = rng.happens(0.4)
    told = rng.sample(material.memories(), rng.randint(1, 4))
    messages: Messages = []
    values = []
    for each in told:
        value = material.spoken(rng, each.kind, zh)
        values.append(value)
        messages += [user(rng.pick(each.tells[zh]).replace("{v}", value)), says(each.acks[zh].replace("{v}", value))]
        if rng.happens(0.3):
            messages += between(rng, zh)
    for _ in range(rng.choice([0, 0, 1, 1, 2, 4])):
        messages += between(rng, zh)
    for place in rng.sample(range(len(told)), min(len(told), rng.choice([1, 2, 3]))):
        each = told[place]
        messages += [user(rng.pick(each.asks[zh])), says(each.answers[zh].replace("{v}", values[place]))]
    return {"messages": messages, "skill": "memory", "zh": zh}


def between(rng: Draw, zh: bool) -> Messages:
    """A turn that has nothing to do with what was told."""
    if rng.happens(0.5):
        asks, answer = rng.choice(material.small_talk(zh=zh))
        return [user(rng.pick(asks)), says(answer)]
    ask, entry = _term(rng, zh)
    return [user(ask), says(entry.answer_zh if zh else entry.answer)]
