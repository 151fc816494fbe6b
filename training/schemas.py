"""Makes function calls with random names, arguments, types and enums, so that the schema decides, never a habit."""

from typing import Any

from training import calls, words
from training.draw import Draw

Sample = dict[str, Any]

VERBS = ["find", "open", "close", "check", "start", "stop", "read", "update", "remove", "archive", "approve", "publish", "print", "scan", "copy", "move", "track", "cancel", "renew", "lock", "unlock", "export", "import", "verify", "restart", "assign", "create", "delete", "list", "show", "set", "add", "reserve", "order", "send", "share", "plan", "paint", "measure", "translate", "rename", "charge", "transfer", "rotate", "load", "compare", "convert", "record", "sign"]
NOUNS = ["order", "invoice", "ticket", "door", "file", "report", "account", "device", "task", "room", "parcel", "contract", "course", "book", "photo", "project", "server", "playlist", "recipe", "flight", "hotel", "meeting", "note", "event", "customer", "lamp", "car", "pump", "field", "label", "folder", "bill", "lesson", "trip", "song", "table", "seat", "policy", "claim", "form", "window", "machine", "robot", "garden", "loan", "letter", "alarm", "light", "camera"]
VERBS_ZH = {
    "open": "打开",
    "close": "关闭",
    "find": "查找",
    "cancel": "取消",
    "create": "创建",
    "delete": "删除",
    "track": "跟踪",
    "reserve": "预订",
    "print": "打印",
    "update": "更新",
    "check": "检查",
    "send": "发送",
    "lock": "锁定",
    "move": "移动",
    "order": "订购",
}
NOUNS_ZH = {
    "order": "订单",
    "invoice": "发票",
    "ticket": "票",
    "door": "门",
    "file": "文件",
    "report": "报告",
    "account": "账户",
    "room": "房间",
    "parcel": "包裹",
    "contract": "合同",
    "course": "课程",
    "meeting": "会议",
    "flight": "航班",
    "car": "汽车",
    "light": "灯",
}
# The name of an argument: many for one kind, and made-up ones besides.
NAMES = {
    "text": ["name", "id", "code", "title", "label", "key", "reference", "number", "identifier", "item", "target", "value", "subject", "ref", "symbol", "ticker", "slug", "handle", "topic", "keyword", "query", "product", "text", "word", "tag", "serial", "token_name", "entry"],
    "person": ["name", "person", "user", "customer", "employee", "recipient", "owner", "guest", "contact", "assignee", "member", "author", "patient", "student", "host", "client", "driver", "sender"],
    "city": ["city", "location", "place", "town", "destination", "origin", "where", "region", "area", "address", "venue", "site", "spot", "locality", "municipality", "station"],
    "number": ["amount", "count", "quantity", "price", "limit", "size", "number", "total", "level", "weight", "duration", "minutes", "days", "hours", "distance", "budget", "percent", "age", "rate", "value", "guests", "people", "copies"],
    "date": ["date", "day", "when", "due", "deadline", "start_date", "end_date", "on", "scheduled_for", "delivery_date", "birthday", "departure", "arrival"],
    "enum": ["mode", "kind", "type", "status", "priority", "format", "color", "size", "unit", "level", "category", "style", "class", "state", "speed"],
    "flag": ["urgent", "express", "notify", "private", "public", "silent", "confirmed", "verbose", "recursive", "force", "active", "gift", "enabled", "archived", "paid"],
    "list": ["items", "names", "tags", "ids", "people", "cities", "files", "products", "colors", "numbers", "labels", "codes", "members", "topics", "words"],
}
ENUMS = (
    ("low", "medium", "high"),
    ("red", "green", "blue"),
    ("small", "large"),
    ("pdf", "csv", "json"),
    ("open", "closed", "pending"),
    ("daily", "weekly", "monthly"),
    ("economy", "business", "first"),
    ("cash", "card"),
    ("celsius", "fahrenheit"),
    ("slow", "normal", "fast"),
    ("dark", "light"),
    ("standard", "express"),
    ("draft", "final"),
    ("metric", "imperial"),
    ("left", "right"),
)
WITH = (
    "with {k} {v}",
    "with the {k} {v}",
    "{k} {v}",
    "and {k} {v}",
    "using {k} {v}",
    "where the {k} is {v}",
    "and set the {k} to {v}",
    "the {k} being {v}",
    "({k}: {v})",
    "with {v} as {k}",
)
WITH_ZH = ("{k}为{v}", "{k}是{v}", "{k}：{v}", "把{k}设为{v}", "{k}用{v}")
DO = (
    "{Verb} the {noun} {v}",
    "Please {verb} the {noun} {v}",
    "Can you {verb} {noun} {v}?",
    "I want to {verb} the {noun} {v}",
    "{verb} {noun} {v}",
    "Could you {verb} the {noun} {v} for me?",
    "I need you to {verb} {noun} {v}",
    "{Verb} {v}, the {noun}",
    "Let us {verb} the {noun} {v}",
    "We should {verb} {noun} {v}",
)
DO_ZH = (
    "{verb}{noun}{v}",
    "请{verb}{noun}{v}",
    "帮我{verb}{noun}{v}",
    "我想{verb}{noun}{v}",
    "能{verb}{noun}{v}吗？",
    "麻烦{verb}一下{noun}{v}",
)
BARE = (
    "{Verb} the {noun}",
    "Please {verb} a {noun}",
    "Can you {verb} a {noun}?",
    "I want to {verb} a {noun}",
    "{verb} {noun}",
    "Could you {verb} the {noun} for me?",
    "I need to {verb} a {noun}",
)
BARE_ZH = (
    "{verb}{noun}",
    "请{verb}{noun}",
    "帮我{verb}{noun}",
    "我想{verb}{noun}",
    "能{verb}{noun}吗？",
    "麻烦{verb}一下{noun}",
)
DESCRIPTIONS = (
    "{Verb} a {noun}",
    "{Verb} the {noun} of a user",
    "Use this to {verb} a {noun}.",
    "{Verb} one {noun} by its {k}",
    "{Verb}s {noun}s",
    "Tool to {verb} {noun}s",
)
ASKS_BACK, ASKS_BACK_ZH = "Could you please tell me the {k}?", "请问{k}是什么？"


def asks_back(names: list[str], zh: bool) -> str:
    """The question for arguments that are missing."""
    plain = [name.replace("_", " ") for name in names]
    if zh:
        return ASKS_BACK_ZH.format(k="和".join(plain))
    return ASKS_BACK.format(k=", ".join(plain[:-1]) + " and " + plain[-1] if len(plain) > 1 else plain[0])


def argument_name(rng: Draw, kind: str) -> str:
    """A name from the list, two joined, or one that does not exist."""
    roll = rng.random()
    if roll < 0.62:
        return rng.pick(NAMES[kind])
    if roll < 0.78:
        return f"{rng.pick(NOUNS)}_{rng.pick(NAMES[kind])}"
    made = words.made_up(rng).lower()
    return made if roll < 0.92 else f"{made}{rng.pick(NAMES[kind]).capitalize().replace('_', '')}"


def value_of(rng: Draw, kind: str) -> tuple[dict[str, Any], Any, str]:
    """A schema, a value, the value as people say it."""
    if kind == "number":
        whole = rng.happens(0.6)
        value = (
            rng.randint(1, 10 ** rng.randint(1, 4)) if whole else round(rng.random() * 100, rng.randint(1, 2))
        )
        return {"type": "integer" if whole and rng.happens(0.6) else "number"}, value, str(value)
    if kind == "enum":
        options = (
            list(rng.pick(ENUMS))
            if rng.happens(0.5)
            else [words.made_up(rng).lower() for _ in range(rng.randint(2, 4))]
        )
        value = rng.choice(options)
        return {"type": "string", "enum": options}, value, rng.choice([value, value, value.capitalize()])
    if kind == "flag":
        value = rng.happens(0.5)
        return (
            {"type": "boolean"},
            value,
            rng.choice(["true", "yes", "on"] if value else ["false", "no", "off"]),
        )
    if kind == "list":
        items = [
            rng.choice([words.made_up, words.code, words.person, words.city])(rng)
            for _ in range(rng.randint(2, 4))
        ]
        said = rng.choice([", ".join(items), ", ".join(items[:-1]) + " and " + items[-1]])
        return {"type": "array", "items": {"type": "string"}}, items, said
    if kind == "date":
        value = f"{rng.randint(2020, 2031)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        return {"type": "string"}, value, value
    maker = {"person": words.person, "city": words.city}.get(kind) or rng.choice(
        [words.code, words.made_up, words.code, words.ticker, words.email]
    )
    value = maker(rng)
    return {"type": "string"}, value, value


def generic(rng: Draw, zh: bool, *, bare: bool = False) -> tuple[calls.Case, list[str]]:
    """A function of one to four arguments, its call in words; `bare`: the words leave every value out."""
    verb, noun = (
        (rng.pick(sorted(VERBS_ZH)), rng.pick(sorted(NOUNS_ZH))) if zh else (rng.pick(VERBS), rng.pick(NOUNS))
    )
    kinds = ["text" if rng.happens(0.6) else rng.choice(["person", "city"])]
    kinds += rng.sample(
        ["text", "person", "city", "number", "date", "enum", "flag", "list", "number", "enum"],
        rng.choice([0, 0, 1, 1, 2, 3]),
    )
    properties: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    said: list[tuple[str, str]] = []
    for kind in kinds:
        key = argument_name(rng, kind)
        if key in properties:
            continue
        schema, value, spoken = value_of(rng, kind)
        plain = key.replace("_", " ")
        if rng.happens(0.5):
            schema["description"] = rng.choice(
                [
                    f"The {plain}",
                    f"{plain.capitalize()} of the {noun}",
                    f"The {kind} to use" if kind != "flag" else f"Whether {plain}",
                ]
            )
        properties[key], arguments[key] = schema, value
        said.append((rng.choice([plain, plain, key]), spoken))
    keys = list(arguments)
    form = {
        "verb": VERBS_ZH[verb] if zh else verb,
        "noun": NOUNS_ZH[noun] if zh else noun,
        "Verb": verb.capitalize(),
        "v": said[0][1],
    }
    if bare:
        ask, keep = rng.pick(BARE_ZH if zh else BARE).format(**form), 0
    else:
        ask = rng.pick(DO_ZH if zh else DO).format(**form)
        question = ask[-1] in "?？吗"
        keep = len(keys)
        for place in range(1, len(keys)):
            if rng.happens(0.2):  # an optional argument that the words leave out
                keep = place
                break
            spoken = rng.pick(WITH_ZH if zh else WITH).format(k=said[place][0], v=said[place][1])
            ask = ask.rstrip("?？").removesuffix("吗") + ("，" if zh else rng.choice([" ", ", "])) + spoken
        ask += ("" if zh else "?") if question and keep > 1 and not zh else ""
    name = (
        f"{verb}_{noun}"
        if rng.happens(0.6)
        else rng.choice(
            [
                f"{noun}_{verb}",
                f"{verb}{noun.capitalize()}",
                f"do_{verb}_{noun}",
                f"{verb}_{noun}_{rng.pick(['now', 'v2', 'by_id', 'api', 'tool', 'action'])}",
                f"{words.made_up(rng).lower()}_{verb}_{noun}",
            ]
        )
    )
    description = rng.pick(DESCRIPTIONS).format(
        Verb=verb.capitalize(), verb=verb, noun=noun, k=keys[0].replace("_", " ")
    )
    order = keys[:]
    required = keys[:keep] if keep else keys[: rng.randint(1, len(keys))]
    tool = calls._tool(name, description, {key: properties[key] for key in order}, required)
    output = rng.choice(
        [
            calls.surprising(rng),
            rng.choice(
                ["done", "ok", "created", "not found", '{"ok": true}', f'{{"id": "{words.code(rng)}"}}']
            ),
        ]
    )
    return calls.Case(tool, {key: arguments[key] for key in keys[:keep]}, ask, output, zh), required


def renamed(rng: Draw, case: calls.Case) -> calls.Case:
    """The same call with other argument names, sometimes with another function name."""
    function = case.tool["function"]
    properties, required = function["parameters"]["properties"], function["parameters"]["required"]
    kinds = {
        key: "number"
        if schema["type"] in {"number", "integer"}
        else "enum"
        if "enum" in schema
        else "city"
        if key in {"city", "location", "place", "timezone"}
        else "text"
        for key, schema in properties.items()
    }
    new: dict[str, str] = {}
    for key in properties:
        name = key if rng.happens(0.15) else argument_name(rng, kinds[key])
        new[key] = name if name not in new.values() else key
    if len(properties) > 1:  # more than one: the description must tell which is which
        properties = {
            key: {**schema, "description": schema.get("description") or f"The {key.replace('_', ' ')}"}
            for key, schema in properties.items()
        }
    name = function["name"] if rng.happens(0.6) else f"{words.made_up(rng).lower()}_{function['name']}"
    tool = calls._tool(
        name, function["description"], {new[k]: properties[k] for k in properties}, [new[k] for k in required]
    )
    return calls.Case(tool, {new[k]: v for k, v in case.arguments.items()}, case.ask, case.output, case.zh)


def others(rng: Draw, count: int, tools: dict[str, Any]) -> None:
    """Functions that are not wanted."""
    for _ in range(count):
        other = (
            generic(rng, False)[0]
            if rng.happens(0.5)
            else renamed(rng, rng.choice(calls.FAMILIES)(rng, False))
        )
        verb_noun = set(other.name.lower().split("_"))
        if any(len(verb_noun & set(name.lower().split("_"))) > 1 for name in tools):
            continue
        tools.setdefault(other.name, other.tool)


def conversation(rng: Draw, cases: list[calls.Case], tools: dict[str, Any], ask: str, zh: bool) -> Sample:
    """Question, calls, outputs, answer."""
    offered = list(tools.values())
    rng.shuffle(offered)
    made = [
        {"id": f"call_{n}", "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for n, c in enumerate(cases)
    ]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": ask},
        {"role": "assistant", "content": "", "tool_calls": made},
    ]
    messages += [
        {"role": "tool", "tool_call_id": f"call_{n}", "content": c.output} for n, c in enumerate(cases)
    ]
    messages.append({"role": "assistant", "content": calls.told(cases, zh)})
    return {"tools": offered, "messages": messages, "skill": "schemas", "zh": zh}


def one(rng: Draw) -> Sample:
    """One call, among one to eight functions."""
    zh = rng.happens(0.35)
    case = generic(rng, zh)[0] if rng.happens(0.6) else renamed(rng, rng.choice(calls.FAMILIES)(rng, zh))
    tools = {case.name: case.tool}
    others(rng, rng.choice([0, 0, 0, 1, 1, 1, 2, 2, 3, rng.choice([4, 5, 6, 7])]), tools)
    return conversation(rng, [case], tools, case.ask, case.zh)


def several(rng: Draw) -> Sample:
    """Two calls of one function, or of two."""
    zh = rng.happens(0.3)
    first = generic(rng, zh)[0]
    while len(first.arguments) > 2:
        first = generic(rng, zh)[0]
    if rng.happens(0.5):
        second = generic(rng, zh)[0]
        while len(second.arguments) > 2 or second.name == first.name:
            second = generic(rng, zh)[0]
        low = second.ask[:1].lower() + second.ask[1:]
        ask = (
            first.ask.rstrip("?？")
            + (
                rng.choice(["，然后", "，并且", "。另外，"])
                if zh
                else rng.choice([" and ", ", then ", " and then ", ". Also, "])
            )
            + low
        )
        tools = {first.name: first.tool, second.name: second.tool}
    else:
        key = next(iter(first.arguments))
        values = [rng.choice([words.code, words.made_up, words.city])(rng) for _ in range(2)]
        first.arguments = {key: values[0]}
        first.tool["function"]["parameters"]["required"] = [key]
        parts = first.tool["function"]["description"]
        verb = next(
            (v for v in VERBS if v in first.name.lower().split("_") or first.name.lower().startswith(v)), None
        )
        noun = next((n for n in NOUNS if n in parts.lower().split() and n != verb), None)
        if verb is None or noun is None or zh:
            return several(rng)
        joined = " and ".join(values)
        ask = rng.pick(
            [
                "{v} the {n}s {j}",
                "Please {v} the {n}s {j}",
                "Can you {v} {n}s {j}?",
                "{v} {n} {a} and {n} {b}",
                "I want to {v} the {n} {a} and the {n} {b}",
                "Could you {v} both {n}s, {j}?",
            ]
        ).format(v=verb, n=noun, j=joined, a=values[0], b=values[1])
        ask = ask[:1].upper() + ask[1:]
        second = calls.Case(first.tool, {key: values[1]}, "", calls.surprising(rng))
        tools = {first.name: first.tool}
        zh = False
    others(rng, rng.choice([0, 1, 2]), tools)
    return conversation(rng, [first, second], tools, ask, zh)


def missing(rng: Draw) -> Sample:
    """A required argument was not said: ask for it, then call."""
    zh = rng.happens(0.35)
    partly = rng.happens(0.45)
    while True:
        case, required = generic(rng, zh, bare=not partly)
        properties = case.tool["function"]["parameters"]["properties"]
        left = [key for key in properties if key not in case.arguments] if partly else required
        if not left or len(left) > 2:
            continue
        if all("enum" not in properties[k] and properties[k]["type"] == "string" for k in left):
            break
    if partly:  # the words say some of it
        required = [*case.arguments, *left]
        case.tool["function"]["parameters"]["required"] = required
    values = {k: rng.choice([words.code, words.made_up, words.city, words.person])(rng) for k in left}
    tools = {case.name: case.tool}
    others(rng, rng.choice([0, 0, 1, 3]), tools)
    case.arguments = {k: values.get(k, case.arguments.get(k)) for k in properties if k in values or k in case.arguments}
    given = (
        ", ".join(values.values())
        if len(values) > 1 or rng.happens(0.7)
        else f"{left[0].replace('_', ' ')} {values[left[0]]}"
    )
    made = conversation(rng, [case], tools, given, zh)
    made["messages"] = [
        {"role": "user", "content": case.ask},
        {"role": "assistant", "content": asks_back(left, zh)},
        *made["messages"],
    ]
    return {**made, "skill": "missing"}
