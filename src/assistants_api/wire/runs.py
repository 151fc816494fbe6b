"""Runs on the wire."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, model_validator

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.run import NewRun
from assistants_api.domain.thread import NewThread
from assistants_api.wire.base import MetadataField, Page, Reply, Request, Timestamp
from assistants_api.wire.messages import CreateMessageRequest
from assistants_api.wire.shapes import (
    CreateToolResources,
    Instructions,
    MetadataShown,
    Reasoning,
    ResponseFormat,
    ResponseFormatShown,
    Temperature,
    Tool,
    ToolChoice,
    ToolResources,
    ToolsShown,
    TopP,
    TruncationStrategy,
    stored_choice,
    stored_format,
    stored_resources,
    stored_tools,
    stored_truncation,
)
from assistants_api.wire.threads import CreateThreadRequest

TokenLimit = Annotated[int | None, Field(ge=256, le=2**53)]
MAX_OUTPUT_BYTES = 512 * 1024  # of all outputs that are sent together

CancelOnDisconnect = Annotated[
    bool | None,
    Field(description="An extension: cancel the run when the client leaves its stream. Goes with `stream`."),
]


def _needs_a_stream(body: Any) -> Any:
    if body.cancel_on_disconnect and not body.stream:
        raise InvalidRequest(
            "'cancel_on_disconnect' goes with 'stream': true.",
            param="cancel_on_disconnect",
            code="invalid_value",
        )
    return body


class _RunSettings(Request):
    assistant_id: str
    model: Annotated[str | None, Field(min_length=1, max_length=256)] = None
    instructions: Instructions = None
    tools: Annotated[list[Tool] | None, Field(max_length=128)] = None
    metadata: MetadataField = None
    temperature: Temperature = None
    top_p: TopP = None
    stream: bool | None = None
    max_prompt_tokens: TokenLimit = None
    max_completion_tokens: TokenLimit = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    cancel_on_disconnect: CancelOnDisconnect = None
    webhook_url: Annotated[str | None, Field(max_length=2000)] = Field(
        None, description="An extension: hears of the run's ends, if its host is allowed."
    )

    _needs_a_stream = model_validator(mode="after")(_needs_a_stream)

    def _settings(self) -> dict[str, Any]:
        return {
            "assistant_id": self.assistant_id,
            "model": self.model,
            "instructions": self.instructions,
            "tools": None if self.tools is None else stored_tools(self.tools),
            "metadata": self.metadata or {},
            "webhook_url": self.webhook_url,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_prompt_tokens": self.max_prompt_tokens,
            "max_completion_tokens": self.max_completion_tokens,
            "truncation_strategy": stored_truncation(self.truncation_strategy),
            "tool_choice": stored_choice(self.tool_choice),
            "parallel_tool_calls": self.parallel_tool_calls is not False,
            "response_format": None if self.response_format is None else stored_format(self.response_format),
        }


class CreateRunRequest(_RunSettings):
    """The body of createRun."""

    additional_instructions: Instructions = None
    additional_messages: list[CreateMessageRequest] | None = Field(None, max_length=1000)
    reasoning_effort: Reasoning = None
    if_busy: Literal["reject", "wait", "enqueue", "interrupt", "rollback"] | None = Field(
        None, description="An extension: what to do while another run holds the thread."
    )

    def to_new_run(self) -> NewRun:
        """What the domain makes a run of."""
        return NewRun(
            **self._settings(),
            additional_instructions=self.additional_instructions,
            additional_messages=tuple(each.to_new_message() for each in self.additional_messages or ()),
            reasoning_effort=self.reasoning_effort,
        )


class CreateThreadAndRunRequest(_RunSettings):
    """The body of createThreadAndRun."""

    thread: CreateThreadRequest | None = None
    tool_resources: CreateToolResources | None = None

    def to_new_thread(self) -> NewThread:
        """What the domain makes the thread of."""
        thread = self.thread or CreateThreadRequest()
        return thread.to_new_thread("thread.tool_resources")

    def to_new_run(self) -> NewRun:
        """What the domain makes the run of."""
        return NewRun(**self._settings(), tool_resources=stored_resources(self.tool_resources))


class ModifyRunRequest(Request):
    """The body of modifyRun."""

    metadata: MetadataField = None

    def changes(self) -> dict[str, Any]:
        """The stored fields that change."""
        return {"metadata": self.metadata or {}} if "metadata" in self.model_fields_set else {}


class ToolOutput(Request):
    """The output of one call."""

    tool_call_id: str | None = None
    output: str | None = Field(None, description="All outputs together have less than 512 KiB.")


class SubmitToolOutputsRunRequest(Request):
    """The body of submitToolOuputsToRun: every output that the run waits for."""

    tool_outputs: list[ToolOutput] = Field(max_length=1000)
    stream: bool | None = None
    cancel_on_disconnect: CancelOnDisconnect = None

    _needs_a_stream = model_validator(mode="after")(_needs_a_stream)

    def outputs(self) -> dict[str, str]:
        """Outputs by call id, in the order given."""
        outputs: dict[str, str] = {}
        for place, each in enumerate(self.tool_outputs):
            path = f"tool_outputs[{place}].tool_call_id"
            if each.tool_call_id is None:
                raise InvalidRequest(
                    f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter"
                )
            if each.tool_call_id in outputs:
                raise InvalidRequest(
                    f"Duplicate value for '{path}': '{each.tool_call_id}'.", param=path, code="invalid_value"
                )
            outputs[each.tool_call_id] = each.output or ""
        if sum(len(output.encode()) for output in outputs.values()) >= MAX_OUTPUT_BYTES:
            raise InvalidRequest(
                "'tool_outputs' too large: the combined tool outputs must be less than 512kb.",
                param="tool_outputs",
                code="invalid_value",
            )
        return outputs


class FunctionCall(BaseModel):
    """A function and its arguments, a JSON text."""

    name: str
    arguments: str


class RunToolCallObject(BaseModel):
    """A call that the caller must make."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class SubmitToolOutputs(BaseModel):
    """The calls whose outputs are wanted."""

    tool_calls: list[RunToolCallObject]


class RequiredAction(BaseModel):
    """What the caller must do."""

    type: Literal["submit_tool_outputs"]
    submit_tool_outputs: SubmitToolOutputs


class RunError(BaseModel):
    """Why a run failed."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class IncompleteRun(BaseModel):
    """Why a run is incomplete."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens"]


class TruncationObject(BaseModel):
    """How the thread is cut for the model."""

    type: Literal["auto", "last_messages"]
    last_messages: int | None = None


class UsageObject(BaseModel):
    """Tokens spent."""

    model_config = {"from_attributes": True}

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class RunObject(Reply):
    """A run."""

    KIND: ClassVar[str] = "thread.run"

    id: str
    object: Literal["thread.run"]
    created_at: Timestamp
    assistant_id: str
    thread_id: str
    status: Literal[
        "queued",
        "in_progress",
        "requires_action",
        "cancelling",
        "cancelled",
        "failed",
        "completed",
        "incomplete",
        "expired",
    ]
    started_at: Timestamp | None
    expires_at: Timestamp | None
    cancelled_at: Timestamp | None
    failed_at: Timestamp | None
    completed_at: Timestamp | None
    required_action: RequiredAction | None
    last_error: RunError | None
    model: str
    instructions: str
    tools: ToolsShown
    tool_resources: ToolResources | None
    metadata: MetadataShown
    temperature: float | None
    top_p: float | None
    max_completion_tokens: int | None
    max_prompt_tokens: int | None
    truncation_strategy: TruncationObject
    incomplete_details: IncompleteRun | None
    usage: UsageObject | None
    response_format: ResponseFormatShown
    tool_choice: ToolChoice
    parallel_tool_calls: bool


class ListRunsResponse(Page):
    """A page of runs."""

    object: Literal["list"]
    data: list[RunObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
