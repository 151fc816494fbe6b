"""The chat completion: one or more answers to messages that came with the request."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from assistants_api.domain.errors import IllegalMove
from assistants_api.domain.json import JsonObject, Metadata
from assistants_api.domain.prompt import ChatMessage, Sampling, ToolCall
from assistants_api.domain.usage import Usage


class CompletionStatus(StrEnum):
    """Open until it ends, and then for good."""

    OPEN = "open"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class NewCompletion:
    """What a caller asks for.

    `messages` are the request's own, as they are shown again; `shown` are the same as the model reads them.
    `tools` are function tools in the API's shape.
    """

    model: str
    messages: tuple[JsonObject, ...]
    shown: tuple[ChatMessage, ...]
    sampling: Sampling
    tools: tuple[JsonObject, ...] = ()
    tool_choice: str | JsonObject = "auto"
    parallel_tool_calls: bool = True
    response_format: str | JsonObject = "auto"
    reasoning_effort: str | None = None
    n: int = 1
    cache_key: str = ""
    is_stored: bool = False
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion as stored; `settings` is how to ask the engine, as `agent/chat.py` writes and reads it.

    `choices` are written at the end, in the API's shape, where the caller wants the completion stored.
    """

    id: str
    created_at: datetime
    status: CompletionStatus
    model: str
    messages: tuple[JsonObject, ...]
    settings: JsonObject
    n: int
    is_stored: bool
    metadata: Metadata
    deadline: datetime
    ended_at: datetime | None = None
    choices: tuple[JsonObject, ...] = ()
    spent: Usage = field(default_factory=Usage)
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    error: JsonObject | None = None

    @property
    def has_logprobs(self) -> bool:
        """Whether log probabilities were asked for."""
        return self.settings["sampling"]["top_logprobs"] is not None

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status is not CompletionStatus.OPEN

    def end(self, target: CompletionStatus, now: datetime, **facts: Any) -> "Completion":
        """The completion at its end."""
        if self.is_final or target is CompletionStatus.OPEN:
            raise IllegalMove(f"completion {self.id}: {self.status} to {target}")
        return replace(self, status=target, ended_at=now, **facts)


@dataclass(frozen=True, slots=True)
class ChoiceStarted:
    """The engine took up the prompt of choice `index`."""

    index: int
    prompt_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class ChoiceText:
    """More text of a choice; `logprobs` as in `prompt.Text`."""

    index: int
    text: str
    tokens: int
    logprobs: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class ChoiceThought:
    """More of what the model thinks before it answers."""

    index: int
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class ChoiceCalling:
    """More of a call's arguments, as the model writes them; `place` counts a choice's calls from 0.

    The `ChoiceCalled` of this place does not follow when the call turns out not to be one.
    """

    index: int
    place: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChoiceCalled:
    """A choice calls a function: the whole call, all of whose pieces may have been told."""

    index: int
    place: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class ChoiceEnded:
    """A choice is whole: `stop`, `length` or `tool_calls`."""

    index: int
    reason: str
    spent: Usage


@dataclass(frozen=True, slots=True)
class CompletionEnded:
    """Nothing more will happen; `error` has `code` and `message` where there is one."""

    status: CompletionStatus
    spent: Usage
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    error: JsonObject | None = None


CompletionEvent = (
    ChoiceStarted | ChoiceThought | ChoiceText | ChoiceCalling | ChoiceCalled | ChoiceEnded | CompletionEnded
)


@dataclass(slots=True)
class Choice:
    """One answer, as far as it came."""

    text: str = ""
    tokens: int = 0
    thought: str = ""
    thought_tokens: int = 0
    logprobs: list[JsonObject] = field(default_factory=list)
    calling: dict[int, ToolCall] = field(default_factory=dict)  # by place, as far as they were told
    calls: list[ToolCall] = field(default_factory=list)
    reason: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    spent: Usage | None = None

    @property
    def is_begun(self) -> bool:
        """Whether a client may have seen something of it."""
        return bool(self.text or self.calling)

    def shown(self, index: int, *, with_logprobs: bool) -> JsonObject:
        """The choice in the API's shape."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.text if self.text or not self.calls else None,
            "refusal": None,
            "annotations": [],
        }
        if self.thought:
            message["reasoning_content"] = self.thought
        if self.calls:
            message["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
                for c in self.calls
            ]
        logprobs = {"content": list(self.logprobs), "refusal": None} if with_logprobs else None
        return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": self.reason}


class Answers:
    """The choices of a completion, gathered from its events."""

    def __init__(self, n: int) -> None:
        self.choices: Sequence[Choice] = tuple(Choice() for _ in range(n))
        self.end: CompletionEnded | None = None

    def take(self, event: object) -> None:
        """One more event of the completion's log."""
        match event:
            case ChoiceStarted(index, prompt_tokens, cached_tokens):
                choice = self.choices[index]
                choice.prompt_tokens, choice.cached_tokens = prompt_tokens, cached_tokens
            case ChoiceText(index, text, tokens, logprobs):
                choice = self.choices[index]
                choice.text += text
                choice.tokens += tokens
                choice.logprobs += logprobs
            case ChoiceThought(index, text, tokens):
                choice = self.choices[index]
                choice.thought += text
                choice.thought_tokens += tokens
                choice.tokens += tokens
            case ChoiceCalling(index, place, id, name, arguments):
                calling = self.choices[index].calling
                before = calling[place].arguments if place in calling else ""
                calling[place] = ToolCall(id, name, before + arguments)
            case ChoiceCalled(index, _, call):
                self.choices[index].calls.append(call)
            case ChoiceEnded(index, reason, spent):
                self.choices[index].reason, self.choices[index].spent = reason, spent
            case CompletionEnded():
                self.end = event

    def shown(self, *, with_logprobs: bool) -> tuple[JsonObject, ...]:
        """Every choice in the API's shape."""
        return tuple(
            choice.shown(index, with_logprobs=with_logprobs) for index, choice in enumerate(self.choices)
        )

    @property
    def spent(self) -> Usage:
        """The prompt is counted once, as it is one prompt to the caller; every choice's tokens are."""
        spent = [choice.spent or Usage(choice.prompt_tokens, choice.tokens) for choice in self.choices]
        asked = max(usage.prompt_tokens for usage in spent)
        return Usage(asked, sum(usage.completion_tokens for usage in spent))

    def ended(self, status: CompletionStatus, error: JsonObject | None = None) -> CompletionEnded:
        """The end, with what all of it cost."""
        return CompletionEnded(status, self.spent, self.cached_tokens, self.reasoning_tokens, error)

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of every choice that are reasoning."""
        return sum(choice.thought_tokens for choice in self.choices)

    @property
    def cached_tokens(self) -> int:
        """Tokens of the prompt that the first choice did not need to read again."""
        return self.choices[0].cached_tokens
