"""The pure projection of a run's log to the events that its stream sends."""

import json
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, RootModel, create_model

from assistants_api.domain.event import (
    LogEntry,
    MessageDelta,
    MessageMoved,
    RunEvent,
    RunMoved,
    StepMoved,
    ThreadCreated,
    ToolCallDelta,
    ToolCallStarted,
)
from assistants_api.wire.messages import MessageObject, TextValue
from assistants_api.wire.problems import ErrorObject
from assistants_api.wire.runs import RunObject
from assistants_api.wire.steps import RunStepObject
from assistants_api.wire.threads import ThreadObject

# JSON lets these stand in a string, but readers that split text by Unicode's rules would end the line there.
LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}

DONE = b"event: done\ndata: [DONE]\n\n"


def event_of(event: RunEvent) -> tuple[str, str]:
    """The event's name on the wire and its data, one line of JSON."""
    match event:
        case MessageDelta(message_id, text, is_first):
            value: dict[str, Any] = {"value": text}
            if is_first:
                value["annotations"] = []
            content = [{"index": 0, "type": "text", "text": value}]
            return "thread.message.delta", _line(
                {"id": message_id, "object": "thread.message.delta", "delta": {"content": content}}
            )
        case RunMoved(run, created):
            name = "created" if created else run.status.value
            return f"thread.run.{name}", RunObject.of(run).json_bytes().decode()
        case StepMoved(step, created):
            # An open step shows no calls yet and no usage: deltas bring the calls, the end brings both.
            name = "created" if created else step.status.value
            return f"thread.run.step.{name}", RunStepObject.of(step).json_bytes().decode()
        case MessageMoved(message, created):
            name = "created" if created else message.status.value
            return f"thread.message.{name}", MessageObject.of(message).json_bytes().decode()
        case ToolCallStarted(step_id, index, call_id, name):
            function = {"name": name, "arguments": "", "output": None}
            call = {"index": index, "id": call_id, "type": "function", "function": function}
            return "thread.run.step.delta", _step_delta(step_id, call)
        case ToolCallDelta(step_id, index, arguments):
            call = {"index": index, "type": "function", "function": {"arguments": arguments}}
            return "thread.run.step.delta", _step_delta(step_id, call)
        case ThreadCreated(thread):
            return "thread.created", ThreadObject.of(thread).json_bytes().decode()


def frame(entry: LogEntry) -> bytes:
    """The entry as it is sent; the id comes last, for parsers that expect the data on line two."""
    assert isinstance(entry.event, RunEvent), "a run's log holds a run's events"
    name, data = event_of(entry.event)
    if not data.isascii():
        data = data.translate(LINE_ENDS)
    return f"event: {name}\ndata: {data}\nid: {entry.seq}\n\n".encode()


def error_frame(error: dict[str, Any]) -> bytes:
    """A broken stream's last word; nested, because SDKs drop the flat form."""
    return f"event: error\ndata: {_line({'error': error})}\n\n".encode()


def _step_delta(step_id: str, call: dict[str, Any]) -> str:
    details = {"type": "tool_calls", "tool_calls": [call]}
    return _line({"id": step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}})


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class MessageDeltaText(BaseModel):
    """More of a text part; `annotations` are on the first piece."""

    index: int
    type: Literal["text"]
    text: TextValue


class MessageDeltaBody(BaseModel):
    """The changed parts."""

    content: list[MessageDeltaText]


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


class DeltaToolCall(BaseModel):
    """A piece of a tool call."""

    index: int
    id: str | None = None
    type: Literal["function"]
    function: DeltaFunction


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
    "error": ErrorObject,
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
