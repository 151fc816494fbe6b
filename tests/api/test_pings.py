"""What keeps a silent line open is no event to any client, before the first id and after."""

import asyncio

import pytest
from openai._streaming import SSEDecoder

from assistants_api.api import following, replies
from assistants_api.domain.prompt import Text
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from tests.api.conftest import Caller, client_over, made
from tests.conftest import until

QUIET = [[Text("One, "), Wait("go"), Text("two.")]]


@pytest.mark.parametrize("kind", ["run", "completion"])
async def test_a_ping_is_no_event_to_the_official_sdk(sqlite_db, monkeypatch, kind):
    for module in (replies, following):
        monkeypatch.setattr(module, "PING_SECONDS", 0.01)
    engine = ScriptedEngine(QUIET)
    async with client_over(sqlite_db, engine, works=True) as http:
        if kind == "run":
            assistant = await made(http, "/v1/assistants", model="gpt-4o")
            thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "Count."}])
            path, body = f"/v1/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]}
        else:
            path = "/v1/chat/completions"
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Count."}]}
        caller = Caller(http._transport.app, path, {**body, "stream": True})
        calling = asyncio.create_task(caller.call())
        await until(lambda: b"One, " in caller.received)
        heard = len(caller.received)
        await until(lambda: caller.received[heard:].count(b"ping") >= 3)
        engine.release("go")
        await calling

    events = list(SSEDecoder().iter_bytes(iter([caller.received])))

    assert events[-1].data == "[DONE]"
    assert all(event.data for event in events)
