"""An engine that plays a script: for tests and demos, deterministic and with no model at all.

A turn is chosen by `when`, a part of the last message; else the next turn without `when` is played; when
those are used up, the last message is said back. One word counts as one token, and is certain: its log
probability is 0. Temperature, penalties and bias change nothing in a script. A turn that is asked for a
second time (same run, same number of messages: a worker died in the middle) is played again.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import (
    CallPiece,
    ChatMessage,
    EngineFacts,
    Part,
    Prompt,
    Started,
    Stop,
    Text,
    Thought,
    ToolCall,
)
from assistants_api.domain.usage import Usage
from assistants_api.engine import script
from assistants_api.engine.script import STEPS, Fail, Pause, Step, Turn, Wait, words
from assistants_api.engine.text import StopStrings


class ScriptedEngine:
    """Plays turns; `prompts` lists what it was asked, `release` opens the gates of `Wait` steps."""

    def __init__(
        self,
        turns: Sequence[Turn | Sequence[Step] | Step] = (),
        *,
        name: str = "scripted",
        context_window: int = 8192,
        **facts: Any,
    ) -> None:
        """`turns` is the script; single steps instead of turns are one turn. `facts` override `describe`."""
        single = tuple(step for step in turns if isinstance(step, STEPS))
        self._turns = (Turn(single),) if single else tuple(_as_turn(turn) for turn in turns)
        self._ordered = iter([turn for turn in self._turns if turn.when is None])
        self._chosen: dict[tuple[str, int], Turn] = {}
        self._gates: dict[str, asyncio.Event] = {}
        self._name = name
        self._window = context_window
        self._facts = facts
        self.prompts: list[Prompt] = []
        self.cancelled: list[Prompt] = []
        self._closed = asyncio.Event()

    @classmethod
    def from_file(cls, path: Path | str, *, name: str = "scripted") -> "ScriptedEngine":
        """Plays the script in a JSON file (see `engine/script.py` for the format)."""
        return cls(script.load(Path(path)), name=name)

    def release(self, event: str) -> None:
        """Lets every turn go on that waits, or will wait, for this event."""
        self._gate(event).set()

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Ends turns that wait for a gate."""
        self._closed.set()

    async def count(self, prompt: Prompt) -> int:
        """One token per word."""
        return _prompt_tokens(prompt)

    def describe(self, model: str | None = None) -> EngineFacts:
        """Always ready."""
        facts: dict[str, Any] = {
            "name": "scripted",
            "model": self._name,
            "state": "ready",
            "context_window": self._window,
            "has_vision": True,
            "has_structured_output": True,
            "details": {"turns": len(self._turns)},
        }
        return EngineFacts(**{**facts, **self._facts})

    async def turn(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """Plays one turn of the script."""
        self.prompts.append(prompt)
        asked = _prompt_tokens(prompt)
        if asked >= self._window:
            raise ContextOverflow(
                f"This model's maximum context length is {self._window} tokens. However, your messages"
                f" resulted in {asked} tokens."
            )
        whole = False
        try:
            async for part in self._play(prompt, self._choose(prompt), asked):
                whole = isinstance(part, Stop)
                yield part
        except EngineFailed:
            whole = True
            raise
        finally:
            if not whole:
                self.cancelled.append(prompt)

    async def _play(self, prompt: Prompt, turn: Turn, asked: int) -> AsyncGenerator[Part, None]:
        yield Started(asked, "\n".join(f"{m.role}: {_words_of(m)}" for m in prompt.messages))
        said_before = prompt.answer_start
        spent = _cost(said_before)
        called = False
        stops = StopStrings(prompt.sampling.stop)
        for step in turn.steps:
            if said_before and not isinstance(step, Text):
                continue  # it lies before the place where the answer was cut
            match step:
                case Text(text):
                    skipped = min(len(text), len(said_before)) if text else 0
                    said_before = said_before[skipped:]
                    for piece in _within(text[skipped:], _left(prompt, spent)):
                        spent += piece.tokens
                        if shown := stops.feed(piece.text):
                            yield Text(shown, piece.tokens, _certain(shown, prompt))
                        if stops.is_met:
                            yield Stop("stop", Usage(asked, spent))
                            return
                case Thought(text):
                    spent += _cost(text)
                    yield Thought(text, _cost(text))
                case CallPiece():
                    yield step
                case ToolCall():
                    if held := stops.finish():
                        yield Text(held, 0, _certain(held, prompt))
                    spent += 1 + _cost(step.arguments)
                    called = True
                    yield step
                    if not prompt.parallel_tool_calls:
                        break
                case Stop(reason, usage):
                    yield step if usage.total_tokens else Stop(reason, Usage(asked, spent))
                    return
                case Wait(event):
                    await self._pass(event)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Fail(message, code):
                    raise EngineFailed(message, code=code)
            if _left(prompt, spent) == 0 and step is not turn.steps[-1]:
                yield Stop("length", Usage(asked, spent))
                return
        if held := stops.finish():
            yield Text(held, 0, _certain(held, prompt))
        cut = _cut(prompt, turn)
        yield Stop("tool_calls" if called else "length" if cut else "stop", Usage(asked, spent))

    async def _pass(self, event: str) -> None:
        waits = [asyncio.ensure_future(gate.wait()) for gate in (self._gate(event), self._closed)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self._gate(event).is_set():
            raise EngineFailed("The engine was stopped.")

    def _gate(self, event: str) -> asyncio.Event:
        return self._gates.setdefault(event, asyncio.Event())

    def _choose(self, prompt: Prompt) -> Turn:
        key = (prompt.request_id, len(prompt.messages))
        if key not in self._chosen:
            last = _words_of(prompt.messages[-1]) if prompt.messages else ""
            fitting = (turn for turn in self._turns if turn.when is not None and turn.when in last)
            echo = Turn(tuple(Text(word) for word in words(last)))
            self._chosen[key] = next(fitting, None) or next(self._ordered, None) or echo
        return self._chosen[key]


def _as_turn(turn: Turn | Sequence[Step] | Step) -> Turn:
    if isinstance(turn, Turn):
        return turn
    assert not isinstance(turn, STEPS), "a script is made of turns or of steps, not of both"
    return Turn(tuple(turn))


def _words_of(message: ChatMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(part["text"] for part in message.content if part.get("type") == "text")


def _cost(text: str) -> int:
    return len(text.split())


def _certain(text: str, prompt: Prompt) -> tuple[JsonObject, ...]:
    """The log probabilities of the text's words, where they are asked for."""
    top = prompt.sampling.top_logprobs
    if top is None:
        return ()
    tokens = [{"token": word, "bytes": list(word.encode()), "logprob": 0.0} for word in words(text)]
    return tuple({**token, "top_logprobs": [token][:top]} for token in tokens)


def _prompt_tokens(prompt: Prompt) -> int:
    said = sum(_cost(_words_of(message)) for message in prompt.messages)
    called = sum(_cost(call.arguments) + 1 for message in prompt.messages for call in message.tool_calls)
    return said + called + _cost(prompt.answer_start)


def _left(prompt: Prompt, spent: int) -> int | None:
    limit = prompt.sampling.max_tokens
    return None if limit is None else max(0, limit - spent)


def _within(text: str, left: int | None) -> list[Text]:
    """The text as one piece of its true cost, cut to what may still be said."""
    if not text:
        return []
    said = text if left is None or _cost(text) <= left else "".join(words(text)[:left])
    return [Text(said, _cost(said))] if said else []


def _cut(prompt: Prompt, turn: Turn) -> bool:
    limit = prompt.sampling.max_tokens
    said = sum(_cost(step.text) for step in turn.steps if isinstance(step, Text))
    return limit is not None and said > limit
