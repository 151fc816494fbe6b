"""Draws a conversation of any skill, in the shares that training uses."""

from collections.abc import Callable
from typing import Any

from training import bank, calls, documents, orders, schemas, sessions, talk
from training.draw import Draw

Sample = dict[str, Any]
WITHOUT_SYSTEM = {"repeat", "files", "code", "frames", "language", "intents", "extraction", "json", "length", "tone", "reading"}


def idle(rng: Draw) -> Sample:
    """Search and Python are offered, but a greeting needs neither."""
    made = rng.choice([talk.greeting, bank.wordings, bank.memory, orders.glossary])(rng)
    return {
        **made,
        "tools": rng.choice([[documents.TOOL], [sessions.TOOL], [sessions.TOOL, documents.TOOL]]),
        "skill": "idle",
    }


def no_function(rng: Draw) -> Sample:
    """A function was asked for that is not offered: the honest answer."""
    made = schemas.one(rng)
    tools: dict[str, Any] = {}
    while not tools:
        schemas.others(rng, rng.randint(1, 4), tools)
        wanted = {c["function"]["name"] for c in made["messages"][1]["tool_calls"]}
        parts = {part for name in wanted for part in name.lower().split("_")}
        tools = {name: tool for name, tool in tools.items() if not parts & set(name.lower().split("_"))}
    answer = talk.UNKNOWN_ZH if made["zh"] else talk.UNKNOWN
    return {
        "messages": [made["messages"][0], {"role": "assistant", "content": answer}],
        "tools": list(tools.values()),
        "skill": "none fits",
        "zh": made["zh"],
    }


def longer(maker: Callable[[Draw], Sample]) -> Callable[[Draw], Sample]:
    """The conversations of `maker`, and up to three more requests to the same functions."""
    return lambda rng: bank.further(rng, maker(rng), rng.choice([0, 0, 1, 2, 3]))


def mixed(rng: Draw) -> Sample:
    """Requests of two or three kinds in one conversation, to an assistant that has the tools of all of them.

    What was called for an earlier request says nothing about the next one.
    """
    zh = rng.happens(0.4)
    makers = rng.sample((documents.grounded, sessions.session, bank.function_call), rng.choice((2, 2, 3)))
    messages: list[dict[str, Any]] = []
    tools: dict[str, Any] = {}
    for number, maker in enumerate(makers):
        made = _in_language(rng, maker, zh=zh)
        tools |= {tool["function"]["name"]: tool for tool in made["tools"]}
        messages += [
            _numbered(message, number) for message in made["messages"] if message["role"] != "system"
        ]
    offered = list(tools.values())
    rng.shuffle(offered)
    return {"messages": messages, "tools": offered, "skill": "mixed", "zh": zh}


def _in_language(rng: Draw, maker: Callable[[Draw], Sample], *, zh: bool) -> Sample:
    made = maker(rng)
    while made["zh"] != zh:
        made = maker(rng)
    return made


def _numbered(message: dict[str, Any], number: int) -> dict[str, Any]:
    """The message with the ids of its calls its own."""
    if "tool_call_id" in message:
        return {**message, "tool_call_id": f"{message['tool_call_id']}_{number}"}
    calls = [{**call, "id": f"{call['id']}_{number}"} for call in message.get("tool_calls", ())]
    return {**message, "tool_calls": calls} if calls else message


MIX = (
    (documents.grounded, 60),
    (documents.reading, 26),
    (schemas.one, 10),
    (longer(bank.function_call), 34),
    (schemas.several, 4),
    (longer(bank.two_calls), 20),
    (schemas.missing, 4),
    (longer(bank.missing), 8),
    (calls.call, 5),
    (sessions.session, 34),
    (lambda rng: bank.intents(rng, rng.choice([1, 1, 2, 3, 4])), 36),
    (lambda rng: bank.extraction(rng, rng.choice([1, 2, 3])), 12),
    (orders.json_only, 7),
    (bank.json_answer, 8),
    (orders.framed, 12),
    (orders.language, 11),
    (bank.length, 11),
    (bank.tone, 5),
    (orders.memory, 3),
    (bank.memory, 12),
    (orders.glossary, 6),
    (bank.wordings, 22),
    (talk.greeting, 20),
    (talk.help_, 10),
    (talk.unknown, 2),
    (bank.unknown, 9),
    (talk.repeat, 3),
    (documents.copied, 5),
    (talk.with_idle_tools, 3),
    (idle, 5),
    (mixed, 14),
    (no_function, 2),
    (longer(bank.none_fits), 11),
    (talk.chat, 4),
)


def sample(rng: Draw) -> Sample:
    """A conversation of any kind, with or without a system message, sometimes with further tools."""
    made = rng.choices([maker for maker, _ in MIX], [weight for _, weight in MIX])[0](rng)
    tools = list(made.get("tools", ()))
    if made["skill"] in {"files", "code"} and rng.happens(0.3):
        tools.append(sessions.TOOL if made["skill"] == "files" else documents.TOOL)
    elif made["skill"] in {"files", "code"} and rng.happens(0.1):
        more: dict[str, Any] = {}
        schemas.others(rng, 2, more)
        tools += more.values()
    elif made["skill"] in {"schemas", "missing", "functions"} and rng.happens(0.1):
        tools.append(rng.choice([sessions.TOOL, documents.TOOL]))
    if made["skill"] in {"files", "code", "schemas", "missing", "functions"}:
        rng.shuffle(tools)
        made = {**made, "tools": tools}
    if made["skill"] not in WITHOUT_SYSTEM and rng.random() < 0.45:
        made["messages"] = [{"role": "system", "content": rng.choice(talk.SYSTEMS)}, *made["messages"]]
    return made
