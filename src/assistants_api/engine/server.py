"""One upstream server: its connections, the places it has, and what is known of its health."""

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from assistants_api.domain.errors import EngineFailed
from assistants_api.engine.breaker import Breaker, Circuit

# Shorter than the time after which common servers close a connection that nobody uses (five seconds).
_KEPT_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long servers are tried; all times in seconds.

    A request goes to every usable server once, `tries` times over, with a pause that doubles between the
    rounds; none waits longer than `longest_pause` for servers that are down or asked to be left alone.
    `silent_after` is the longest wait for the next piece of an answer. A server is left alone after
    `failures` in a row, for `first_open` seconds, each time twice as long, up to `longest_open`.
    """

    tries: int = 4
    first_pause: float = 0.5
    longest_pause: float = 30.0
    silent_after: float = 300.0
    probe_every: float = 10.0
    failures: int = 3
    first_open: float = 1.0
    longest_open: float = 30.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is. `model` None means the name that was configured for all; `limit` is how many
    requests it is sent at once."""

    url: str
    api_key: str | None = None
    model: str | None = None
    limit: int = 64


class Trouble(Exception):
    """A request failed before it gave anything; the subclass says what that means for the server."""

    def __init__(self, failure: EngineFailed, pause: float | None = None) -> None:
        """`pause` is how long the server asked to be left alone."""
        super().__init__(failure.message)
        self.failure = failure
        self.pause = pause


class Busy(Trouble):
    """The server is well and wants fewer requests."""


class Broken(Trouble):
    """The server failed; it may be better later."""


class Unreachable(Broken):
    """There is nothing at the other end."""


class Refused(Trouble):
    """This server will not do it: a wrong key, a model that it does not have. Another may."""


class Server:
    """One server and what is known of it; `Fleet` decides when it is asked."""

    def __init__(self, address: Address, patience: Patience, model: str) -> None:
        self.model = address.model or model
        self.limit = address.limit
        self.window: int | None = None
        self.reason: str | None = None
        self.is_known = False
        self.open = 0
        self.asked = 0
        self.failed = 0
        self.last_used = 0.0
        self.heard_at = float("-inf")
        self._paused_until = float("-inf")
        self._has_trial = False
        self._breaker = Breaker(patience.failures, patience.first_open, patience.longest_open)
        self._unanswered: set[asyncio.Timeout] = set()
        key = {"authorization": f"Bearer {address.api_key}"} if address.api_key else {}
        base = httpx.URL(_base(address.url))
        self.client = httpx.AsyncClient(
            base_url=base,
            headers={"accept": "text/event-stream, application/json", **key},
            timeout=httpx.Timeout(patience.silent_after, connect=10.0, pool=None),
            limits=httpx.Limits(
                max_connections=None, max_keepalive_connections=64, keepalive_expiry=_KEPT_SECONDS
            ),
        )
        # A password in the address is for the server alone.
        self.url = str(base.copy_with(userinfo=b""))

    def is_usable(self, now: float) -> bool:
        """Whether it may be asked, now or once it has a free place."""
        return now >= self._paused_until and self._breaker.state(now) is not Circuit.OPEN

    def has_place(self, now: float) -> bool:
        """Whether one more request may go there now; half-open has one place only."""
        is_tried = self._has_trial and self._breaker.state(now) is Circuit.HALF_OPEN
        return self.open < self.limit and not is_tried

    def usable_in(self, now: float) -> float:
        """Seconds until it may be asked again."""
        return max(0.0, self._paused_until - now, self._breaker.opens_in(now))

    def enter(self, now: float) -> None:
        """A request takes a place."""
        self._has_trial |= self._breaker.state(now) is Circuit.HALF_OPEN
        self.open += 1
        self.asked += 1
        self.last_used = now

    def leave(self) -> None:
        """A request gives its place back."""
        self.open -= 1
        self._has_trial = False

    def succeed(self, now: float) -> None:
        """It gave something."""
        self.is_known = True
        self.reason = None
        self.heard_at = now
        self._has_trial = False
        self._breaker.succeed()

    def suffer(self, trouble: Trouble, now: float) -> None:
        """A request or a health check failed in this way."""
        self.is_known = True
        self.reason = trouble.failure.message
        if trouble.pause is not None:
            self._paused_until = max(self._paused_until, now + trouble.pause)
        if isinstance(trouble, Busy):
            return
        self.failed += 1
        if isinstance(trouble, Refused):
            self._breaker.trip(now)
        else:
            self._breaker.fail(now, is_certain=isinstance(trouble, Unreachable))

    def answers(self, now: float) -> None:
        """A health check was answered: a server that was left alone may be tried again."""
        self.is_known = True
        if self._breaker.state(now) is Circuit.CLOSED:
            self.reason = None
        self._breaker.invite(now)

    @asynccontextmanager
    async def unanswered(self) -> AsyncIterator[None]:
        """Around the wait for the first piece of an answer; raises `Broken` when `abandon` is called."""
        try:
            async with asyncio.timeout(None) as limit:
                self._unanswered.add(limit)
                yield
        except TimeoutError as error:
            raise Broken(EngineFailed("The upstream server answers nothing any more.")) from error
        finally:
            self._unanswered.discard(limit)

    def abandon(self) -> None:
        """Give up every request that has not had its first piece."""
        now = asyncio.get_running_loop().time()
        for limit in self._unanswered:
            limit.reschedule(now)
        self._unanswered.clear()

    def describe(self, now: float) -> dict[str, Any]:
        """What is known of it right now."""
        facts: dict[str, Any] = {
            "url": self.url,
            "model": self.model,
            "circuit": str(self._breaker.state(now)) if self.is_known else "unknown",
            "open_turns": self.open,
            "limit": self.limit,
            "turns": self.asked,
            "failures": self.failed,
        }
        if self.reason is not None:
            facts["reason"] = self.reason
        if wait := self.usable_in(now):
            facts["usable_in_seconds"] = round(wait, 1)
        return facts


def retry_after(response: httpx.Response) -> float | None:
    """Seconds for which the server asks to be left alone, in any of the forms that servers send."""
    headers = response.headers
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    until = _epoch(headers.get("retry-after"))
    if until is None:
        return None
    # By the server's own clock, where it tells it: ours may be wrong.
    sent = _epoch(headers.get("date"))
    return max(0.0, until - (time.time() if sent is None else sent))


def _epoch(date: str | None) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None


def _base(url: str) -> str:
    plain = url.rstrip("/").removesuffix("/chat/completions").removesuffix("/embeddings")
    return plain if plain.endswith("/v1") else f"{plain}/v1"


def words(error: Exception) -> str:
    """What an error says, or what it is."""
    return str(error) or type(error).__name__
