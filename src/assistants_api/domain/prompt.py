"""What an engine is asked, and what it answers with."""

from dataclasses import dataclass, field
from typing import Any

from assistants_api.domain.json import JsonObject
from assistants_api.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A finished function call; `arguments` is a JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallPiece:
    """More of a call's arguments, as the model writes them.

    The `ToolCall` of the same id follows once the call is whole, with what the pieces add up to. It does not
    follow when the call turns out not to be one, or when the answer ends before it does.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message as the model is shown it; `content` is text or parts in the chat API's shape."""

    role: str
    content: str | tuple[JsonObject, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. `max_tokens` None means as many as fit.

    `top_k` (0 for no limit) and `min_p` None are as the model's own settings say. The penalties are taken
    from the logits of tokens that the answer has already: `frequency_penalty` once for each time,
    `presence_penalty` once. `logit_bias` pairs a token's number with what is added to its logit.
    `top_logprobs` asks for the log probability of every token and of so many likeliest ones; None for none.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    top_logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """One turn for an engine.

    `tools` are function tools in the API's shape. `answer_start` is text already shown to the client:
    the engine continues after it and emits only what is new. `request_id` names the turn in logs.
    """

    request_id: str
    model: str
    messages: tuple[ChatMessage, ...]
    tools: tuple[JsonObject, ...] = ()
    tool_choice: str | JsonObject = "auto"
    parallel_tool_calls: bool = True
    response_format: str | JsonObject = "auto"
    sampling: Sampling = Sampling()
    answer_start: str = ""
    cache_key: str = ""
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The turn was taken up; `prompt` is the exact text that the model reads (None if unknown)."""

    prompt_tokens: int
    prompt: str | None = None
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """More text; `tokens` is how many were generated since the previous part.

    `logprobs` has an entry for each token of the text, in the chat API's shape, where they were asked for:
    natural logarithms of what the model itself says, before temperature, penalties, bias and form.
    """

    text: str
    tokens: int = 1
    logprobs: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Thought:
    """More of what the model thinks before it answers; `tokens` as in `Text`."""

    text: str
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class Stop:
    """The turn ended: `stop`, `length` or `tool_calls`; usage counts `answer_start` as completion."""

    reason: str
    usage: Usage


Part = Started | Thought | Text | CallPiece | ToolCall | Stop


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine is and can do, for health, models and refusals."""

    name: str
    model: str
    state: str
    context_window: int
    reason: str | None = None
    has_vision: bool = False
    has_structured_output: bool = False
    enforces_schemas: bool = False  # by its own grammar, which does not know every feature of JSON schemas
    can_continue: bool = True
    details: dict[str, Any] = field(default_factory=dict)
