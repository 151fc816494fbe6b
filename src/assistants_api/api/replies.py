"""How replies leave: prepared JSON, poll hints on runs, and streams of a run's log."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from fastapi import Response
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import AppStatus, EventSourceResponse
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from assistants_api.domain.errors import Closing, NotFound, Problem
from assistants_api.domain.event import LogEntry
from assistants_api.domain.page import Page
from assistants_api.domain.run import Run
from assistants_api.store.log import Log
from assistants_api.wire import base
from assistants_api.wire.problems import error_body
from assistants_api.wire.run_events import DONE, error_frame, frame, without_id
from assistants_api.wire.runs import RunObject
from assistants_api.wire.vector_stores import VectorStoreFileBatchObject, VectorStoreFileObject

logger = logging.getLogger(__name__)

PING_SECONDS = 15
# Whose fetch does not tell how it is used, as that of others; Unity's readers find events by one pattern.
_SCRIPTS = ("node-fetch", "Bun/", "Deno/", "com.openai.unity", "UnityPlayer/")
_SKIP_COMMENTS = ("python", "js")  # official SDKs, by their `X-Stainless-Lang`; that for Go failed for years
_POLL_STEPS = ((2.0, 50), (10.0, 200), (60.0, 500))
_POLL_SLOWEST = 1000
STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",  # what compresses on the way would hold events back
}


class Ping(ServerSentEvent):
    """A comment: an event without content, or after events with ids less than that.

    After an event with an id, the official Python SDK takes a comment with a blank line for an event without
    data, and fails on it (openai/_streaming.py). Without one, who parts a stream at blank lines finds the
    comment before the next event.
    """

    def __init__(self, written: bytes = b": ping\n\n") -> None:
        super().__init__()
        self._written = written

    def encode(self) -> bytes:
        """As it is sent."""
        return self._written


NO_PING = Ping(b"")


def hears_pings(headers: Headers) -> bool:
    """Whether a comment is surely nothing to who asked; to others none is sent, as the original sent none.

    Readers written for the original take a comment for JSON, or the blank line behind it for an event without
    data, and end the stream; by their names they cannot be told from those that do not.
    """
    return names_event_streams(headers) or headers.get("x-stainless-lang") in _SKIP_COMMENTS


def names_event_streams(headers: Headers) -> bool:
    """Whether a request asks for event streams by name."""
    return "text/event-stream" in ",".join(headers.getlist("accept")).lower()


def reply(shown: base.Reply | base.Page, headers: dict[str, str] | None = None) -> Response:
    """A JSON reply."""
    return Response(shown.json_bytes(), media_type="application/json", headers=headers)


def run_reply(run: Run, now: datetime) -> Response:
    """A run; while it is not final, with the pause that pollers should make."""
    return reply(RunObject.of(run), None if run.is_final else _asked_again(run.created_at, now))


def indexing_reply(shown: VectorStoreFileObject | VectorStoreFileBatchObject, now: datetime) -> Response:
    """A file of a store or a batch of them; while it is being indexed, likewise."""
    if shown.status != "in_progress":
        return reply(shown)
    return reply(shown, _asked_again(datetime.fromtimestamp(shown.created_at, UTC), now))


def page_reply(model: type[base.Page], item: type[base.Reply], page: Page[Any]) -> Response:
    """A page of replies."""
    return reply(model.over([item.of(thing) for thing in page.data], page.has_more))


class RunStream(EventSourceResponse):
    """The stream of one leg of a run; which one, so that it can be sent again.

    Scripts of pages and of Node, and whoever wants JSON or does not say what, get the original's form,
    without ids, unless they name event streams in `Accept`: what apps wrote for the original often takes all
    that follows `data: ` in an event for JSON.
    """

    run_id: str
    after: int
    is_whole = False
    is_silent = False  # since a ping was due, which is twice in `PING_SECONDS`
    shows_ids = False
    has_pings = True
    on_leave: Callable[[], Coroutine[Any, Any, None]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; when the client leaves before its end, do what is to be done then."""
        headers = Headers(scope=scope)
        accept = ",".join(headers.getlist("accept")).lower()
        is_script = "sec-fetch-mode" in headers or headers.get("user-agent", "").startswith(_SCRIPTS)
        is_plain = is_script or not accept or "application/json" in accept
        self.shows_ids = names_event_streams(headers) or not is_plain
        self.has_pings = hears_pings(headers)
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.on_leave is not None and not self.is_whole and not AppStatus.should_exit:
                task = asyncio.create_task(self.on_leave())
                _leaving.add(task)
                task.add_done_callback(_leaving.discard)

    def ping_due(self) -> Ping:
        """A ping on a silent line, on another nothing: the original had none, and few readers expect them."""
        was_silent, self.is_silent = self.is_silent, True
        if not (was_silent and self.has_pings):
            return NO_PING
        return _PING_AFTER_IDS if self.shows_ids else Ping()


_PING_AFTER_IDS = Ping(b": ping\n")
_leaving: set[asyncio.Task[None]] = set()


def run_stream(
    log: Log,
    run_id: str,
    after: int = 0,
    *,
    has_content: bool = False,
    on_leave: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Response:
    """A leg of a run from after an event, as server-sent events; `on_leave` when a client goes early."""
    response = stream(log.follow(run_id, after), has_content=has_content, kind=RunStream)
    assert isinstance(response, RunStream)
    response.run_id, response.after, response.on_leave = run_id, after, on_leave
    return response


def stream(
    entries: AsyncGenerator[LogEntry, None],
    *,
    has_content: bool = False,
    kind: type[EventSourceResponse] = EventSourceResponse,
) -> Response:
    """The entries as server-sent events; a client that goes away harms nothing."""
    frames = _frames(entries, has_content)
    response = kind(frames, sep="\n", ping=PING_SECONDS, ping_message_factory=lambda: _PING_AFTER_IDS)
    if isinstance(response, RunStream):
        response.body_iterator = _told(frames, response)
        response.ping_message_factory, response.ping_interval = response.ping_due, PING_SECONDS / 2
    response.headers.update(STREAM_HEADERS)
    return response


async def _told(frames: AsyncIterator[bytes], response: RunStream) -> AsyncIterator[bytes]:
    """The frames, and a word to the response once there are no more."""
    async for each in frames:
        response.is_silent = False
        yield each if response.shows_ids else without_id(each)
    response.is_whole = True


async def _frames(entries: AsyncGenerator[LogEntry, None], has_content: bool) -> AsyncIterator[bytes]:
    try:
        async for entry in entries:
            yield frame(entry, has_content=has_content)
    except Closing as closing:
        # Not `done`: the stream goes on elsewhere.
        yield error_frame(error_body(closing.message, type="server_error", code=closing.code)["error"])
        return
    except NotFound as gone:
        yield error_frame(error_body(gone.message)["error"])
    except Problem as problem:
        logger.warning("a stream broke: %s", problem.message)
        yield error_frame(error_body(problem.message, type="server_error")["error"])
    except Exception:
        logger.exception("a stream broke")
        message = "The stream broke. The run goes on: read its events again, or poll it."
        yield error_frame(error_body(message, type="server_error")["error"])
    finally:
        await entries.aclose()
    yield DONE


def _asked_again(since: datetime, now: datetime) -> dict[str, str]:
    """In how many milliseconds: soon while a thing is young, later where it takes its time."""
    age = (now - since).total_seconds()
    pause = next((pause for limit, pause in _POLL_STEPS if age < limit), _POLL_SLOWEST)
    return {"openai-poll-after-ms": str(pause)}
