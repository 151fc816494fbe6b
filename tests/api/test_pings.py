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


async def asked(http, kind):
    """Where a run or a completion is asked for, and how."""
    if kind == "completion":
        return "/v1/chat/completions", {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "Count."}],
            "stream": True,
        }
    assistant = await made(http, "/v1/assistants", model="gpt-4o")
    thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "Count."}])
    return f"/v1/threads/{thread['id']}/runs", {"assistant_id": assistant["id"], "stream": True}


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("kind", ["run", "completion"])
async def test_a_ping_is_no_event_to_the_official_sdk(sqlite_db, monkeypatch, kind, accept):
    for module in (replies, following):
        monkeypatch.setattr(module, "PING_SECONDS", 0.01)
    engine = ScriptedEngine(QUIET)
    async with client_over(sqlite_db, engine, works=True) as http:
        path, body = await asked(http, kind)
        caller = Caller(http._transport.app, path, body, accept=accept, sdk="python")
        calling = asyncio.create_task(caller.call())
        await until(lambda: b"One, " in caller.received)
        heard = len(caller.received)
        await until(lambda: caller.received[heard:].count(b"ping") >= 3)
        engine.release("go")
        await calling

    events = list(SSEDecoder().iter_bytes(iter([caller.received])))

    assert events[-1].data == "[DONE]"
    assert all(event.data for event in events)


@pytest.mark.parametrize(
    ("agent", "accept", "sdk"),
    [
        ("okhttp/4.12.0", "", ""),
        ("", "", ""),
        ("App/1 CFNetwork/1494.0.7 Darwin/23.4.0", "*/*", ""),
        ("app azsdk-java-azure-ai-openai-assistants/1.0.0-beta.5 (17.0.2; Linux)", "application/json", ""),
        ("azsdk-python-ai-inference/1.0.0b9 Python/3.11.2 (Linux)", "application/json", ""),
        ("OpenAI/Go 1.12.0", "application/json", "go"),
        ("Go-http-client/1.1", "", ""),
        ("OpenAI-DotNet", "", ""),
        ("com.openai.unity", "*/*", ""),
        ("req/0.5.10", "", ""),
        ("curl/8.11.1", "*/*", ""),
        ("python-httpx/0.28.1", "*/*", ""),
    ],
)
@pytest.mark.parametrize("kind", ["run", "completion"])
async def test_clients_that_may_fail_on_comments_hear_none(sqlite_db, monkeypatch, kind, agent, accept, sdk):
    """They take a comment for JSON, or its blank line for an event without data, and end the stream."""
    for module in (replies, following):
        monkeypatch.setattr(module, "PING_SECONDS", 0.01)
    engine = ScriptedEngine(QUIET)
    async with client_over(sqlite_db, engine, works=True) as http:
        path, body = await asked(http, kind)
        caller = Caller(http._transport.app, path, body, accept=accept, agent=agent, sdk=sdk)
        calling = asyncio.create_task(caller.call())
        await until(lambda: b"One, " in caller.received)
        heard = caller.silences
        await until(lambda: caller.silences >= heard + 3)
        engine.release("go")
        await calling

    lines = caller.received.decode().split("\n")
    assert {line.partition(":")[0] for line in lines if line} <= {"event", "data", "id"}
    assert "\n\n\n" not in caller.received.decode()


async def test_a_ping_is_in_no_frame_of_a_reader_that_knows_no_ids(sqlite_db, monkeypatch):
    """Such a reader takes what lies between two blank lines, and looks how that begins."""
    monkeypatch.setattr(replies, "PING_SECONDS", 0.02)
    engine = ScriptedEngine(QUIET)
    async with client_over(sqlite_db, engine, works=True) as http:
        path, body = await asked(http, "run")
        caller = Caller(http._transport.app, path, body, accept="application/json", sdk="js")
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
