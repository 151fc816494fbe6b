"""What happens to a run or a completion, in the order in which it happens; rows of the event log."""

from dataclasses import dataclass

from assistants_api.domain.completion import CompletionEvent
from assistants_api.domain.message import Message
from assistants_api.domain.run import Run
from assistants_api.domain.step import RunStep
from assistants_api.domain.thread import Thread


@dataclass(frozen=True, slots=True)
class ThreadCreated:
    """A thread was made together with its first run."""

    thread: Thread


@dataclass(frozen=True, slots=True)
class RunMoved:
    """A run reached a status; `created` marks the announcement of a new run."""

    run: Run
    created: bool = False


@dataclass(frozen=True, slots=True)
class StepMoved:
    """A step began (`created` first, then in_progress) or ended."""

    step: RunStep
    created: bool = False


@dataclass(frozen=True, slots=True)
class MessageMoved:
    """A message began (`created` first, then in_progress) or ended."""

    message: Message
    created: bool = False


@dataclass(frozen=True, slots=True)
class MessageDelta:
    """More text for the open message; `is_first` opens its text part."""

    message_id: str
    text: str
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """A function call began in the open step, at `index`."""

    step_id: str
    index: int
    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of a function call's arguments (a piece of a JSON text)."""

    step_id: str
    index: int
    arguments: str


RunEvent = (
    ThreadCreated | RunMoved | StepMoved | MessageMoved | MessageDelta | ToolCallStarted | ToolCallDelta
)
Event = RunEvent | CompletionEvent


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One row of a channel's log; `seq` is dense from 1."""

    seq: int
    event: Event
