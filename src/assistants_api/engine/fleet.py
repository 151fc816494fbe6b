"""Several upstream servers that can do the same: who is asked, when, and who is asked instead."""

import asyncio
import json
import logging
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from assistants_api.domain.errors import EngineFailed
from assistants_api.engine import upstream
from assistants_api.engine.server import (
    Address,
    Broken,
    Busy,
    Patience,
    Refused,
    Server,
    Trouble,
    Unreachable,
    retry_after,
    words,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

_PROBE_SECONDS = 10.0

# No key or no money, no such model, nobody who completes chats: whoever asks, and whatever for.
_NOT_HERE = (401, 402, 403, 404, 405, 410)


@dataclass(eq=False, slots=True)
class _Waiting:
    place: "asyncio.Future[Server | None]"
    avoid: Collection[Server]


class Fleet:
    """The servers of one purpose. The one with the fewest open requests is asked; ties go round."""

    def __init__(self, addresses: Sequence[Address], *, model: str, patience: Patience | None = None) -> None:
        assert addresses, "a fleet has a server"
        self.patience = patience or Patience()
        self.servers = tuple(Server(address, self.patience, model) for address in addresses)
        self._queue: deque[_Waiting] = deque()
        self._probes: list[asyncio.Task[None]] = []
        self._timers: set[asyncio.TimerHandle] = set()

    async def start(self) -> None:
        """Begin to ask after the servers' health."""
        if not self._probes:
            self._probes = [
                asyncio.create_task(self._watch(server), name=f"probe {server.url}")
                for server in self.servers
            ]

    async def close(self) -> None:
        """Close every connection; open requests fail."""
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        for timer in self._timers:
            timer.cancel()
        await asyncio.gather(*(server.client.aclose() for server in self.servers))

    @property
    def is_usable(self) -> bool:
        """Whether any server can be asked."""
        now = _now()
        return any(server.is_known and server.is_usable(now) for server in self.servers)

    @property
    def is_known(self) -> bool:
        """Whether every server has been asked, or one has answered."""
        return self.is_usable or all(server.is_known for server in self.servers)

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return len(self._queue)

    def failure(self) -> EngineFailed:
        """Why no server can be used."""
        reasons = "; ".join(f"{server.url}: {server.reason or 'not asked yet'}" for server in self.servers)
        return EngineFailed(f"No upstream server can be used. {reasons}")

    def describe(self) -> list[dict[str, Any]]:
        """What is known of each server right now."""
        now = _now()
        return [server.describe(now) for server in self.servers]

    async def ask(
        self,
        attempt: Callable[[Server], AsyncGenerator[T, None]],
        settles: Callable[[T], bool] = lambda _: True,
    ) -> AsyncGenerator[T, None]:
        """What `attempt` gives at the first server where it gives anything that `settles` the matter.

        `attempt` raises `Trouble` where another try may do better. That counts until it has given such an
        item: from then on the failure is the caller's. What was given before is given again by the next
        server, in its own way. Raises `EngineFailed` when nobody could do it.
        """
        pause = self.patience.first_pause
        failure: EngineFailed | None = None
        refused: set[Server] = set()
        for left in range(self.patience.tries - 1, -1, -1):
            tried = set(refused)
            while (server := await self._take(tried)) is not None:
                tried.add(server)
                has_given = False
                try:
                    async with aclosing(attempt(server)) as items:
                        async with server.unanswered():
                            item = await anext(items)
                        has_given = settles(item)
                        self._note(server, None)
                        yield item
                        async for item in items:
                            server.heard_at = _now()
                            has_given = has_given or settles(item)
                            yield item
                    return
                except Trouble as trouble:
                    self._note(server, trouble)
                    if has_given:
                        raise trouble.failure from trouble
                    failure = trouble.failure
                    if isinstance(trouble, Refused):
                        refused.add(server)
                    log.info("upstream %s: %s", server.url, trouble)
                except EngineFailed:
                    if not has_given:
                        self._note(server, None)  # the request is at fault; the server has judged it
                    raise
                finally:
                    server.leave()
                    self._hand_out()
            failure = failure or self.failure()
            waits = [server.usable_in(_now()) for server in self.servers if server not in refused]
            if left == 0 or min(waits, default=math.inf) > self.patience.longest_pause:
                raise failure
            await asyncio.sleep(max(pause, min(waits)))
            pause *= 2

    async def _take(self, avoid: Collection[Server]) -> Server | None:
        """A server with a place taken in it, waiting for one if need be; None where none can be used."""
        waiting = _Waiting(asyncio.get_running_loop().create_future(), avoid)
        self._queue.append(waiting)
        self._hand_out()
        try:
            return await waiting.place
        except asyncio.CancelledError:
            if waiting.place.done() and not waiting.place.cancelled():
                if (server := waiting.place.result()) is not None:
                    server.leave()
                    self._hand_out()
            elif waiting in self._queue:
                self._queue.remove(waiting)
            raise

    def _hand_out(self) -> None:
        """Give places to those who wait, in the order in which they came."""
        now = _now()
        for waiting in tuple(self._queue):
            usable = [
                server for server in self.servers if server not in waiting.avoid and server.is_usable(now)
            ]
            free = [server for server in usable if server.has_place(now)]
            if usable and not free:
                continue
            self._queue.remove(waiting)
            if waiting.place.done():
                continue
            if not usable:
                waiting.place.set_result(None)
                continue
            server = min(free, key=lambda server: (server.open, server.last_used))
            server.enter(now)
            waiting.place.set_result(server)

    def _note(self, server: Server, trouble: Trouble | None) -> None:
        """Learn from an answer, or from what went wrong."""
        now = _now()
        if trouble is None:
            server.succeed(now)
        else:
            server.suffer(trouble, now)
            if wait := server.usable_in(now):
                self._look_again_in(wait)
        self._hand_out()

    def _look_again_in(self, seconds: float) -> None:
        """Who waits for a place elsewhere may have this server's once it is usable again."""

        def look() -> None:
            self._timers.discard(timer)
            self._hand_out()

        timer = asyncio.get_running_loop().call_later(seconds + 0.001, look)
        self._timers.add(timer)

    async def _watch(self, server: Server) -> None:
        """Ask after a server's health, unless its answers have shown it just now."""
        while True:
            if _now() - server.heard_at >= self.patience.probe_every:
                await self._probe(server)
            await asyncio.sleep(self.patience.probe_every)

    async def _probe(self, server: Server) -> None:
        try:
            response = await server.client.get("models", timeout=_PROBE_SECONDS)
            if response.status_code >= 500 or response.status_code in (401, 403, 429):
                await check(response)
        except httpx.HTTPError as error:
            self._note(server, lost(error))
        except Trouble as trouble:
            self._note(server, trouble)
        else:
            server.answers(_now())
            learn(server, response)
            self._hand_out()
            return
        now = _now()
        # What waits for its first word at a server that has gone is asked for elsewhere, if there is any.
        others = (other for other in self.servers if other is not server)
        if not server.is_usable(now) and any(other.is_usable(now) for other in others):
            server.abandon()


def lost(error: httpx.HTTPError) -> Broken:
    """What a failure of the connection means."""
    failure = EngineFailed(f"The connection to the upstream server failed: {words(error)}")
    return Unreachable(failure) if isinstance(error, httpx.ConnectError) else Broken(failure)


async def check(response: httpx.Response) -> None:
    """Raises for a refusal: `Trouble` where another try or another server may do better."""
    if response.status_code == 200:
        return
    raw = await response.aread()
    try:
        body: Any = json.loads(raw)
    except ValueError:
        body = None
    status = response.status_code
    raise judged(status, upstream.failure(status, body), retry_after(response))


def judged(status: int, failure: EngineFailed, pause: float | None = None) -> Trouble | EngineFailed:
    """What a failure with this HTTP status means: the server's trouble, or the request's own fault."""
    if failure.code == "invalid_prompt":
        return failure
    if status == 429 or failure.code == "rate_limit_exceeded":
        return Busy(failure, pause)
    if status == 408 or status >= 500:
        return Broken(failure, pause)
    if status < 400 or status in _NOT_HERE or status in upstream.REFUSED_PROMPT:
        return Refused(failure)
    return failure


def learn(server: Server, response: httpx.Response) -> None:
    """Some servers tell how long a context their models have."""
    try:
        models = response.json().get("data", [])
        ours = next(model for model in models if model.get("id") == server.model)
    except (ValueError, AttributeError, TypeError, StopIteration):
        return
    window = ours.get("max_model_len") or ours.get("context_window") or ours.get("context_length")
    if isinstance(window, int) and window > 0:
        server.window = window


def _now() -> float:
    return asyncio.get_running_loop().time()
