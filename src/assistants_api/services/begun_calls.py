"""Calls that a model is writing: what has come of their arguments, and what of it was shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistants_api.agent.calls import shown_of
from assistants_api.agent.tools import CODE_INTERPRETER, FILE_SEARCH, OURS, code_so_far
from assistants_api.domain.event import Event, ToolCallDelta, ToolCallStarted
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
