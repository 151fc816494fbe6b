"""What an OpenAI-compatible server is asked and what its stream says, as plain values; no network here."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from assistants_api.domain import ids
from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.prompt import CallPiece, ChatMessage, Prompt, ToolCall
from assistants_api.domain.text import mended, mended_json
from assistants_api.domain.usage import Usage
from assistants_api.engine.halves import Joined

# In UTF-8: of English four letters, of Chinese one and a third.
BYTES_PER_TOKEN = 4

# In the place of a chunk: the server says that there will be none any more.
DONE: dict[str, Any] = {}

# What ends an answer too early: at the token limit, or because something went wrong.
_LIMITS = ("length", "max_tokens", "model_length")
_BROKEN_OFF = ("error", "abort")

# Refusals of the prompt itself, which would be refused again; unless they say that we are set up wrongly.
REFUSED_PROMPT = (400, 413, 422)
_SET_UP_WRONGLY = ("invalid_api_key", "model_not_found")

# How servers say, as a code, as a type or in their words, that a prompt does not fit.
_TOO_LONG = ("context_length_exceeded", "exceed_context_size_error")
_TOO_LONG_WORDS = (
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "`max_new_tokens` must be <=",
)


def request(prompt: Prompt, model: str) -> dict[str, Any]:
    """The body of a chat completion for this prompt."""
    sampling = prompt.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in prompt.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    if sampling.max_tokens is not None:
        body["max_tokens"] = sampling.max_tokens
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.top_k is not None:
        body["top_k"] = sampling.top_k
    if sampling.min_p is not None:
        body["min_p"] = sampling.min_p
    if sampling.frequency_penalty:
        body["frequency_penalty"] = sampling.frequency_penalty
    if sampling.presence_penalty:
        body["presence_penalty"] = sampling.presence_penalty
    if sampling.logit_bias:
        body["logit_bias"] = {str(token): by for token, by in sampling.logit_bias}
    if sampling.top_logprobs is not None:
        body["logprobs"] = True
        body["top_logprobs"] = sampling.top_logprobs
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if prompt.reasoning_effort is not None:
        body["reasoning_effort"] = prompt.reasoning_effort
    if prompt.response_format not in ("auto", {"type": "text"}):
        body["response_format"] = _plain(prompt.response_format)
    if may_call(prompt):
        body["tools"] = [_plain(tool) for tool in prompt.tools]
        body["tool_choice"] = _plain(prompt.tool_choice)
        if not prompt.parallel_tool_calls:
            body["parallel_tool_calls"] = False
    return body


def may_call(prompt: Prompt) -> bool:
    """Whether functions may be called. Where not, none are shown: some servers know no `tool_choice`."""
    return bool(prompt.tools) and prompt.tool_choice != "none"


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else dict(value)


def _message(message: ChatMessage) -> dict[str, Any]:
    content = message.content if isinstance(message.content, str) else [dict(p) for p in message.content]
    shaped: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        shaped["content"] = content or None
        shaped["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": _object(c.arguments)}}
            for c in message.tool_calls
        ]
    if message.tool_call_id is not None:
        shaped["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        shaped["name"] = message.name
    return shaped


def _object(arguments: str) -> str:
    """The arguments of an earlier call as a JSON object: servers read them again, and refuse what is none."""
    text = arguments.strip() or "{}"
    for strict in (True, False):
        with suppress(ValueError, RecursionError):
            if isinstance(read := json.loads(text, strict=strict), dict):
                return text if strict else mended(json.dumps(read, ensure_ascii=False))
    return mended(json.dumps({"arguments": arguments}, ensure_ascii=False))


def estimate(prompt: Prompt) -> int:
    """About how many tokens a prompt has: four bytes each, without its images."""
    body = request(prompt, "")
    told = [body[name] for name in ("response_format", "tools") if name in body]
    size = sum(_size(message) for message in body["messages"])
    size += sum(_bytes(json.dumps(part, ensure_ascii=False)) for part in told)
    return 1 + (size + _bytes(prompt.answer_start)) // BYTES_PER_TOKEN


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _size(message: dict[str, Any]) -> int:
    content = message["content"]
    texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content or ()]
    calls = [
        call["function"]["arguments"] + call["function"]["name"] for call in message.get("tool_calls", ())
    ]
    return 16 + sum(_bytes(text) for text in (*texts, *calls))


def estimate_text(text: str) -> int:
    """About how many tokens a text has."""
    return -(-_bytes(text) // BYTES_PER_TOKEN)


@dataclass(slots=True)
class _Pieces:
    id: str = ""
    their_id: str = ""  # which another call may have too
    name: str = ""
    arguments: str = ""
    told: int = 0  # so much of the arguments was given out already
    _joined: Joined = field(default_factory=Joined)

    def add(self, arguments: str, *, is_last: bool = False) -> None:
        """More of the arguments."""
        self.arguments += self._joined.join(arguments, is_last=is_last)

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are JSON to their end."""
        try:
            json.loads(self.arguments, strict=False)
        except (ValueError, RecursionError):
            return False
        return True


def _is_another(call: _Pieces, id: str, arguments: str) -> bool:
    """Whether a piece with a name in the place of `call` begins another one.

    Some servers send whole calls one after the other, all with the index 0, with an id of their own or not.
    """
    if id and id != call.their_id:
        return True
    return bool(arguments.strip()) and call.arguments.rstrip().endswith("}") and call.is_whole


@dataclass(slots=True)
class Answer:
    """A streamed answer as it comes together; unless `parallel`, only the first of its calls counts.

    None does unless it `may_call`. `taken` are the ids of earlier calls.
    """

    parallel: bool = True
    may_call: bool = True
    taken: frozenset[str] = frozenset()
    text: str = ""
    reason: str | None = None
    usage: Usage | None = None
    _joined: Joined = field(default_factory=Joined)
    _joined_thought: Joined = field(default_factory=Joined)
    _thought: str = ""
    _logprobs: list[dict[str, Any]] = field(default_factory=list)
    _calls: dict[int, _Pieces] = field(default_factory=dict)
    _ended: list[_Pieces] = field(default_factory=list)
    _first: _Pieces | None = None

    def take(self, chunk: dict[str, Any]) -> str:
        """Adds a chunk; the text that is new in it. What is no chunk raises as reading it does.

        Some servers give no reason for the end of an answer: it ends where they say that they are `DONE`.
        """
        if chunk is DONE and self.reason is None and (self.text or self._begun):
            chunk = {"choices": [{"finish_reason": "stop"}]}
        match chunk.get("usage"):
            case {"prompt_tokens": int(asked), "completion_tokens": int(said)}:
                self.usage = Usage(asked, said)
        new = ""
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            thought = delta.get("reasoning_content") or delta.get("reasoning") or ""
            text, pieces = delta.get("content") or "", delta.get("tool_calls") or ()
            is_over = bool(choice.get("finish_reason"))
            self._thought += self._joined_thought.join(thought, is_last=bool(text or pieces or is_over))
            new += self._joined.join(text, is_last=bool(pieces or is_over))
            self._logprobs += mended_json((choice.get("logprobs") or {}).get("content") or [])
            for place, piece in enumerate(pieces):
                self._add(piece, place)
            if is_over:
                self.reason = str(choice["finish_reason"]).lower()
                self.reason = "length" if self.reason in _LIMITS else self.reason
                for call in self._calls.values():
                    call.add("", is_last=True)
        self.text += new
        return new

    def fresh_pieces(self) -> list[CallPiece]:
        """What came of calls since this was last asked; of those only that have a name and an id."""
        pieces: list[CallPiece] = []
        for call in self._calls.values():
            if self._counts(call) and call.id and len(call.arguments) > call.told:
                pieces.append(CallPiece(call.id, call.name, call.arguments[call.told :]))
                call.told = len(call.arguments)
        return pieces

    def fresh_thought(self) -> str:
        """The reasoning that came since this was last asked."""
        found, self._thought = self._thought, ""
        return found

    def logprobs(self) -> tuple[dict[str, Any], ...]:
        """The log probabilities that came since this was last asked."""
        found = tuple(self._logprobs)
        self._logprobs.clear()
        return found

    def _add(self, piece: dict[str, Any], place: int) -> None:
        index = piece.get("index")
        index = place if index is None else int(index)
        function = piece.get("function") or {}
        name = mended(function.get("name") or "")
        id = mended(piece.get("id") or "")
        call = self._calls.setdefault(index, _Pieces())
        arguments = function.get("arguments") or ""
        if name and call.name and _is_another(call, id, arguments):
            call.add("", is_last=True)
            self._ended.append(call)
            call = self._calls[index] = _Pieces()
        if id and not call.their_id:
            call.their_id = id
            others = (*self._ended, *self._calls.values())
            is_taken = id in self.taken or any(other.id == id for other in others)
            call.id = ids.new("call") if is_taken else id
        # Some servers repeat the whole name in every piece, others split it.
        call.name = call.name if name == call.name else call.name + name
        call.add(arguments)
        if call.name and self._first is None:
            self._first = call

    def _counts(self, call: _Pieces) -> bool:
        """Whether it has a name, and may be made."""
        return self.may_call and bool(call.name) and (self.parallel or call is self._first)

    @property
    def calls(self) -> Sequence[ToolCall]:
        """The calls, once the answer is whole; one that the token limit has cut is none."""
        begun = self._begun
        calls = [call for call in begun if self._counts(call)]
        if self.reason == "length":
            # A call without arguments is whole if another one came after it.
            calls = [
                call
                for call in calls
                if call.is_whole or (call is not begun[-1] and not call.arguments.strip())
            ]
        return [
            ToolCall(call.id or ids.new("call"), call.name, call.arguments.strip() or "{}") for call in calls
        ]

    @property
    def _begun(self) -> list[_Pieces]:
        """Every call that has a name, in the order in which they are made."""
        calls = (*self._ended, *(call for _, call in sorted(self._calls.items())))
        return [call for call in calls if call.name]

    @property
    def is_broken_off(self) -> bool:
        """The server has ended it without an end."""
        return self.reason in _BROKEN_OFF

    def stop_reason(self) -> str:
        """`stop`, `length` or `tool_calls`."""
        if self.reason == "length" and (self.parallel or not self.calls):
            return "length"
        return "tool_calls" if self.calls else "stop"

    def spent(self, prompt: Prompt) -> Usage:
        """What the server counted, or our estimate when it did not."""
        if self.usage is not None:
            return self.usage
        said = self.text + "".join(call.name + call.arguments for call in self._begun)
        return Usage(estimate(prompt), estimate_text(said))


def status_of(chunk: dict[str, Any]) -> int | None:
    """The HTTP status that an error in a stream would have had; None where there is no error."""
    error = chunk.get("error")
    if not error:
        # vLLM and others send the error itself, without an envelope.
        if chunk.get("object") != "error":
            return None
        error = chunk
    code = error.get("code", error.get("status")) if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def failure(status: int, body: Any) -> EngineFailed:
    """An upstream error, in words that a `last_error` may carry.

    `body` is `{"error": {"message": …}}` with or without the envelope, `{"error": "words"}`,
    `{"detail": …}` as FastAPI says it, or anything else.
    """
    error: Any = None
    if isinstance(body, dict):
        error = body.get("error") or (body if "message" in body else body.get("detail"))
    message = error.get("message") if isinstance(error, dict) else error
    message = message if isinstance(message, str) and message else f"The upstream server answered {status}."
    message = mended(message)
    code = error.get("code") if isinstance(error, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    is_long = code in _TOO_LONG or kind in _TOO_LONG or any(w in message.lower() for w in _TOO_LONG_WORDS)
    if status in (400, 413, 422, 500) and is_long:
        return ContextOverflow(message)
    if status == 429 or code == "rate_limit_exceeded":
        return EngineFailed(message, code="rate_limit_exceeded")
    if status in (401, 403):
        return EngineFailed(f"The upstream server refused our key: {message}")
    if status in REFUSED_PROMPT and code not in _SET_UP_WRONGLY:
        return EngineFailed(message, code="invalid_prompt")
    return EngineFailed(message)
