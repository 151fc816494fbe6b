"""Makes function-calling conversations: varied schemas, arguments copied from the user's words, results told."""

import json
import random
from collections.abc import Callable
from typing import Any

from training import words

Maker = Callable[[random.Random], tuple[dict[str, Any], str]]
Sample = dict[str, Any]


def _tool(name: str, description: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _string(description: str = "") -> dict[str, Any]:
    return {"type": "string", "description": description} if description else {"type": "string"}


class Case:
    """One function that is wanted: its tool, its arguments, the words that ask for it, its output."""

    def __init__(self, tool: dict[str, Any], arguments: dict[str, Any], ask: str, output: str, zh: bool = False) -> None:
        self.tool, self.arguments, self.ask, self.output, self.zh = tool, arguments, ask, output, zh
        self.name = tool["function"]["name"]


def weather(rng: random.Random, zh: bool) -> Case:
    name = rng.choice(["get_weather", "get_current_weather", "weather_lookup", "get_forecast", "get_current_temperature", "weather", "fetch_weather"])
    key = rng.choice(["city", "location", "place"])
    where = rng.choice(words.CITIES_ZH) if zh else words.city(rng)
    properties: dict[str, Any] = {key: _string(rng.choice(["The city", "The city, e.g. San Francisco", "Name of the place", ""]))}
    arguments: dict[str, Any] = {key: where}
    ask = rng.choice(
        [f"{where}今天天气怎么样？", f"{where}的天气如何？", f"查一下{where}的天气", f"{where}现在多少度？"]
        if zh
        else [f"What's the weather in {where}?", f"What is the weather like in {where} today?", f"How warm is it in {where}?", f"Weather in {where}", f"Tell me the weather in {where} please", f"what is the temperature in {where} right now?", f"I am going to {where}, how is the weather there?", f"Is it cold in {where}?"]
    )
    if rng.random() < 0.35:
        units = rng.choice([["celsius", "fahrenheit"], ["Celsius", "Fahrenheit"], ["c", "f"]])
        properties["unit"] = {"type": "string", "enum": units}
        if not zh and rng.random() < 0.6:
            unit = rng.choice(units)
            word = "Celsius" if unit.lower().startswith("c") else "Fahrenheit"
            ask = ask.rstrip("?.") + rng.choice([f" in {word}?", f" in degrees {word}?"])
            arguments["unit"] = unit
    output = rng.choice([f"{rng.randint(-20, 40)}", f"{rng.randint(-20, 40)} degrees and {rng.choice(['sunny', 'cloudy', 'rainy', 'windy', 'foggy', 'snowy'])}", json.dumps({"temperature": rng.randint(-20, 40), "unit": "C"}), rng.choice(["sunny", "cloudy", "rain", "snow", "晴", "多云"])])
    return Case(_tool(name, rng.choice(["Get the weather of a city", "Current weather", "Get the current temperature for a specific location"]), properties, [key]), arguments, ask, output, zh)


def rain(rng: random.Random, where: str | None = None, key: str | None = None) -> Case:
    key = key or rng.choice(["city", "location"])
    where = where or words.city(rng)
    name = rng.choice(["get_rain_probability", "rain_chance", "get_precipitation"])
    ask = rng.choice([f"Will it rain in {where}?", f"How likely is rain in {where} today?", f"What is the chance of rain in {where}?"])
    return Case(_tool(name, "Get the probability of rain for a location", {key: _string()}, [key]), {key: where}, ask, f"0.{rng.randint(1, 99):02d}")


def stock(rng: random.Random, zh: bool) -> Case:
    key, symbol = rng.choice(["symbol", "ticker"]), words.ticker(rng)
    ask = rng.choice([f"{symbol}的股价是多少？", f"查一下{symbol}的股票价格"] if zh else [f"What is the stock price of {symbol}?", f"How much is {symbol} today?", f"Get me the price of {symbol}", f"stock price {symbol}"])
    return Case(_tool(rng.choice(["get_stock_price", "stock_quote", "get_quote"]), "Get the price of a stock", {key: _string("Stock symbol")}, [key]), {key: symbol}, ask, words.number(rng), zh)


def send(rng: random.Random, zh: bool) -> Case:
    to, subject = words.email(rng), rng.choice(words.SUBJECTS)
    properties = {"to": _string("Address"), "subject": _string()}
    arguments = {"to": to, "subject": subject}
    ask = rng.choice([f"给{to}发邮件，主题是{subject}", f"发一封主题为{subject}的邮件给{to}"] if zh else [f"Send an email to {to} with the subject {subject}", f"Email {to}, subject {subject}", f"Please send a mail to {to} with subject {subject}"])
    if not zh and rng.random() < 0.3:
        body = f"See you in {words.city(rng)}"
        properties["body"] = _string()
        arguments["body"] = body
        ask += rng.choice([f' and the text "{body}"', f", saying {body}"])
    return Case(_tool(rng.choice(["send_email", "send_mail", "email"]), "Send an email", properties, list(properties)), arguments, ask, rng.choice(["sent", "ok", "delivered"]), zh)


def sums(rng: random.Random, zh: bool) -> Case:
    a, b = words.number(rng), words.number(rng)
    name, verb, sign = rng.choice([("add", "Add", "plus"), ("multiply", "Multiply", "times"), ("subtract", "Subtract", "minus"), ("sum_numbers", "Add", "plus")])
    keys = rng.choice([("a", "b"), ("x", "y"), ("first", "second")])
    values = [json.loads(a), json.loads(b)]
    signs_zh = {"plus": "加", "times": "乘以", "minus": "减"}
    ask = rng.choice([f"{a}{signs_zh[sign]}{b}等于多少？", f"计算{a}{signs_zh[sign]}{b}"] if zh else [f"What is {a} {sign} {b}?", f"How much is {a} {sign} {b}?", f"{verb} {a} and {b}", f"Calculate {a} {sign} {b}"])
    return Case(_tool(name, f"{verb} two numbers", {keys[0]: {"type": "number"}, keys[1]: {"type": "number"}}, list(keys)), dict(zip(keys, values, strict=True)), ask, words.number(rng), zh)


def order(rng: random.Random, zh: bool) -> Case:
    key, number = rng.choice(["order_id", "order_number", "id"]), words.code(rng)
    ask = rng.choice([f"我的订单{number}到哪了？", f"查询订单{number}的状态"] if zh else [f"Where is my order {number}?", f"What is the status of order {number}?", f"Track order {number}", f"Has order {number} been shipped?"])
    return Case(_tool(rng.choice(["get_order_status", "track_order", "lookup_order"]), "Look up an order", {key: _string()}, [key]), {key: number}, ask, rng.choice(["shipped", "delivered", "processing", f"arrives on day {rng.randint(1, 28)}"]), zh)


def search(rng: random.Random, zh: bool) -> Case:
    thing = f"{rng.choice(words.COLORS)} {rng.choice(words.THINGS)}" if rng.random() < 0.6 else rng.choice(words.THINGS)
    key = rng.choice(["query", "product", "keyword"])
    properties: dict[str, Any] = {key: _string()}
    arguments: dict[str, Any] = {key: thing}
    ask = rng.choice([f"帮我找{thing}", f"搜索{thing}"] if zh else [f"Find me a {thing}", f"I am looking for a {thing}", f"Search for a {thing}", f"Show me a {thing}"])
    if not zh and rng.random() < 0.4:
        price = rng.randint(5, 900)
        properties["max_price"] = {"type": "number"}
        arguments["max_price"] = price
        ask += rng.choice([f" under {price} dollars", f" for at most {price}", f" below {price} euros"])
    return Case(_tool(rng.choice(["search_products", "find_product", "shop_search"]), "Search the shop", properties, [key]), arguments, ask, f"{words.made_up(rng)} {rng.choice(words.THINGS)}, {rng.randint(5, 900)} dollars", zh)


def clock(rng: random.Random, zh: bool) -> Case:
    key = rng.choice(["city", "location", "timezone"])
    where = rng.choice(words.CITIES_ZH) if zh else words.city(rng)
    ask = rng.choice([f"{where}现在几点？", f"{where}的时间是多少？"] if zh else [f"What time is it in {where}?", f"Tell me the time in {where}", f"current time in {where}?"])
    return Case(_tool(rng.choice(["get_time", "get_current_time", "clock"]), "Get the time of a place", {key: _string()}, [key]), {key: where}, ask, f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}", zh)


def translate(rng: random.Random, zh: bool) -> Case:
    text, language = rng.choice([rng.choice(words.FOODS), rng.choice(words.THINGS), words.made_up(rng)]), rng.choice(words.LANGUAGES)
    ask = rng.choice([f"Translate {text} into {language}", f"How do you say {text} in {language}?", f"What is {text} in {language}?"])
    return Case(_tool("translate", "Translate a text", {"text": _string(), "language": _string()}, ["text", "language"]), {"text": text, "language": language}, ask, words.made_up(rng).lower())


def table(rng: random.Random, zh: bool) -> Case:
    name, people = words.made_up(rng), rng.randint(1, 12)
    ask = rng.choice([f"Book a table for {people} at {name}", f"Reserve a table at {name} for {people} people", f"I want to eat at {name} with {people} persons, book it"])
    return Case(_tool(rng.choice(["book_table", "reserve_table"]), "Book a table", {"restaurant": _string(), "people": {"type": "integer"}}, ["restaurant", "people"]), {"restaurant": name, "people": people}, ask, rng.choice(["booked", "confirmed", "fully booked"]))


def anything(rng: random.Random, zh: bool) -> Case:
    """Any verb and noun: the name of the function says when it is meant."""
    verb, noun, value = rng.choice(words.VERBS), rng.choice(words.NOUNS), rng.choice([words.code(rng), words.made_up(rng), words.person(rng)])
    key = rng.choice([noun, f"{noun}_id", f"{noun}_name", "name", "id"])
    ask = rng.choice([f"{verb.capitalize()} the {noun} {value}", f"Please {verb} {noun} {value}", f"Can you {verb} the {noun} {value}?", f"I want to {verb} the {noun} {value}"])
    return Case(_tool(f"{verb}_{noun}", f"{verb.capitalize()} a {noun}", {key: _string()}, [key]), {key: value}, ask, rng.choice(["done", "ok", f"{noun} {value} is {rng.choice(['ready', 'open', 'closed', 'gone'])}", words.code(rng)]))


FAMILIES = (weather, weather, stock, send, sums, order, search, clock, translate, table, anything, anything, anything)


def call(rng: random.Random) -> Sample:
    """A question, the call or calls, their outputs and the answer that tells them."""
    zh = rng.random() < 0.25
    wanted = [rng.choice(FAMILIES)(rng, zh)]
    zh = wanted[0].zh
    ask = wanted[0].ask
    if rng.random() < 0.4:
        wanted[0].output = surprising(rng)
    roll = rng.random()
    if not zh and roll < 0.18:
        wanted, ask = _twice(rng)
    elif not zh and roll < 0.34:
        wanted, ask = _weather_and_rain(rng)
    tools = {case.name: case.tool for case in wanted}
    for _ in range(rng.randint(0, 3)):
        other = rng.choice(FAMILIES)(rng, False)
        tools.setdefault(other.name, other.tool)
    offered = list(tools.values())
    rng.shuffle(offered)
    calls = [
        {"id": f"call_{place}", "type": "function", "function": {"name": case.name, "arguments": case.arguments}}
        for place, case in enumerate(wanted)
    ]
    messages: list[dict[str, Any]] = [{"role": "user", "content": ask}, {"role": "assistant", "content": "", "tool_calls": calls}]
    messages += [{"role": "tool", "tool_call_id": f"call_{place}", "content": case.output} for place, case in enumerate(wanted)]
    messages.append({"role": "assistant", "content": told(wanted, zh)})
    return {"tools": offered, "messages": messages, "skill": "calls", "zh": zh}


def surprising(rng: random.Random) -> str:
    """An output that cannot be guessed, only copied."""
    maker = rng.choice([words.made_up, words.code, words.number, words.city, words.person])
    plain = rng.choice(["unknown", "not found", "error", "yes", "no", "none", "ok", "success", "nothing", "42", "true", "false"])
    return rng.choice([plain, " ".join(maker(rng) for _ in range(rng.randint(1, 4)))])


def told(cases: list[Case], zh: bool) -> str:
    """The answer that repeats every output."""
    if len(cases) == 1:
        return f"查询结果：{plain(cases[0].output)}。" if zh else f"Here is the result: {plain(cases[0].output)}."
    parts = [f"{_shown(case)}: {plain(case.output)}" for case in cases]
    return f"查询结果：{'；'.join(parts)}。" if zh else f"Here are the results: {'; '.join(parts)}."


def plain(output: str) -> str:
    """An output as people read it: JSON as names and values."""
    try:
        value = json.loads(output)
    except ValueError:
        return output.rstrip(".。")
    return _flat(value) if isinstance(value, dict | list) else output


def _flat(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{key.replace('_', ' ')} {_flat(each)}" for key, each in value.items())
        case list():
            return "; ".join(_flat(each) for each in value) or "none"
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
    return str(value)


def _shown(case: Case) -> str:
    first = str(next(iter(case.arguments.values()), ""))
    return f"{case.name.removeprefix('get_').replace('_', ' ')} {first}".strip()


def _twice(rng: random.Random) -> tuple[list[Case], str]:
    maker = rng.choice([weather, clock, stock])
    first = maker(rng, False)
    key = next(iter(first.arguments))
    first.arguments = {key: first.arguments[key]}
    value = words.ticker(rng) if maker is stock else words.city(rng)
    second = Case(first.tool, {key: value}, "", maker(rng, False).output)
    one, two = first.arguments[key], value
    asks = {
        weather: [f"What's the weather in {one} and {two}?", f"Compare the weather in {one} and in {two}", f"weather in {one} and in {two}"],
        clock: [f"What time is it in {one} and {two}?", f"Tell me the time in {one} and in {two}"],
        stock: [f"What are the prices of {one} and {two}?", f"Stock prices of {one} and {two} please"],
    }
    return [first, second], rng.choice(asks[maker])


def _weather_and_rain(rng: random.Random) -> tuple[list[Case], str]:
    first = weather(rng, False)
    key = next(iter(first.arguments))
    where = first.arguments[key]
    first.arguments = {key: where}
    second = rain(rng, where, key)
    ask = rng.choice([f"What's the weather in {where} today and the likelihood it'll rain?", f"How is the weather in {where} and will it rain?", f"What is the temperature in {where} and the chance of rain?", f"Weather and rain probability for {where}"])
    if first.tool["function"]["parameters"]["properties"].get("unit") and rng.random() < 0.5:
        first.arguments = {key: where}
    return [first, second], ask
