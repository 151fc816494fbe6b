"""Our own tools as the model is shown them, and what running one looks like to the loop."""

import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import ToolCall
from assistants_api.domain.text import mended

FILE_SEARCH = "file_search"
CODE_INTERPRETER = "code_interpreter"


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """A running tool has something to show already: one of the API's code interpreter outputs."""

    call: ToolCall
    output: JsonObject


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """One of our tools has answered: `output` is for the model, `details` are for the step."""

    call: ToolCall
    output: str
    details: JsonObject = field(default_factory=dict)
    trace: JsonObject | None = None


Tool = Callable[[ToolCall], AsyncGenerator[ToolOutput | ToolReturned, None]]

_SHOWN: dict[str, JsonObject] = {
    FILE_SEARCH: {
        "type": "function",
        "function": {
            "name": FILE_SEARCH,
            "description": "Search the files that the user has uploaded."
            " Cite what you use by its marker, for example 【0:0†source】.",
            "parameters": {
                "type": "object",
                "properties": {"query": {"type": "string", "description": "What to look for."}},
                "required": ["query"],
                "additionalProperties": False,
            },
        },
    },
    CODE_INTERPRETER: {
        "type": "function",
        "function": {
            "name": CODE_INTERPRETER,
            "description": "Run Python in this thread's session."
            " Files are in /mnt/data; plt.show() makes an image.",
            "parameters": {
                "type": "object",
                "properties": {"code": {"type": "string", "description": "Python source."}},
                "required": ["code"],
                "additionalProperties": False,
            },
        },
    },
}
OURS = frozenset(_SHOWN)


def shown_tools(tools: Iterable[JsonObject], files: Sequence[str] = ()) -> tuple[JsonObject, ...]:
    """A run's tools as the model is shown them: functions as they are, ours as functions.

    `files` are the names of those that the code interpreter will find.
    """
    return tuple(tool if tool["type"] == "function" else _shown(tool["type"], files) for tool in tools)


def _shown(name: str, files: Sequence[str]) -> JsonObject:
    shown = _SHOWN[name]
    if name != CODE_INTERPRETER or not files:
        return shown
    description = f"{shown['function']['description']} Files there now: {', '.join(files)}."
    return {**shown, "function": {**shown["function"], "description": description}}


def code_of(arguments: str) -> str:
    """The code that a call of the code interpreter asks to run; half of a surrogate pair is none."""
    try:
        given = json.loads(arguments)
    except ValueError:
        return mended(arguments)
    code = given.get("code") if isinstance(given, dict) else None
    return mended(code if isinstance(code, str) else arguments)


def add_output(outputs: list[JsonObject], output: JsonObject) -> int:
    """Adds what code shows to what it has shown, logs to the logs just before; its place."""
    if outputs and outputs[-1]["type"] == output["type"] == "logs":
        outputs[-1] = {"type": "logs", "logs": outputs[-1]["logs"] + output["logs"]}
    else:
        outputs.append(output)
    return len(outputs) - 1


def code_so_far(arguments: str) -> str:
    """The code in the arguments of a call that is not whole yet, as far as it is certain."""
    begun = _CODE.match(arguments)
    if begun is None:
        return ""
    body = arguments[begun.end() :]
    # To the closing quotation mark, or to the end less an escape that may not be whole.
    text = _STRING.match(body)
    assert text is not None, "the empty string matches"
    found: str = json.loads(f'"{text[0]}"')
    # The first half of a pair waits for the other one.
    return mended(found[:-1] if found and "\ud800" <= found[-1] <= "\udbff" else found)


_CODE = re.compile(r'\s*\{\s*"code"\s*:\s*"')
_STRING = re.compile(r'(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')


def shown_choice(choice: str | JsonObject) -> str | JsonObject:
    """A run's tool choice as the model is shown it."""
    if isinstance(choice, str) or choice["type"] == "function":
        return choice
    return {"type": "function", "function": {"name": choice["type"]}}
