"""Run steps on the wire."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BaseModel, Field

from assistants_api.domain.step import StepStatus
from assistants_api.wire.base import Page, Reply, Timestamp
from assistants_api.wire.messages import FileReference
from assistants_api.wire.runs import UsageObject
from assistants_api.wire.shapes import MetadataShown


class CreatedMessage(BaseModel):
    """The message that a step writes."""

    message_id: str


class RunStepDetailsMessageCreationObject(BaseModel):
    """The step writes a message."""

    type: Literal["message_creation"]
    message_creation: CreatedMessage


class CalledFunction(BaseModel):
    """A function, its arguments and, once there, its output."""

    name: str
    arguments: str
    output: str | None


class RunStepDetailsToolCallsFunctionObject(BaseModel):
    """A call of the caller's function."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class CodeLogs(BaseModel):
    """What code has written."""

    type: Literal["logs"]
    logs: str


class CodeImage(BaseModel):
    """A figure that code has shown."""

    type: Literal["image"]
    image: FileReference


class CodeCall(BaseModel):
    """Code, and what it has shown."""

    input: str
    outputs: list[Annotated[CodeLogs | CodeImage, Field(discriminator="type")]]


class RunStepDetailsToolCallsCodeObject(BaseModel):
    """A call of the code interpreter."""

    id: str
    type: Literal["code_interpreter"]
    code_interpreter: CodeCall


class SearchRanking(BaseModel):
    """How the results were ranked."""

    ranker: Literal["auto", "default_2024_08_21"]
    score_threshold: float


class FoundText(BaseModel):
    """A text that was found."""

    type: Literal["text"]
    text: str


class SearchResult(BaseModel):
    """A chunk that was found; its text is there where `include[]` asked for it."""

    file_id: str
    file_name: str
    score: float
    content: list[FoundText] | None = None


class SearchCall(BaseModel):
    """What a search found; nothing until it is done."""

    ranking_options: SearchRanking | None = None
    results: list[SearchResult] | None = None


class RunStepDetailsToolCallsFileSearchObject(BaseModel):
    """A file search."""

    id: str
    type: Literal["file_search"]
    file_search: SearchCall


StepToolCall = Annotated[
    RunStepDetailsToolCallsFunctionObject
    | RunStepDetailsToolCallsCodeObject
    | RunStepDetailsToolCallsFileSearchObject,
    Field(discriminator="type"),
]


class RunStepDetailsToolCallsObject(BaseModel):
    """The step calls tools."""

    type: Literal["tool_calls"]
    tool_calls: list[StepToolCall]


StepDetails = Annotated[
    RunStepDetailsMessageCreationObject | RunStepDetailsToolCallsObject, Field(discriminator="type")
]


class StepError(BaseModel):
    """Why a step failed."""

    code: Literal["server_error", "rate_limit_exceeded"]
    message: str


class RunStepObject(Reply):
    """A run step."""

    KIND: ClassVar[str] = "thread.run.step"

    id: str
    object: Literal["thread.run.step"]
    created_at: Timestamp
    run_id: str
    assistant_id: str
    thread_id: str
    type: Literal["message_creation", "tool_calls"]
    status: Literal["in_progress", "cancelled", "failed", "completed", "expired"]
    cancelled_at: Timestamp | None
    completed_at: Timestamp | None
    expired_at: Timestamp | None
    expires_at: Timestamp | None
    failed_at: Timestamp | None
    last_error: StepError | None
    step_details: StepDetails
    metadata: MetadataShown
    usage: UsageObject | None

    @classmethod
    def of(cls, thing: Any, *, has_content: bool = False) -> Self:
        """The step; what its model call spent shows once it has ended, what was found if it was asked for."""
        reply = super().of(thing)
        if thing.status is StepStatus.IN_PROGRESS:
            reply.usage = None
        if thing.tool_calls:
            calls: Any = [_shown_call(call, has_content) for call in thing.tool_calls]
            reply.step_details = cast(Any, {"type": "tool_calls", "tool_calls": calls})
        return reply


def _shown_call(call: Mapping[str, Any], has_content: bool) -> dict[str, Any]:
    """A call without what is only kept for the model and the trace."""
    kind = call["type"]
    details = dict(call[kind])
    if kind == "file_search" and "results" in details:
        names = ("file_id", "file_name", "score", *(("content",) if has_content else ()))
        details["results"] = [{name: result[name] for name in names} for result in details["results"]]
    details.pop("links", None)
    return {"id": call["id"], "type": kind, kind: details}


class ListRunStepsResponse(Page):
    """A page of run steps."""

    object: Literal["list"]
    data: list[RunStepObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
