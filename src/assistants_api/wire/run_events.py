"""The pure projection of a run's log to the events that its stream sends."""

import json
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, RootModel, create_model

from assistants_api.domain.event import (
    LogEntry,
    MessageDelta,
    MessageImage,
    MessageMoved,
    RunEvent,
    RunMoved,
    StepMoved,
    ThreadCreated,
    ToolCallDelta,
    ToolCallStarted,
    ToolOutputAdded,
)
from assistants_api.wire.messages import FileReference, MessageObject
from assistants_api.wire.problems import ErrorResponse
from assistants_api.wire.runs import RunObject
from assistants_api.wire.steps import RunStepObject
from assistants_api.wire.threads import ThreadObject

# JSON lets these stand in a string, but readers that split text by Unicode's rules would end the line there.
LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}

DONE = b"event: done\ndata: [DONE]\n\n"


def event_of(event: RunEvent, *, has_content: bool = False) -> tuple[str, str]:
    """The event's name on the wire and its data, one line of JSON; `has_content`: of search results."""
    match event:
        case MessageDelta(message_id, text, is_first, annotations, part):
            value: dict[str, Any] = {"value": text}
            if is_first or annotations:
                value["annotations"] = list(annotations)
            return "thread.message.delta", _message_delta(
                message_id, {"index": part, "type": "text", "text": value}
            )
        case MessageImage(message_id, part, file_id):
            image = {
                "index": part,
                "type": "image_file",
                "image_file": {"file_id": file_id, "detail": "auto"},
            }
            return "thread.message.delta", _message_delta(message_id, image)
        case RunMoved(run, created):
            name = "created" if created else run.status.value
            return f"thread.run.{name}", RunObject.of(run).json_bytes().decode()
        case StepMoved(step, created):
            # An open step shows no calls yet and no usage: deltas bring the calls, the end brings both.
            name = "created" if created else step.status.value
            shown = RunStepObject.of(step, has_content=has_content)
            return f"thread.run.step.{name}", shown.json_bytes().decode()
        case MessageMoved(message, created):
            name = "created" if created else message.status.value
            return f"thread.message.{name}", MessageObject.of(message).json_bytes().decode()
        case ToolCallStarted(step_id, index, call_id, name, type):
            begun: dict[str, Any] = {}
            if type == "function":
                begun = {"name": name, "arguments": "", "output": None}
            elif type == "code_interpreter":
                begun = {"input": "", "outputs": []}
            call = {"index": index, "id": call_id, "type": type, type: begun}
            return "thread.run.step.delta", _step_delta(step_id, call)
        case ToolCallDelta(step_id, index, arguments, type):
            more = {"arguments": arguments} if type == "function" else {"input": arguments}
            return "thread.run.step.delta", _step_delta(step_id, {"index": index, "type": type, type: more})
        case ToolOutputAdded(step_id, index, output_index, output):
            outputs = {"outputs": [{"index": output_index, **output}]}
            call = {"index": index, "type": "code_interpreter", "code_interpreter": outputs}
            return "thread.run.step.delta", _step_delta(step_id, call)
        case ThreadCreated(thread):
            return "thread.created", ThreadObject.of(thread).json_bytes().decode()


def frame(entry: LogEntry, *, has_content: bool = False) -> bytes:
    """The entry as it is sent; the id comes last, for parsers that expect the data on line two."""
    assert isinstance(entry.event, RunEvent), "a run's log holds a run's events"
    name, data = event_of(entry.event, has_content=has_content)
    if not data.isascii():
        data = data.translate(LINE_ENDS)
    return f"event: {name}\ndata: {data}\nid: {entry.seq}\n\n".encode()


def without_id(framed: bytes) -> bytes:
    """The event without its id, if it has one: the data is one line, so none of it looks like that."""
    shown, mark, _ = framed.rpartition(b"\nid: ")
    return shown + b"\n\n" if mark else framed


def error_frame(error: dict[str, Any]) -> bytes:
    """A broken stream's last word; nested, because SDKs drop the flat form."""
    return f"event: error\ndata: {_line({'error': error})}\n\n".encode()


def _message_delta(message_id: str, part: dict[str, Any]) -> str:
    return _line({"id": message_id, "object": "thread.message.delta", "delta": {"content": [part]}})


def _step_delta(step_id: str, call: dict[str, Any]) -> str:
    details = {"type": "tool_calls", "tool_calls": [call]}
    return _line({"id": step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}})


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class DeltaImageFile(FileReference):
    """An image by its file."""

    detail: Literal["auto", "low", "high"] | None = None


class DeltaAnnotation(BaseModel):
    """A citation, or a file that the text links to; its `text` stands in the same delta."""

    index: int
    type: Literal["file_citation", "file_path"]
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_citation: FileReference | None = None
    file_path: FileReference | None = None


class DeltaText(BaseModel):
    """More text, and the annotations in it; `annotations` is always on the first piece."""

    value: str | None = None
    annotations: list[DeltaAnnotation] | None = None


class MessageDeltaText(BaseModel):
    """More of a text part."""

    index: int
    type: Literal["text"]
    text: DeltaText


class MessageDeltaImage(BaseModel):
    """An image part, whole."""

    index: int
    type: Literal["image_file"]
    image_file: DeltaImageFile


class MessageDeltaBody(BaseModel):
    """The changed parts."""

    content: list[Annotated[MessageDeltaText | MessageDeltaImage, Field(discriminator="type")]]


class MessageDeltaObject(BaseModel):
    """A piece of a message."""

    id: str
    object: Literal["thread.message.delta"]
    delta: MessageDeltaBody


class DeltaFunction(BaseModel):
    """Pieces of a function call, to be concatenated."""

    name: str | None = None
    arguments: str | None = None
    output: str | None = None


class DeltaCodeOutput(BaseModel):
    """Something that code has shown."""

    index: int
    type: Literal["logs", "image"]
    logs: str | None = None
    image: FileReference | None = None


class DeltaCode(BaseModel):
    """Pieces of code, and what it has shown."""

    input: str | None = None
    outputs: list[DeltaCodeOutput] | None = None


class DeltaToolCall(BaseModel):
    """A piece of a tool call."""

    index: int
    id: str | None = None
    type: Literal["function", "file_search", "code_interpreter"]
    function: DeltaFunction | None = None
    file_search: dict[str, Any] | None = None
    code_interpreter: DeltaCode | None = None


class DeltaStepDetails(BaseModel):
    """The changed calls."""

    type: Literal["tool_calls"]
    tool_calls: list[DeltaToolCall]


class RunStepDeltaBody(BaseModel):
    """The changed details."""

    step_details: DeltaStepDetails


class RunStepDeltaObject(BaseModel):
    """A piece of a run step."""

    id: str
    object: Literal["thread.run.step.delta"]
    delta: RunStepDeltaBody


_EVENTS: dict[str, type[BaseModel]] = {
    "thread.created": ThreadObject,
    **{
        f"thread.run.{name}": RunObject
        for name in (
            "created",
            "queued",
            "in_progress",
            "requires_action",
            "completed",
            "incomplete",
            "failed",
            "cancelling",
            "cancelled",
            "expired",
        )
    },
    **{
        f"thread.run.step.{name}": RunStepObject
        for name in ("created", "in_progress", "completed", "failed", "cancelled", "expired")
    },
    "thread.run.step.delta": RunStepDeltaObject,
    **{
        f"thread.message.{name}": MessageObject
        for name in ("created", "in_progress", "completed", "incomplete")
    },
    "thread.message.delta": MessageDeltaObject,
    "error": ErrorResponse,
}


def _literal(value: str) -> Any:
    return Literal[value]


@cache
def stream_event_schema() -> type[RootModel[Any]]:
    """`AssistantStreamEvent`: the union of every event, told apart by `event`, for the API document."""
    make: Any = create_model
    members: list[Any] = []
    for name, data in _EVENTS.items():
        title = "".join(part.capitalize() for part in name.replace("_", ".").split(".")) + "Event"
        members.append(make(title, __doc__=f"`{name}`", event=(_literal(name), ...), data=(data, ...)))
    members.append(
        create_model(
            "DoneEvent", __doc__="The end.", event=(_literal("done"), ...), data=(_literal("[DONE]"), ...)
        )
    )
    union: Any = members[0]
    for member in members[1:]:
        union = union | member
    model: type[RootModel[Any]] = make(
        "AssistantStreamEvent",
        __base__=RootModel[Annotated[union, Field(discriminator="event")]],
        __doc__="An event of a run's stream: its name and its data.",
    )
    return model
