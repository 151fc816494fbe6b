"""What keeps a silent line open is no event to any client, before the first id and after."""

import asyncio

import pytest
from openai._streaming import SSEDecoder

from assistants_api.api import following, replies
from assistants_api.domain.prompt import Text
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.wire.run_events import DONE
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


async def test_a_ping_is_in_no_frame_of_a_reader_that_knows_no_ids(sqlite_db, monkeypatch):
    """Such a reader takes what lies between two blank lines, and looks how that begins."""
    monkeypatch.setattr(replies, "PING_SECONDS", 0.02)
    engine = ScriptedEngine(QUIET)
    async with client_over(sqlite_db, engine, works=True) as http:
        assistant = await made(http, "/v1/assistants", model="gpt-4o")
        thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "Count."}])
        body = {"assistant_id": assistant["id"], "stream": True}
        path = f"/v1/threads/{thread['id']}/runs"
        caller = Caller(http._transport.app, path, body, accept="application/json")
        calling = asyncio.create_task(caller.call())
        await until(lambda: caller.received.count(b"ping") >= 3)
        engine.release("go")
        await calling

    *frames, rest = caller.received.decode().split("\n\n")
    assert rest == ""
    assert {frame for frame in frames if not frame.startswith("event: ")} == {": ping"}


@pytest.mark.parametrize(("shows_ids", "ping"), [(False, b": ping\n\n"), (True, b": ping\n")])
async def test_only_a_silent_line_has_pings(shows_ids, ping):
    class Quiet:
        async def follow(self, run_id, after):
            return
            yield

    stream = replies.run_stream(Quiet(), "run_1")
    stream.shows_ids = shows_ids
    due = stream.ping_due

    at_first = [due().encode() for _ in range(3)]
    frames = [frame async for frame in stream.body_iterator]
    afterwards = [due().encode() for _ in range(2)]

    assert at_first == [b"", ping, ping]
    assert frames == [DONE]
    assert afterwards == [b"", ping]
