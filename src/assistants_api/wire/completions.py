"""Chat completions on the wire."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import BaseModel, Field

from assistants_api.domain.completion import Completion, CompletionEnded
from assistants_api.domain.json import JsonObject
from assistants_api.wire.base import Page, Reply, Timestamp
from assistants_api.wire.shapes import MetadataShown


class TopLogprob(BaseModel):
    """A token that might have come instead."""

    token: str
    logprob: float
    bytes: list[int] | None


class ChatCompletionTokenLogprob(TopLogprob):
    """A token, how likely it was, and the likeliest ones in its place."""

    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(BaseModel):
    """Log probabilities of an answer's tokens."""

    content: list[ChatCompletionTokenLogprob] | None
    refusal: list[ChatCompletionTokenLogprob] | None


class CalledFunctionObject(BaseModel):
    """A function and its arguments, a JSON text."""

    name: str
    arguments: str


class ChatCompletionMessageToolCall(BaseModel):
    """A call that the caller must make."""

    id: str
    type: Literal["function"]
    function: CalledFunctionObject


class ChatCompletionResponseMessage(BaseModel):
    """An answer."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    annotations: list[dict[str, Any]]
    reasoning_content: str | None = Field(None, description="Extension: what the model thought first.")
    tool_calls: list[ChatCompletionMessageToolCall] | None = None


class ChatChoice(BaseModel):
    """One of the answers."""

    index: int
    message: ChatCompletionResponseMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls"]


class PromptTokensDetails(BaseModel):
    """Of the prompt's tokens, those that were not read again."""

    cached_tokens: int


class CompletionTokensDetails(BaseModel):
    """Of the answers' tokens, those that are reasoning."""

    reasoning_tokens: int


class CompletionUsage(BaseModel):
    """Tokens spent: the prompt once, and the tokens of all answers."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class ChatCompletionObject(Reply):
    """A completion; a stored one shows its metadata."""

    KIND: ClassVar[str] = "chat.completion"

    id: str
    object: Literal["chat.completion"]
    created: Timestamp
    model: str
    choices: list[ChatChoice]
    usage: CompletionUsage
    service_tier: Literal["default"]
    system_fingerprint: str
    metadata: MetadataShown | None = None

    @classmethod
    def shown(
        cls,
        completion: Completion,
        choices: Sequence[JsonObject],
        counts: Completion | CompletionEnded,
        fingerprint: str,
    ) -> Self:
        """The completion with these answers."""
        values: dict[str, Any] = {
            "id": completion.id,
            "object": cls.KIND,
            "created": int(completion.created_at.timestamp()),
            "model": completion.model,
            "choices": choices,
            "usage": usage_of(counts),
            "service_tier": "default",
            "system_fingerprint": fingerprint,
        }
        if completion.is_stored:
            values["metadata"] = completion.metadata
        return cast(Self, cls.model_construct(**values))

    @classmethod
    def stored(cls, completion: Completion, fingerprint: str) -> Self:
        """The completion as it is kept."""
        return cls.shown(completion, completion.choices, completion, fingerprint)

    def json_bytes(self) -> bytes:
        """The response body."""
        return self.model_dump_json(warnings=False, exclude_unset=True).encode()


def usage_of(counts: Completion | CompletionEnded) -> JsonObject:
    """Tokens spent, in the API's shape."""
    spent = counts.spent
    return {
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "total_tokens": spent.total_tokens,
        "prompt_tokens_details": {"cached_tokens": counts.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning_tokens},
    }


class ListChatCompletionsResponse(Page):
    """A page of stored completions."""

    object: Literal["list"]
    data: list[ChatCompletionObject]
    first_id: str | None
    last_id: str | None
    has_more: bool

    def json_bytes(self) -> bytes:
        """The response body."""
        return self.model_dump_json(warnings=False, exclude_unset=True).encode()


class StoredMessage(Reply):
    """A message of a stored completion's request; `content_parts` where it was sent in parts."""

    KIND: ClassVar[str] = ""

    id: str
    role: Literal["developer", "system", "user", "assistant", "tool"]
    content: str | None
    content_parts: list[dict[str, Any]] | None
    name: str | None
    refusal: str | None
    tool_calls: list[ChatCompletionMessageToolCall] | None = None
    tool_call_id: str | None = None

    @classmethod
    def at(cls, completion: Completion, place: int) -> Self:
        """The message at this place of the request."""
        message = completion.messages[place]
        content = message.get("content")
        values: dict[str, Any] = {
            "id": f"{completion.id}-{place}",
            "role": message["role"],
            "content": content if isinstance(content, str) else None,
            "content_parts": content if isinstance(content, list) else None,
            "name": message.get("name"),
            "refusal": message.get("refusal"),
        }
        values |= {name: message[name] for name in ("tool_calls", "tool_call_id") if message.get(name)}
        return cast(Self, cls.model_construct(**values))


class ListChatCompletionMessagesResponse(Page):
    """A page of messages."""

    object: Literal["list"]
    data: list[StoredMessage]
    first_id: str | None
    last_id: str | None
    has_more: bool

    def json_bytes(self) -> bytes:
        """The response body."""
        return self.model_dump_json(warnings=False, exclude_unset=True).encode()


class DeleteChatCompletionResponse(Reply):
    """The completion is gone."""

    id: str
    object: Literal["chat.completion.deleted"]
    deleted: Literal[True]
