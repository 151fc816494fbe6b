"""Sessions by key (a thread's id): kept between cells, replaced when dead, bounded, some kept warm."""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from assistants_api.domain.errors import Problem, Unavailable
from assistants_api.domain.sandbox import SandboxFacts
from assistants_api.ports import Sandbox, Session

log = logging.getLogger(__name__)

_REMEMBERED = 4096
_RETRY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """How many sessions there may be, how many wait warm, and when an unused one ends (seconds)."""

    most: int = 16
    warm: int = 2
    idle_seconds: float = 3600.0
    wait_seconds: float = 60.0  # for a place, when all sessions are at work


@dataclass(frozen=True, slots=True)
class Held:
    """A session while its key is held.

    `is_new`: it has no earlier state. `lost`: why the state that this key had before is gone, None when it
    had none.
    """

    session: Session
    is_new: bool
    lost: str | None


@dataclass(slots=True)
class _Seat:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    session: Session | None = None
    users: int = 0
    used_at: float = 0.0
    generation: int = 0


class SessionPool:
    """All sessions of one process."""

    def __init__(self, sandbox: Sandbox, config: PoolConfig) -> None:
        self._sandbox = sandbox
        self._config = config
        self._seats: dict[str, _Seat] = {}
        self._lost: OrderedDict[str, str] = OrderedDict()
        self._warm: deque[Session] = deque()
        self._alive: set[Session] = set()  # with those that are being ended
        self._count = 0  # sessions that a key has or is about to get
        self._freed = asyncio.Condition()
        self._refill = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to keep sessions warm and to end unused ones; returns at once."""
        if self._sandbox.describe().is_on:
            self._tasks = [
                asyncio.create_task(self._keep_warm(), name="sandbox-warm"),
                asyncio.create_task(self._sweep(), name="sandbox-sweep"),
            ]

    async def close(self) -> None:
        """Ends every session; the sandbox is closed by whoever opened it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(session.close() for session in self._alive))
        self._alive.clear()
        self._seats.clear()
        self._warm.clear()

    def describe(self) -> SandboxFacts:
        """The sandbox, with how many sessions there are."""
        facts = self._sandbox.describe()
        counts: dict[str, object] = {
            "sessions": self._count,
            "warm": len(self._warm),
            "max_sessions": self._config.most,
        }
        return replace(facts, details=facts.details | counts) if facts.is_on else facts

    @asynccontextmanager
    async def hold(self, key: str, generation: int = 0) -> AsyncIterator[Held]:
        """The session of `key`, for this caller alone; made when there is none, replaced when it died.

        One of another generation is replaced too. Raises `SandboxOff`, or `Unavailable` when none can be
        started or no place gets free in time.
        """
        seat = self._seats.setdefault(key, _Seat())
        seat.users += 1
        try:
            async with seat.lock:
                if seat.session is not None and seat.session.ended is not None:
                    await self._end(key, seat, seat.session.ended)
                if seat.generation != generation:
                    await self._end(key, seat, None)
                seat.generation = generation
                is_new = seat.session is None
                if seat.session is None:
                    await self._place()
                    try:
                        seat.session = await self._take()
                    except BaseException:
                        await self._free()
                        raise
                session = seat.session
                yield Held(session, is_new, self._lost.pop(key, None) if is_new else None)
                if session.ended is not None:
                    await self._end(key, seat, session.ended)
        finally:
            seat.users -= 1
            seat.used_at = time.monotonic()
            if seat.session is None and seat.users == 0 and self._seats.get(key) is seat:
                del self._seats[key]
            async with self._freed:
                self._freed.notify_all()

    def keys(self) -> dict[str, int]:
        """The keys that have a session, each with its generation."""
        return {key: seat.generation for key, seat in self._seats.items() if seat.session is not None}

    async def reset(self, key: str, generation: int = 0) -> None:
        """Forgets the variables and files of `key`, once nobody holds it; those of this generation only."""
        if (seat := self._seats.get(key)) is None:
            return
        seat.users += 1
        try:
            async with seat.lock:
                if seat.generation == generation:
                    await self._end(key, seat, None)
        finally:
            seat.users -= 1
            if seat.session is None and seat.users == 0 and self._seats.get(key) is seat:
                del self._seats[key]

    async def _take(self) -> Session:
        while self._warm:
            session = self._warm.popleft()
            self._refill.set()
            if session.ended is None:
                return session
            await self._close(session)
        return await self._open(preload=False)

    async def _open(self, *, preload: bool) -> Session:
        session = await self._sandbox.open(preload=preload)
        self._alive.add(session)
        return session

    async def _close(self, session: Session) -> None:
        await session.close()
        self._alive.discard(session)

    async def _place(self) -> None:
        """A place for one more session: a free one, the longest unused one's, or the next that gets free."""
        deadline = asyncio.get_running_loop().time() + self._config.wait_seconds
        while self._count >= self._config.most:
            unused = [(seat.used_at, key) for key, seat in self._seats.items() if not seat.users]
            if unused:  # it is no work that is waited for, however long it takes to end
                key = min(unused)[1]
                seat = self._seats.pop(key)
                await self._end(key, seat, "The session was ended: others needed its place.")
                continue
            try:
                async with asyncio.timeout_at(deadline), self._freed:
                    await self._freed.wait()
            except TimeoutError:
                raise Unavailable(f"All {self._config.most} sandbox sessions are at work.") from None
        self._count += 1

    async def _end(self, key: str, seat: _Seat, why: str | None) -> None:
        session, seat.session = seat.session, None
        if session is None:
            return
        if why is None:
            self._lost.pop(key, None)
        else:
            self._lost[key] = why
            if len(self._lost) > _REMEMBERED:
                self._lost.popitem(last=False)
        try:
            await self._close(session)
        finally:
            await self._free()

    async def _free(self) -> None:
        self._count -= 1
        async with self._freed:
            self._freed.notify_all()

    async def _keep_warm(self) -> None:
        while True:
            self._refill.clear()
            try:
                while len(self._warm) < self._config.warm:
                    self._warm.append(await self._open(preload=True))
            except Problem as error:
                log.warning("no warm sandbox session: %s", error.message)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            await self._refill.wait()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(self._config.idle_seconds / 4, 5.0))
            oldest = time.monotonic() - self._config.idle_seconds
            for key, seat in list(self._seats.items()):
                if not seat.users and seat.used_at < oldest and self._seats.get(key) is seat:
                    del self._seats[key]
                    minutes = self._config.idle_seconds / 60
                    with contextlib.suppress(Exception):
                        await self._end(
                            key, seat, f"The session was ended: it was unused for {minutes:.0f} minutes."
                        )
