"""The application in-process over SQLite and a scripted engine; streams are tested over a socket elsewhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from assistants_api.api.app import create_app
from assistants_api.api.parts import Parts
from assistants_api.domain.prompt import Text
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.runs import RunLimits
from assistants_api.store.database import Database
from assistants_api.store.log import Log
from tests.worker.conftest import CATALOGUE, Knowledge, house_over, knowledge_over

BETA = {"OpenAI-Beta": "assistants=v2"}


@asynccontextmanager
async def client_over(
    db: Database,
    engine: ScriptedEngine | None = None,
    *,
    works: bool = False,
    knowledge: Knowledge | None = None,
    **given: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application; `works` adds a worker, without one runs stay queued."""
    engine = engine or ScriptedEngine([[Text("Hello.")]])
    knowledge = knowledge or knowledge_over(db)
    given = {
        "catalogue": CATALOGUE,
        "limits": RunLimits(),
        "blobs": knowledge.blobs,
        "embedder": knowledge.embedder,
        "searcher": knowledge.searcher,
        **given,
    }
    parts = Parts(db=db, log=Log(db), engine=engine, **given)
    async with AsyncExitStack() as stack:
        if works:
            await stack.enter_async_context(house_over(db, engine, knowledge=knowledge))
        transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://test", headers=BETA)
        )


@pytest.fixture
def open_client(sqlite_db: Database) -> Callable[..., Any]:
    """`async with open_client(engine, api_keys=...) as http`."""
    return lambda *args, **given: client_over(sqlite_db, *args, **given)


@pytest.fixture
async def http(sqlite_db: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application without a worker."""
    async with client_over(sqlite_db) as client:
        yield client


class Caller:
    """A client of the bare application that can hang up, as httpx's in-process transport cannot."""

    def __init__(
        self,
        app: Any,
        path: str,
        body: dict[str, Any],
        *,
        accept: str = "*/*",
        agent: str = "tests",
        sdk: str = "",
    ) -> None:
        self._app = app
        self._accept = accept
        self._agent = agent
        self._sdk = sdk  # the language of an official one
        self._path = path
        self._body = json.dumps(body).encode()
        self._sent = False
        self.hung_up = asyncio.Event()
        self.received = b""
        self.silences = 0  # times that nothing was sent
        self.status = 0

    async def call(self) -> None:
        headers = [
            (b"content-type", b"application/json"),
            (b"host", b"test"),
            (b"openai-beta", b"assistants=v2"),
            (b"accept", self._accept.encode()),
            (b"user-agent", self._agent.encode()),
            *([(b"x-stainless-lang", self._sdk.encode())] if self._sdk else []),
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": self._path,
            "raw_path": self._path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        async with asyncio.timeout(60):
            await self._app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        body = message.get("body", b"")
        self.received += body
        self.silences += not body and message.get("more_body", False)


async def made(http: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    """What a POST made."""
    response = await http.post(path, json=body)
    assert response.status_code == 200, response.text
    value: dict[str, Any] = response.json()
    return value


def refusal(response: httpx.Response) -> tuple[int, str, str | None, str | None]:
    """Status, message, param and code; asserts that the envelope is whole."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error = body["error"]
    return response.status_code, error["message"], error["param"], error["code"]
