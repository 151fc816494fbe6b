"""The run step: one message written, or one group of tool calls."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from assistants_api.domain.errors import IllegalMove
from assistants_api.domain.json import JsonObject, Metadata
from assistants_api.domain.usage import Usage


class StepStatus(StrEnum):
    """The API's step statuses; all but in_progress are final."""

    IN_PROGRESS = "in_progress"
    CANCELLED = "cancelled"
    FAILED = "failed"
    COMPLETED = "completed"
    EXPIRED = "expired"


_STAMP = {
    StepStatus.CANCELLED: "cancelled_at",
    StepStatus.FAILED: "failed_at",
    StepStatus.COMPLETED: "completed_at",
    StepStatus.EXPIRED: "expired_at",
}


@dataclass(frozen=True, slots=True)
class RunStep:
    """A run step as stored; `step_details` has the API's shape."""

    id: str
    created_at: datetime
    run_id: str
    assistant_id: str
    thread_id: str
    type: str
    step_details: JsonObject
    status: StepStatus = StepStatus.IN_PROGRESS
    expires_at: datetime | None = None
    cancelled_at: datetime | None = None
    completed_at: datetime | None = None
    expired_at: datetime | None = None
    failed_at: datetime | None = None
    last_error: JsonObject | None = None
    metadata: Metadata = field(default_factory=dict)
    usage: Usage | None = None

    @property
    def tool_calls(self) -> tuple[Mapping[str, Any], ...]:
        """The tool calls of a `tool_calls` step; empty for a message step."""
        return tuple(self.step_details.get("tool_calls", ()))

    @property
    def message_id(self) -> str | None:
        """The message that a `message_creation` step writes."""
        creation = self.step_details.get("message_creation")
        return creation["message_id"] if creation else None

    def to(self, target: StepStatus, now: datetime, **facts: Any) -> "RunStep":
        """The same step, ended."""
        if self.status is not StepStatus.IN_PROGRESS or target is StepStatus.IN_PROGRESS:
            raise IllegalMove(f"step {self.id}: {self.status} to {target}")
        facts[_STAMP[target]] = now
        return replace(self, status=target, **facts)

    def with_calls(self, calls: Iterable[JsonObject]) -> "RunStep":
        """The step with these tool calls."""
        return replace(self, step_details={"type": "tool_calls", "tool_calls": list(calls)})

    def with_outputs(self, outputs: Mapping[str, str]) -> "RunStep":
        """The step with the caller's output filled into each function call."""
        calls = tuple(
            {**call, "function": {**call["function"], "output": outputs[call["id"]]}}
            for call in self.tool_calls
        )
        return self.with_calls(calls)
