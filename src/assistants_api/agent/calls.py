"""What a model's calls look like: as clients see them, and as a step stores them."""

from assistants_api.agent.tools import CODE_INTERPRETER, FILE_SEARCH, code_of
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import ToolCall


def shown_of(call: ToolCall) -> str:
    """What clients see of a call's arguments."""
    if call.name == FILE_SEARCH:
        return ""
    return code_of(call.arguments) if call.name == CODE_INTERPRETER else call.arguments


def our_call(call: ToolCall) -> JsonObject:
    """A call of ours as it is stored: beside what clients see, the model's words and, later, our answer."""
    return {**our_call_shown(call.id, call.name, shown_of(call)), "arguments": call.arguments}


def our_call_shown(call_id: str, name: str, shown: str) -> JsonObject:
    """A call of ours as clients see it: `shown` is its code, where it has some."""
    details: JsonObject = {"input": shown, "outputs": []} if name == CODE_INTERPRETER else {}
    return {"id": call_id, "type": name, name: details}


def function_call(call: ToolCall) -> JsonObject:
    """A call of the caller's function as it is stored."""
    function = {"name": call.name, "arguments": call.arguments, "output": None}
    return {"id": call.id, "type": "function", "function": function}


def required_call(call: ToolCall) -> JsonObject:
    """The same as the run asks for its output."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
