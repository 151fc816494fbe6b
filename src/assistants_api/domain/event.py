"""What happens to a run or a completion, in the order in which it happens; rows of the event log."""

from dataclasses import dataclass

from assistants_api.domain.completion import CompletionEvent
from assistants_api.domain.json import JsonObject
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
    """More text for the open message; `is_first` opens its text part.

    `annotations` are those whose text stands in this piece, each with its `index` in the part, which is
    the message's `part`-th.
    """

    message_id: str
    text: str
    is_first: bool = False
    annotations: tuple[JsonObject, ...] = ()
    part: int = 0


@dataclass(frozen=True, slots=True)
class MessageImage:
    """A figure in the open message: its `part`-th part, whole."""

    message_id: str
    part: int
    file_id: str


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """A call began in the open step, at `index`; `type` is the API's type of tool call."""

    step_id: str
    index: int
    call_id: str
    name: str
    type: str = "function"


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of a call: of a function's arguments (a JSON text), or of the code interpreter's input."""

    step_id: str
    index: int
    arguments: str
    type: str = "function"


@dataclass(frozen=True, slots=True)
class ToolOutputAdded:
    """The code interpreter has shown something; `output_index` counts the outputs of this call."""

    step_id: str
    index: int
    output_index: int
    output: JsonObject


RunEvent = (
    ThreadCreated
    | RunMoved
    | StepMoved
    | MessageMoved
    | MessageDelta
    | MessageImage
    | ToolCallStarted
    | ToolCallDelta
    | ToolOutputAdded
)
Event = RunEvent | CompletionEvent


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One row of a channel's log; `seq` is dense from 1."""

    seq: int
    event: Event
