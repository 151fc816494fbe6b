"""The script that a `ScriptedEngine` plays, and how it is read from a file.

A script file is JSON: a list of turns, or an object `{"turns": [...]}`. A turn is a list of steps, or an
object `{"when": "weather", "steps": [...]}`; `when` is a part of the last message (the user's words or a
tool's output) for which the turn is played, any number of times. A step is one of

    "some words"                                   said word by word, as a model would
    {"text": "some words"}                         said in one piece
    {"think": "some words"}                        thought in one piece, before anything is said
    {"call": "get_weather", "arguments": {...}}    a function call; "id" is optional; with "by": 8 its
                                                   arguments come in pieces of so many characters first,
                                                   "pause" seconds apart
    {"wait": "name"}                               waits until `engine.release("name")`
    {"pause": 0.05}                                waits so many seconds
    {"fail": "words", "code": "server_error"}      the turn fails
    {"stop": "length"}                             ends the turn with this reason
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistants_api.domain import ids
from assistants_api.domain.prompt import CallPiece, Stop, Text, Thought, ToolCall
from assistants_api.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing more is said until the event of this name is released."""

    event: str


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fail:
    """The engine ends the turn without an answer."""

    message: str
    code: str = "server_error"


Step = Text | Thought | CallPiece | ToolCall | Stop | Wait | Pause | Fail
STEPS = (Text, Thought, CallPiece, ToolCall, Stop, Wait, Pause, Fail)


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the script; `when` is a part of the last message for which it is played."""

    steps: tuple[Step, ...]
    when: str | None = None


class BadScript(ValueError):
    """A script file does not say what it should; the message names the place."""


def words(text: str) -> list[str]:
    """The text in pieces of one word each, white space kept in front; they join to the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def load(path: Path) -> tuple[Turn, ...]:
    """The turns of a script file."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadScript(f"The script {path} cannot be read: {error}") from error
    turns = read.get("turns") if isinstance(read, Mapping) else read
    if not isinstance(turns, list):
        raise BadScript(f"The script {path} must be a list of turns.")
    return tuple(_turn(turn, f"turn {number} of {path}") for number, turn in enumerate(turns, 1))


def _turn(read: Any, place: str) -> Turn:
    when = read.get("when") if isinstance(read, Mapping) else None
    steps = read.get("steps") if isinstance(read, Mapping) else read
    if not isinstance(steps, list):
        raise BadScript(f"In {place}: 'steps' must be a list.")
    found: list[Step] = []
    for step in steps:
        found.extend(_steps(step, place))
    return Turn(tuple(found), when)


def _pieces(call: ToolCall, by: Any, pause: float) -> list[Step]:
    if not isinstance(by, int) or by < 1:
        return []
    steps: list[Step] = []
    for at in range(0, len(call.arguments), by):
        steps.append(CallPiece(call.id, call.name, call.arguments[at : at + by]))
        if pause:
            steps.append(Pause(pause))
    return steps


def _steps(read: Any, place: str) -> Sequence[Step]:
    match read:
        case str():
            return [Text(word) for word in words(read)]
        case {"text": str(text)}:
            return [Text(text)]
        case {"think": str(text)}:
            return [Thought(text)]
        case {"call": str(name)}:
            arguments = json.dumps(read.get("arguments", {}), ensure_ascii=False)
            call = ToolCall(read.get("id") or ids.new("call"), name, arguments)
            return [*_pieces(call, read.get("by"), read.get("pause", 0)), call]
        case {"wait": str(event)}:
            return [Wait(event)]
        case {"pause": int() | float() as seconds}:
            return [Pause(seconds)]
        case {"fail": str(message)}:
            return [Fail(message, read.get("code", "server_error"))]
        case {"stop": str(reason)}:
            return [Stop(reason, Usage())]
        case _:
            raise BadScript(f"In {place}: not a step: {json.dumps(read)[:100]}")
