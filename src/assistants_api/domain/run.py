"""The run: one answer of an assistant on a thread, and the table of its legal moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from assistants_api.domain.assistant import Assistant
from assistants_api.domain.errors import IllegalMove
from assistants_api.domain.json import JsonObject, Metadata
from assistants_api.domain.message import NewMessage
from assistants_api.domain.thread import Thread
from assistants_api.domain.usage import Usage


class RunStatus(StrEnum):
    """The API's run statuses."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    EXPIRED = "expired"


S = RunStatus

NEXT: Mapping[RunStatus, frozenset[RunStatus]] = {
    S.QUEUED: frozenset({S.IN_PROGRESS, S.CANCELLING, S.FAILED, S.EXPIRED}),
    S.IN_PROGRESS: frozenset(
        {S.REQUIRES_ACTION, S.COMPLETED, S.INCOMPLETE, S.FAILED, S.CANCELLING, S.EXPIRED}
    ),
    S.REQUIRES_ACTION: frozenset({S.QUEUED, S.CANCELLING, S.EXPIRED}),
    # Cancelling is a wish: a worker that finishes first keeps its result.
    S.CANCELLING: frozenset({S.CANCELLED, S.COMPLETED, S.INCOMPLETE, S.FAILED, S.EXPIRED}),
    S.CANCELLED: frozenset(),
    S.FAILED: frozenset(),
    S.COMPLETED: frozenset(),
    S.INCOMPLETE: frozenset(),
    S.EXPIRED: frozenset(),
}

FINAL = frozenset(status for status, following in NEXT.items() if not following)
ACTIVE = frozenset(NEXT) - FINAL

_STAMP = {
    S.IN_PROGRESS: "started_at",
    S.CANCELLED: "cancelled_at",
    S.FAILED: "failed_at",
    S.COMPLETED: "completed_at",
}


class IfBusy(StrEnum):
    """What a caller wants when a run holds the thread already; an extension."""

    REJECT = "reject"
    WAIT = "wait"  # until the thread is free
    ENQUEUE = "enqueue"  # behind the run
    INTERRUPT = "interrupt"  # cancel the run, keep what it said
    ROLLBACK = "rollback"  # cancel the run, and remove every message that it wrote or brought


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a caller gives to start a run; `None` means "as the assistant says"."""

    assistant_id: str
    model: str | None = None
    instructions: str | None = None
    additional_instructions: str | None = None
    additional_messages: tuple[NewMessage, ...] = ()
    tools: tuple[JsonObject, ...] | None = None
    tool_resources: JsonObject | None = None
    metadata: Metadata = field(default_factory=dict)
    temperature: float | None = None
    top_p: float | None = None
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    truncation_strategy: JsonObject | None = None
    tool_choice: str | JsonObject | None = None
    parallel_tool_calls: bool = True
    response_format: str | JsonObject | None = None
    reasoning_effort: str | None = None
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as stored: a snapshot of what it was asked, and how far it came."""

    id: str
    created_at: datetime
    thread_id: str
    assistant_id: str
    status: RunStatus
    model: str
    instructions: str
    tools: tuple[JsonObject, ...]
    tool_resources: JsonObject
    metadata: Metadata
    temperature: float | None
    top_p: float | None
    max_prompt_tokens: int | None
    max_completion_tokens: int | None
    truncation_strategy: JsonObject
    tool_choice: str | JsonObject
    parallel_tool_calls: bool
    response_format: str | JsonObject
    deadline: datetime
    reasoning_effort: str | None = None
    started_at: datetime | None = None
    cancelled_at: datetime | None = None
    failed_at: datetime | None = None
    completed_at: datetime | None = None
    required_calls: tuple[JsonObject, ...] = ()
    last_error: JsonObject | None = None
    incomplete_reason: str | None = None
    spent: Usage = field(default_factory=Usage)
    is_waiting: bool = False  # behind the run that holds the thread
    brought: tuple[str, ...] = ()  # the messages that were added with it
    webhook_url: str | None = None  # hears of its ends, beside the addresses that hear of all

    @classmethod
    def start(
        cls,
        run_id: str,
        thread: Thread,
        assistant: Assistant,
        new: NewRun,
        model: str,
        expiry: timedelta,
        now: datetime,
    ) -> "Run":
        """A queued run: the assistant's settings with the caller's overrides laid over them."""
        instructions = new.instructions if new.instructions is not None else assistant.instructions or ""
        if new.additional_instructions:
            instructions = "\n".join(part for part in (instructions, new.additional_instructions) if part)
        return cls(
            id=run_id,
            created_at=now,
            thread_id=thread.id,
            assistant_id=assistant.id,
            status=S.QUEUED,
            model=model,
            instructions=instructions,
            tools=new.tools if new.tools is not None else assistant.tools,
            tool_resources=new.tool_resources or assistant.tool_resources,
            metadata=new.metadata,
            temperature=new.temperature if new.temperature is not None else assistant.temperature,
            top_p=new.top_p if new.top_p is not None else assistant.top_p,
            max_prompt_tokens=new.max_prompt_tokens,
            max_completion_tokens=new.max_completion_tokens,
            truncation_strategy=new.truncation_strategy or {"type": "auto", "last_messages": None},
            tool_choice=new.tool_choice if new.tool_choice is not None else "auto",
            parallel_tool_calls=new.parallel_tool_calls,
            response_format=new.response_format
            if new.response_format is not None
            else assistant.response_format,
            reasoning_effort=new.reasoning_effort or assistant.reasoning_effort,
            deadline=now + expiry,
            webhook_url=new.webhook_url,
        )

    def to(self, target: RunStatus, now: datetime, **facts: Any) -> "Run":
        """The same run, one legal step later."""
        if target not in NEXT[self.status]:
            raise IllegalMove(f"run {self.id}: {self.status} to {target}")
        if stamp := _STAMP.get(target):
            facts[stamp] = now
        if target is not S.REQUIRES_ACTION:
            facts.setdefault("required_calls", ())
        if target in FINAL:
            facts["is_waiting"] = False
        return replace(self, status=target, **facts)

    def holding(self, now: datetime) -> str:
        """What one says of a run that holds its thread: status, age and deadline."""
        age, left = (now - self.created_at).total_seconds(), (self.deadline - now).total_seconds()
        return (
            f"It is {self.status}, {max(age, 0):.0f} s old, and ends in {max(left, 0):.0f} s at the latest."
        )

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to this run."""
        return self.status in FINAL

    @property
    def ends_stream(self) -> bool:
        """Whether a client that streams this leg of the run has seen all of it."""
        return self.is_final or self.status is S.REQUIRES_ACTION

    @property
    def expires_at(self) -> datetime | None:
        """The deadline while it still matters; null once the run ended any other way than by it."""
        return None if self.is_final and self.status is not S.EXPIRED else self.deadline

    @property
    def usage(self) -> Usage | None:
        """What the run spent; null until it is final."""
        return self.spent if self.is_final else None

    @property
    def incomplete_details(self) -> JsonObject | None:
        """The API's `incomplete_details`."""
        return {"reason": self.incomplete_reason} if self.incomplete_reason else None

    @property
    def required_action(self) -> JsonObject | None:
        """What the caller must do next, in the API's shape."""
        if not self.required_calls:
            return None
        return {
            "type": "submit_tool_outputs",
            "submit_tool_outputs": {"tool_calls": [dict(call) for call in self.required_calls]},
        }
