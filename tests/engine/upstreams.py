"""Small upstream servers on sockets that play what they are told, for the remote engine and the fleet."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from assistants_api.domain.prompt import ChatMessage, Prompt
from assistants_api.engine.remote import RemoteEngine
from assistants_api.engine.server import Address, Patience

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
QUICK = Patience(
    tries=3, first_pause=0.001, longest_pause=0.5, probe_every=0.01, first_open=0.01, longest_open=0.02
)

Answer = Callable[["Upstream", asyncio.StreamWriter], Awaitable[None]]


class Upstream:
    """A stub of a chat completions server: each request gets the next answer, or `default` for ever."""

    def __init__(self, answers: Sequence[Answer] = (), default: Answer | None = None) -> None:
        self.answers = list(answers)
        self.default = default
        self.models: Answer = replies(200, {"data": [{"id": "big", "max_model_len": 4096}]})
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str] = []
        self.gone = asyncio.Event()
        self.asked = asyncio.Event()
        self.released = asyncio.Event()
        self.connections = 0
        self.probes = 0
        self.url = ""
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Go down: nothing listens, every connection is cut."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        try:
            while not writer.is_closing():
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        except asyncio.CancelledError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = head[0].split()[1]
        self.keys.append(headers.get("authorization", ""))
        if path.endswith("/models"):
            self.probes += 1
            await self.models(self, writer)
            return
        self.paths.append(path)
        self.bodies.append(json.loads(body))
        self.asked.set()
        answer = self.answers.pop(0) if self.answers else self.default
        assert answer is not None, "the stub was asked more often than the test says"
        await answer(self, writer)


def replies(status: int, body: Any, **headers: str) -> Answer:
    """One whole answer."""

    async def send(_: Upstream, writer: asyncio.StreamWriter) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(raw)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if not any(name == "content_type" for name in headers):
            lines.append("content-type: application/json")
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
        await writer.drain()

    return send


def sends(raw: bytes, *, ends: bool = True, released: bool = False) -> Answer:
    """An event stream of these bytes; `ends` False leaves it open, `released` waits for the test in between."""

    async def send(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        writer.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        await writer.drain()
        if released:
            await upstream.released.wait()
        if ends:
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    return send


def streams(*chunks: Any, done: bool = True, ends: bool = True) -> Answer:
    """An event stream, one chunk after the other."""
    raw = b": hi\n\n" + b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks)
    return sends(raw + (b"data: [DONE]\n\n" if done else b""), ends=ends)


def drops(*chunks: Any) -> Answer:
    """An event stream that is cut off after these chunks."""

    async def send(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
        await streams(*chunks, done=False, ends=False)(upstream, writer)
        writer.close()

    return send


async def hangs_up(_: Upstream, writer: asyncio.StreamWriter) -> None:
    """No answer, and the connection is cut."""
    writer.transport.abort()


async def hangs(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    """No answer, and the connection stays."""
    await asyncio.Event().wait()


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def end(reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


def usage(asked: int, said: int) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": asked, "completion_tokens": said}}


HELLO = streams(delta(role="assistant"), delta(content="Hel"), delta(content="lo"), end(), usage(5, 2))


@asynccontextmanager
async def serving(*answers: Answer, default: Answer | None = None) -> AsyncIterator[Upstream]:
    upstream = Upstream(answers, default)
    await upstream.start()
    try:
        yield upstream
    finally:
        upstream.released.set()
        await upstream.stop()


@asynccontextmanager
async def engine_of(
    *upstreams: Upstream, patience: Patience = QUICK, limit: int = 64
) -> AsyncIterator[RemoteEngine]:
    addresses = [Address(upstream.url, "sk-up", limit=limit) for upstream in upstreams]
    engine = RemoteEngine(addresses, model="big", patience=patience)
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def asking(*answers: Answer, path: str = "") -> AsyncIterator[tuple[RemoteEngine, Upstream]]:
    async with serving(*answers) as upstream:
        upstream.url += path
        async with engine_of(upstream) as engine:
            yield engine, upstream


def asks(**changes: Any) -> Prompt:
    return replace(Prompt("run_1", "m", (ChatMessage("user", "Weather in Paris?"),)), **changes)


async def parts_of(engine: RemoteEngine, prompt: Prompt | None = None) -> list[Any]:
    return [part async for part in engine.turn(prompt or asks())]
