"""Calls that a model is writing: what has come of their arguments, and what of it was shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistants_api.agent.calls import function_call, our_call_shown, shown_of
from assistants_api.agent.tools import CODE_INTERPRETER, FILE_SEARCH, OURS, add_output, code_so_far
from assistants_api.domain.event import Event, ToolCallDelta, ToolCallStarted, ToolOutputAdded
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import ToolCall


@dataclass(slots=True)
class BegunCall:
    """A call at its place in the step, its arguments so far, and how much of what they show was shown."""

    index: int
    id: str
    name: str
    arguments: str = ""
    shown: str = ""

    def started(self, step_id: str) -> ToolCallStarted:
        """The event that shows it for the first time."""
        return ToolCallStarted(step_id, self.index, self.id, self.name, _kind(self.name))

    def add(self, arguments: str) -> None:
        """More of its arguments has come."""
        self.arguments += arguments

    @property
    def text(self) -> str:
        """What clients see of the arguments: of code, the code."""
        return code_so_far(self.arguments) if self.name == CODE_INTERPRETER else self.arguments

    def show(self, step_id: str) -> ToolCallDelta | None:
        """The event that shows what is new; None when nothing is."""
        text = self.text
        if len(text) <= len(self.shown):
            return None
        more, self.shown = text[len(self.shown) :], text
        return ToolCallDelta(step_id, self.index, more, _kind(self.name))

    def stored(self) -> JsonObject:
        """The call with what was shown of it, for a step that ends before the call is whole."""
        if self.name in OURS:
            return our_call_shown(self.id, self.name, self.shown)
        return function_call(ToolCall(self.id, self.name, self.shown))


def calls_shown(step_id: str, calls: Sequence[JsonObject], events: Iterable[Event]) -> list[JsonObject]:
    """The calls of an open step as a run's events have shown them.

    `calls` are those that are stored; where none are, the model was still writing them. What code that
    has not ended has shown is among its outputs.
    """
    begun: dict[int, BegunCall] = {}
    outputs: dict[int, list[JsonObject]] = {}
    for event in events:
        match event:
            case ToolCallStarted(of, index, call_id, name) if of == step_id:
                begun[index] = BegunCall(index, call_id, name)
            case ToolCallDelta(of, index, arguments) if of == step_id:
                begun[index].shown += arguments
            case ToolOutputAdded(of, index, _, output) if of == step_id:
                add_output(outputs.setdefault(index, []), output)
    found = list(calls) or [call.stored() for call in begun.values()]
    return [with_outputs(call, outputs.get(index)) for index, call in enumerate(found)]


def with_outputs(call: JsonObject, outputs: Sequence[JsonObject] | None) -> JsonObject:
    """The call with what its code has shown, unless it has its answer."""
    if not outputs or call.get("output") is not None:
        return call
    return {**call, CODE_INTERPRETER: {**call[CODE_INTERPRETER], "outputs": list(outputs)}}


def agree(begun: Mapping[str, BegunCall], calls: Sequence[ToolCall]) -> bool:
    """Whether the calls are what was shown of them, in that order; more may follow."""
    same = calls[: len(begun)]
    return [call.id for call in same] == list(begun) and all(
        shown_of(call).startswith(begun[call.id].shown) for call in same
    )


def rest(step_id: str, begun: Mapping[str, BegunCall], calls: Sequence[ToolCall]) -> list[Event]:
    """The events that show what was not shown of these calls yet. A search shows no arguments."""
    events: list[Event] = []
    for index, call in enumerate(calls):
        kind = _kind(call.name)
        if call.id in begun:
            left = shown_of(call)[len(begun[call.id].shown) :]
            if left:
                events.append(ToolCallDelta(step_id, index, left, kind))
            continue
        events.append(ToolCallStarted(step_id, index, call.id, call.name, kind))
        if kind != FILE_SEARCH:
            events.append(ToolCallDelta(step_id, index, shown_of(call), kind))
    return events


def _kind(name: str) -> str:
    return name if name in OURS else "function"
