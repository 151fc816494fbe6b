"""The projection of a completion's log to the chunks that its stream sends."""

import json
from typing import Any, Literal

from pydantic import BaseModel, Field

from assistants_api.domain.completion import (
    ChoiceCalled,
    ChoiceCalling,
    ChoiceEnded,
    ChoiceStarted,
    ChoiceText,
    ChoiceThought,
    Completion,
    CompletionEnded,
    CompletionStatus,
)
from assistants_api.domain.event import Event
from assistants_api.wire.base import Timestamp
from assistants_api.wire.completions import ChoiceLogprobs, CompletionUsage, usage_of
from assistants_api.wire.run_events import LINE_ENDS

DONE = b"data: [DONE]\n\n"


class Chunks:
    """One stream: events go in, frames come out. It knows which choices have been opened."""

    def __init__(self, completion: Completion, fingerprint: str, *, shows_usage: bool) -> None:
        self._head = {
            "id": completion.id,
            "object": "chat.completion.chunk",
            "created": int(completion.created_at.timestamp()),
            "model": completion.model,
            "service_tier": "default",
            "system_fingerprint": fingerprint,
        }
        self._shows_usage = shows_usage
        self._opened: set[int] = set()
        self._called: dict[tuple[int, int], int] = {}  # by index and place, how much of its arguments is told
        self.end: CompletionEnded | None = None

    def take(self, event: Event) -> list[bytes]:
        """The frames of one event; a failure has none, for its words are the caller's to choose."""
        match event:
            case ChoiceStarted():
                return []
            case ChoiceText(index, text, _, logprobs):
                shown = {"content": list(logprobs), "refusal": None} if logprobs else None
                return [*self._open(index), self._chunk(index, {"content": text}, logprobs=shown)]
            case ChoiceThought(index, text):
                return [*self._open(index), self._chunk(index, {"reasoning_content": text})]
            case ChoiceCalling(index, place, id, name, arguments):
                return [*self._open(index, None), *self._call(index, place, id, name, arguments)]
            case ChoiceCalled(index, place, call):
                rest = call.arguments[self._called.get((index, place), 0) :]
                return [*self._open(index, None), *self._call(index, place, call.id, call.name, rest)]
            case ChoiceEnded(index, reason):
                return [*self._open(index), self._chunk(index, {}, reason=reason)]
            case CompletionEnded(status):
                self.end = event
                if status is not CompletionStatus.COMPLETED or not self._shows_usage:
                    return []
                return [frame({**self._head, "choices": [], "usage": usage_of(event)})]
        raise AssertionError("a completion's log holds a completion's events")

    def _open(self, index: int, content: str | None = "") -> list[bytes]:
        """The role comes first, once; an attempt that goes on after another opens nothing again.

        It comes with what follows it, so that a failure before the first word is no stream, and with no
        content where calls are what follows.
        """
        if index in self._opened:
            return []
        self._opened.add(index)
        return [self._chunk(index, {"role": "assistant", "content": content, "refusal": None})]

    def _call(self, index: int, place: int, id: str, name: str, arguments: str) -> list[bytes]:
        """More of a call: first its name, then its arguments."""
        pieces: list[dict[str, Any]] = []
        if (index, place) not in self._called:
            function = {"name": name, "arguments": ""}
            pieces.append({"index": place, "id": id, "type": "function", "function": function})
        if arguments:
            pieces.append({"index": place, "function": {"arguments": arguments}})
        self._called[index, place] = self._called.get((index, place), 0) + len(arguments)
        return [self._chunk(index, {"tool_calls": [piece]}) for piece in pieces]

    def _chunk(
        self, index: int, delta: dict[str, Any], *, logprobs: Any = None, reason: str | None = None
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        chunk: dict[str, Any] = {**self._head, "choices": [choice]}
        if self._shows_usage:
            chunk["usage"] = None
        return frame(chunk)


def frame(data: dict[str, Any]) -> bytes:
    """A chunk, or an error, as it is sent."""
    line = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    if not line.isascii():
        line = line.translate(LINE_ENDS)
    return f"data: {line}\n\n".encode()


class DeltaFunctionCall(BaseModel):
    """A piece of a call."""

    name: str | None = None
    arguments: str | None = None


class ChatCompletionMessageToolCallChunk(BaseModel):
    """A piece of a tool call; id, type and name come once, with the first."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: DeltaFunctionCall


class ChatCompletionStreamResponseDelta(BaseModel):
    """More of an answer."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = Field(None, description="Extension: what the model thinks first.")
    refusal: str | None = None
    tool_calls: list[ChatCompletionMessageToolCallChunk] | None = None


class ChunkChoice(BaseModel):
    """More of one of the answers."""

    index: int
    delta: ChatCompletionStreamResponseDelta
    logprobs: ChoiceLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls"] | None


class CreateChatCompletionStreamResponse(BaseModel):
    """A chunk of a streamed completion; the last one has no choices if usage was asked for."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: Timestamp
    model: str
    service_tier: Literal["default"]
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | None = None
