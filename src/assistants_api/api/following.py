"""A client that waits for a completion: it is told the answer, and when it goes away the work ends."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import Request, Response
from sse_starlette.sse import EventSourceResponse
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from assistants_api.api.errors import body_of
from assistants_api.api.parts import Parts
from assistants_api.api.replies import NO_PING, PING_SECONDS, STREAM_HEADERS, Ping, hears_pings, reply
from assistants_api.domain.completion import Answers, Completion, CompletionEnded, CompletionStatus
from assistants_api.domain.errors import EngineFailed, InvalidRequest, Problem, TooManyRequests
from assistants_api.services.completions import cancel_completion
from assistants_api.wire.chat_events import DONE, Chunks, frame
from assistants_api.wire.completions import ChatCompletionObject

logger = logging.getLogger(__name__)

# A stream's first word is awaited so long before the headers leave: until then a failure is a plain error.
HEAD_SECONDS = 10.0
_CLIENT_GONE = 499


async def followed(
    request: Request, given: Parts, completion: Completion, *, is_stream: bool, shows_usage: bool
) -> Response:
    """The response of a completion that was just asked for."""
    following = _Following(given, completion)
    try:
        if is_stream:
            chunks = Chunks(completion, given.fingerprint, shows_usage=shows_usage)
            return await following.stream(request, chunks)
        return await following.whole(request)
    except BaseException:
        await following.leave()
        raise


class _Following:
    """The log of one completion, read once, by one client."""

    def __init__(self, given: Parts, completion: Completion) -> None:
        self._given = given
        self._completion = completion
        self._entries = given.log.follow(completion.id)
        self._first: asyncio.Task[list[bytes]] | None = None
        self._is_over = False

    async def whole(self, request: Request) -> Response:
        """The completion as one object."""
        answers = Answers(self._completion.n)

        async def gather() -> None:
            async with aclosing(self._entries) as entries:
                async for entry in entries:
                    answers.take(entry.event)

        work = asyncio.create_task(gather())
        if not await _unless_gone(request, work):
            await self.leave()
            return Response(status_code=_CLIENT_GONE)
        self._is_over = True
        assert answers.end is not None, "a completion's log ends with its end"
        _raise_unless_whole(answers.end)
        choices = answers.shown(with_logprobs=self._completion.has_logprobs)
        fingerprint = self._given.fingerprint
        return reply(ChatCompletionObject.shown(self._completion, choices, answers.end, fingerprint))

    async def stream(self, request: Request, chunks: Chunks) -> Response:
        """The completion as it comes."""
        self._first = asyncio.create_task(self._begin(chunks))
        if not await _unless_gone(request, self._first, HEAD_SECONDS):
            await self.leave()
            return Response(status_code=_CLIENT_GONE)
        if self._first.done() and not self._first.result() and chunks.end is not None:
            self._is_over = True
            _raise_unless_whole(chunks.end)
        return _ChunkStream(self, chunks)

    async def _begin(self, chunks: Chunks) -> list[bytes]:
        """The frames of the first event that has any; none where the completion ends without."""
        async for entry in self._entries:
            if (made := chunks.take(entry.event)) or chunks.end is not None:
                return made
        return []

    async def frames(self, chunks: Chunks) -> AsyncIterator[bytes]:
        """What the stream sends."""
        assert self._first is not None, "stream() comes before frames()"
        try:
            for made in await self._first:
                yield made
            async for entry in self._entries:
                for made in chunks.take(entry.event):
                    yield made
            self._is_over = True
            assert chunks.end is not None, "a completion's log ends with its end"
            _raise_unless_whole(chunks.end)
        except Problem as problem:
            yield frame(body_of(problem)[1])
        except Exception:
            logger.exception("the stream of completion %s broke", self._completion.id)
            yield frame(body_of(EngineFailed("The stream broke."))[1])
        yield DONE

    async def leave(self) -> None:
        """Nobody reads any more: an answer that is still being written is not needed."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.gather(self._first, return_exceptions=True)
        await self._entries.aclose()
        if not self._is_over and await cancel_completion(self._given.db, self._completion.id):
            logger.info("completion %s was cancelled: its client went away", self._completion.id)


class _ChunkStream(EventSourceResponse):
    """The stream; however it ends, the completion is left behind in order."""

    def __init__(self, following: _Following, chunks: Chunks) -> None:
        super().__init__(following.frames(chunks), sep="\n", ping=PING_SECONDS, ping_message_factory=Ping)
        self.headers.update(STREAM_HEADERS)
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        if not hears_pings(Headers(scope=scope)):
            self.ping_message_factory = lambda: NO_PING
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._following.leave()


async def _unless_gone(request: Request, work: "asyncio.Task[Any]", seconds: float | None = None) -> bool:
    """Waits for the work, at most so long; False, and the work ended, when the client went away before it."""
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({work, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
            return True
        if gone.done() or seconds is None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            return False
        return True
    except asyncio.CancelledError:
        work.cancel()
        raise
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _raise_unless_whole(end: CompletionEnded) -> None:
    """Raises what a client is told of a completion that has no answer."""
    if end.status is CompletionStatus.COMPLETED:
        return
    error = end.error or {"code": "server_error", "message": "The completion was cancelled."}
    code, message = error["code"], error["message"]
    match code:
        case "context_length_exceeded":
            raise InvalidRequest(message, param="messages", code=code)
        case "invalid_prompt":
            raise InvalidRequest(message, code=code)
        case "rate_limit_exceeded":
            raise TooManyRequests(message)
        case _:
            raise EngineFailed(message, code=code)
