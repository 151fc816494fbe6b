"""An engine elsewhere: any server that speaks `/v1/chat/completions`, streamed.

It cannot continue a partial answer. Token counts before a call are estimates (four bytes each).
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from typing import Any

import httpx

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.prompt import CallPiece, EngineFacts, Part, Prompt, Started, Stop, Text, Thought
from assistants_api.engine import upstream
from assistants_api.engine.fleet import Fleet, check, judged, lost
from assistants_api.engine.measures import Measures
from assistants_api.engine.server import Address, Broken, Patience, Server

# How long a connection may take to end its stream after the last event, to be used again.
_TAIL_SECONDS = 0.5
# How long a server may take, once the answer is whole, to tell what it has counted.
_USAGE_SECONDS = 5.0

# A carriage return that came last waits for the line feed that may belong to it.
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")

_NO_COMPLETION = "The upstream server sent something that is not a chat completion."


class RemoteEngine:
    """Passes prompts on to one of its servers and streams the answer back."""

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        model: str,
        context_window: int = 32768,
        patience: Patience | None = None,
    ) -> None:
        """URLs may or may not end in `/v1`; `context_window` holds where no server names its own."""
        self._fleet = Fleet(addresses, model=model, patience=patience)
        self._model = model
        self._window = context_window
        self._is_started = False
        self._open = 0
        self._asked = 0
        self._measures = Measures()

    async def start(self) -> None:
        """Asks the servers for their models, now and again."""
        self._is_started = True
        await self._fleet.start()

    async def close(self) -> None:
        """Closes every connection; open turns fail."""
        self._is_started = False
        await self._fleet.close()

    async def count(self, prompt: Prompt) -> int:
        """About how many tokens the prompt has."""
        return upstream.estimate(prompt)

    def describe(self, model: str | None = None) -> EngineFacts:
        """What is known about the servers."""
        fleet = self._fleet
        state, reason = "stopped", None
        if fleet.is_usable:
            state = "ready"
        elif self._is_started:
            state = "failed" if fleet.is_known else "loading"
            reason = fleet.failure().message if fleet.is_known else None
        windows = [server.window for server in fleet.servers if server.window is not None]
        return EngineFacts(
            name="remote",
            model=self._model,
            state=state,
            context_window=min(windows, default=self._window),
            reason=reason,
            has_vision=True,
            has_structured_output=True,
            can_continue=False,
            details={
                "upstreams": fleet.describe(),
                "open_turns": self._open,
                "waiting_turns": fleet.waiting,
                "turns": self._asked,
                "count": "estimated, 4 bytes per token",
                "measures": self._measures.told(),
            },
        )

    async def turn(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """One streamed answer. Other tries before the first piece only; closing it closes the connection."""
        if prompt.answer_start:
            raise EngineFailed("This engine cannot continue an answer that was cut.")
        self._open += 1
        self._asked += 1
        try:
            is_started = False
            asked_at, said_at = time.monotonic(), None
            async with aclosing(self._fleet.ask(partial(_answer, prompt), _settles)) as parts:
                async for part in parts:
                    if not isinstance(part, Started | Stop):
                        said_at = self._measures.token(asked_at, said_at)
                    if not (is_started and isinstance(part, Started)):
                        yield part
                    is_started = True
        finally:
            self._open -= 1


def _settles(part: Part) -> bool:
    """Whether no other server may answer any more; a call that is not whole can be written anew."""
    return not isinstance(part, Started | CallPiece)


async def _answer(prompt: Prompt, server: Server) -> AsyncGenerator[Part, None]:
    """One server's answer."""
    earlier = frozenset(call.id for message in prompt.messages for call in message.tool_calls)
    answer = upstream.Answer(prompt.parallel_tool_calls, upstream.may_call(prompt), earlier)
    is_started = False
    body = upstream.request(prompt, server.model)
    try:
        async with server.client.stream("POST", "chat/completions", json=body) as response:
            await check(response)
            async with aclosing(_chunks(response)) as every, aclosing(_awaited(every, answer)) as chunks:
                async for chunk in chunks:
                    with _understood():
                        text = answer.take(chunk)
                    thought, pieces = answer.fresh_thought(), answer.fresh_pieces()
                    if not is_started and (text or thought or pieces):
                        is_started = True
                        yield Started(upstream.estimate(prompt))
                    if thought:
                        yield Thought(thought, upstream.estimate_text(thought))
                    if text:
                        yield Text(text, upstream.estimate_text(text), answer.logprobs())
                    for piece in pieces:
                        yield piece
    except httpx.HTTPError as error:
        if answer.reason is None:
            raise lost(error) from error
    if answer.reason is None:
        raise Broken(EngineFailed("The upstream server ended in the middle of its answer."))
    if answer.is_broken_off:
        raise Broken(EngineFailed(f"The upstream server broke off its answer: {answer.reason}."))
    if not is_started:
        yield Started(upstream.estimate(prompt))
    for call in answer.calls:
        yield call
    yield Stop(answer.stop_reason(), answer.spent(prompt))


async def _awaited(
    chunks: AsyncGenerator[dict[str, Any], None], answer: upstream.Answer
) -> AsyncGenerator[dict[str, Any], None]:
    """The chunks; for what follows the end of the answer, nobody waits long."""
    while True:
        try:
            async with asyncio.timeout(None if answer.reason is None else _USAGE_SECONDS):
                chunk = await anext(chunks)
        except (StopAsyncIteration, TimeoutError):
            return
        yield chunk


async def _chunks(response: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    """The JSON chunks of an event stream; a server that does not stream gives one."""
    if "json" in response.headers.get("content-type", ""):
        yield _unstreamed(_read(await response.aread()))
        return
    async with aclosing(_events(response)) as events:
        async for data in events:
            if not data.strip():
                continue
            if data.strip() != "[DONE]":
                yield _read(data)
                continue
            yield upstream.DONE
            # Read to the end of the response, so that the connection can be used again.
            with suppress(TimeoutError):
                async with asyncio.timeout(_TAIL_SECONDS):
                    async for _ in events:
                        pass
            return


async def _events(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The data of each event; an event may have several data lines."""
    lines: list[str] = []
    async with aclosing(_lines(response)) as every:
        async for line in every:
            if line.startswith("data:"):
                lines.append(line[5:].removeprefix(" "))
            elif not line and lines:
                yield "\n".join(lines)
                lines = []
    if lines:
        yield "\n".join(lines)


async def _lines(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The lines of an event stream. What ends a line elsewhere, as U+2028 does, may stand in its JSON."""
    rest = b""
    async for piece in response.aiter_bytes():
        *lines, rest = _LINE_END.split(rest + piece)
        for line in lines:
            yield line.decode("utf-8", "replace")
    yield rest.decode("utf-8", "replace").removesuffix("\r")


def _read(data: str | bytes) -> dict[str, Any]:
    """A chunk; raises for one that is none, or that tells of an error."""
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Broken(EngineFailed("The upstream server sent something that is not JSON.")) from error
    if not isinstance(chunk, dict):
        raise Broken(EngineFailed(_NO_COMPLETION))
    if (status := upstream.status_of(chunk)) is not None:
        raise judged(status, upstream.failure(status, chunk))
    return chunk


@contextmanager
def _understood() -> Iterator[None]:
    """Around the reading of a chunk: one that has another shape than it should is the server's failure."""
    try:
        yield
    except (AttributeError, TypeError, ValueError) as error:
        raise Broken(EngineFailed(_NO_COMPLETION)) from error


def _unstreamed(whole: dict[str, Any]) -> dict[str, Any]:
    """A whole completion in the shape of a chunk."""
    with _understood():
        for choice in whole.get("choices") or ():
            choice["delta"] = choice.get("message") or {}
            choice["finish_reason"] = choice.get("finish_reason") or "stop"
    return whole
