"""What keeps a silent line open is no event to any client, before the first id and after."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from openai._streaming import SSEDecoder

from assistants_api.api import following, replies
from assistants_api.domain.prompt import Text
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from tests.api.conftest import client_over, made
from tests.conftest import until

QUIET = [[Text("One, "), Wait("go"), Text("two.")]]


class Line:
    """A request whose reply is read as it comes."""

    def __init__(self, http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
        self.raw = b""
        self._body = json.dumps(body).encode()
        transport: Any = http._transport
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"content-type", b"application/json"), (b"openai-beta", b"assistants=v2")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 1),
        }
        self.task = asyncio.create_task(transport.app(scope, self._receive, self._send))
        self._is_asked = False

    async def _receive(self) -> dict[str, Any]:
        if self._is_asked:
            await asyncio.Event().wait()
        self._is_asked = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _send(self, message: Any) -> None:
        self.raw += message.get("body", b"")


@pytest.mark.parametrize("kind", ["run", "completion"])
async def test_a_ping_is_no_event_to_the_official_sdk(sqlite_db, monkeypatch, kind):
    for module in (replies, following):
        monkeypatch.setattr(module, "PING_SECONDS", 0.01)
    engine = ScriptedEngine(QUIET)
    async with client_over(sqlite_db, engine, works=True) as http:
        if kind == "run":
            assistant = await made(http, "/v1/assistants", model="gpt-4o")
            thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "Count."}])
            line = Line(
                http, f"/v1/threads/{thread['id']}/runs", {"assistant_id": assistant["id"], "stream": True}
            )
        else:
            messages = [{"role": "user", "content": "Count."}]
            line = Line(
                http, "/v1/chat/completions", {"model": "gpt-4o", "messages": messages, "stream": True}
            )
        await until(lambda: b"One, " in line.raw)
        heard = len(line.raw)
        await until(lambda: line.raw[heard:].count(b"ping") >= 3)
        engine.release("go")
        await line.task

    events = list(SSEDecoder().iter_bytes(iter([line.raw])))

    assert events[-1].data == "[DONE]"
    assert all(event.data for event in events)
