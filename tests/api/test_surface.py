"""What is around the protocol: /assist, Azure paths, headers, health, metrics, browsers of other origins."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from assistants_api.api import counts, document
from assistants_api.domain.errors import DatabaseAway
from assistants_api.domain.prompt import Text, ToolCall
from assistants_api.domain.secret import digest, hint, new_secret
from assistants_api.engine.script import Fail
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.store.keys import ApiKey
from tests.api.conftest import made, refusal
from tests.checks.stream_order import check_stream, parse_stream
from tests.conftest import until


async def test_assist_answers_and_goes_on_with_its_thread(open_client):
    engine = ScriptedEngine([[Text("Hello.")], [Text("Again.")]])
    async with open_client(engine, works=True) as http:
        first = (await http.post("/assist", json={"question": "Hi"})).json()
        second = (
            await http.post("/v1/assist", json={"question": "And?", "thread_id": first["thread_id"]})
        ).json()
        assistants = (await http.get("/v1/assistants")).json()["data"]

        assert set(first) == {"response", "thread_id", "run_id", "model", "usage"}
        assert (first["response"], second["response"]) == ("Hello.", "Again.")
        assert second["thread_id"] == first["thread_id"]
        assert [message.content for message in engine.prompts[1].messages] == ["Hi", "Hello.", "And?"]
        assert [assistant["name"] for assistant in assistants] == ["assist"]


async def test_assist_streams_the_runs_events(open_client):
    async with open_client(works=True) as http:
        response = await http.post("/assist", json={"question": "Hi", "stream": True})

        events = check_stream(parse_stream(response.content))
        assert events[0][0] == "thread.created"
        assert events[-1][0] == "thread.run.completed"


async def test_assist_says_why_there_is_no_answer(open_client):
    tool = {"type": "function", "function": {"name": "f"}}
    engine = ScriptedEngine([[Fail("No memory.")], [ToolCall("call_a", "f", "{}")]])
    async with open_client(engine, works=True) as http:
        assistant = await made(http, "/v1/assistants", model="m", tools=[tool])

        failed = await http.post("/assist", json={"question": "Hi"})
        waits = await http.post("/assist", json={"question": "Hi", "assistant_id": assistant["id"]})
        empty = await http.post("/assist", json={"question": ""})

        assert refusal(failed)[0] == 502
        assert "No memory." in refusal(failed)[1]
        assert (refusal(waits)[0], refusal(waits)[2]) == (400, "assistant_id")
        assert "waits for the output of a function" in refusal(waits)[1]
        assert failed.headers["x-should-retry"] == "false"
        assert refusal(empty)[2:] == ("question", "empty_string")


@pytest.mark.parametrize("root", ["/openai", "/openai/v1"])
async def test_azure_clients_need_no_beta_header_and_send_their_version(http, root):
    made_there = await http.post(
        f"{root}/assistants?api-version=2024-05-01-preview", json={"model": "m"}, headers={"OpenAI-Beta": ""}
    )
    seen_here = await http.get(f"/v1/assistants/{made_there.json()['id']}")

    assert seen_here.json() == made_there.json()


async def test_every_answer_has_its_headers(http):
    good, bad = await http.get("/v1/models"), await http.get("/v1/threads/thread_x")

    for response in (good, bad):
        assert len(response.headers["x-request-id"]) == len("req_") + 32
        assert response.headers["openai-processing-ms"].isdigit()
        assert response.headers["openai-version"] == "2020-10-01"
    assert good.headers["x-request-id"] != bad.headers["x-request-id"]


async def test_runs_that_are_not_final_say_when_to_poll(http):
    assistant = await made(http, "/v1/assistants", model="m", instructions="x")
    created = await http.post("/v1/threads/runs", json={"assistant_id": assistant["id"]})
    path = f"/v1/threads/{created.json()['thread_id']}/runs/{created.json()['id']}"
    await http.post(f"{path}/cancel")

    assert 1 <= int(created.headers["openai-poll-after-ms"]) <= 250
    assert "openai-poll-after-ms" not in (await http.get(path)).headers


async def test_readiness_tells_the_reason(open_client):
    async with open_client(ScriptedEngine([], state="failed", reason="The folder is empty.")) as http:
        ready = await http.get("/health/ready")

        assert ready.status_code == 503
        assert ready.json()["engine"]["reason"] == "The folder is empty."
        assert (await http.get("/health/live")).status_code == 200
        # What many balancers and monitors ask with.
        assert (await http.head("/health/ready")).status_code == 503
        assert (await http.head("/health/live")).status_code == 200


async def test_a_server_without_a_worker_is_ready_without_a_model(open_client):
    async with open_client(ScriptedEngine([], state="stopped"), has_worker=False) as http:
        assert (await http.get("/health/ready")).status_code == 200


async def test_nobody_waits_while_the_document_is_made(http, monkeypatch):
    begun, another_was_answered = threading.Event(), threading.Event()

    def make(app):
        begun.set()
        assert another_was_answered.wait(timeout=30)
        return {"openapi": "3.1.0"}

    monkeypatch.setattr(document, "_build", make)
    reading = asyncio.create_task(http.get("/openapi.json"))
    await until(begun.is_set)

    assert (await http.get("/health/live")).status_code == 200
    another_was_answered.set()
    assert (await reading).json() == {"openapi": "3.1.0"}


@asynccontextmanager
async def away(**given):
    raise DatabaseAway("The database is away.")
    yield


@asynccontextmanager
async def silent(**given):
    await asyncio.Event().wait()
    yield


@pytest.mark.parametrize("database", [away, silent])
async def test_what_needs_no_database_is_told_without_it(open_client, sqlite_db, monkeypatch, database):
    """It may be away, or say nothing: frozen, or on a disk that hangs."""
    monkeypatch.setattr(counts, "PATIENCE_SECONDS", 0.1)
    async with open_client(api_keys=("a-key-that-is-long",)) as http:
        monkeypatch.setattr(sqlite_db, "read", database)
        ready = await http.get("/health/ready")
        key = {"Authorization": "Bearer a-key-that-is-long"}
        metrics = await http.get("/metrics", headers=key)

    assert ready.status_code == 503
    assert ready.json()["database"]["state"] == "failed"
    assert ready.json()["database"]["reason"].startswith("The database ")
    assert metrics.status_code == 200
    assert "assistants_http_open_requests 1.0" in metrics.text
    assert "assistants_jobs_waiting{" not in metrics.text


async def test_requests_are_counted_by_route(http):
    await http.get("/v1/models")
    await http.get("/v1/threads/thread_x")

    text = (await http.get("/metrics")).text

    assert 'assistants_http_requests_total{method="GET",route="/v1/models",status="200"} 1.0' in text
    assert 'status="404"} 1.0' in text


async def test_keys_of_the_database_open_the_door_until_they_are_revoked(open_client, sqlite_db):
    secret = new_secret()
    async with sqlite_db.begin() as tx:
        await tx.keys.add(ApiKey("key_a", "phone", hint(secret), digest(secret), await tx.now()))
    async with open_client() as http:
        assert (await http.get("/v1/models")).status_code == 401
        assert (
            await http.get("/v1/models", headers={"Authorization": f"Bearer {secret}"})
        ).status_code == 200
    async with sqlite_db.begin() as tx:
        await tx.keys.revoke("key_a")
    async with open_client(api_keys=("other-key-that-is-long",)) as http:
        assert (
            await http.get("/v1/models", headers={"Authorization": f"Bearer {secret}"})
        ).status_code == 401


async def test_revoking_the_last_key_opens_nothing(open_client, sqlite_db):
    secret = new_secret()
    async with sqlite_db.begin() as tx:
        await tx.keys.add(ApiKey("key_a", "phone", hint(secret), digest(secret), await tx.now()))
        await tx.keys.revoke("key_a")
    async with open_client() as http:
        assert (await http.get("/v1/models")).status_code == 401
        assert (
            await http.get("/v1/models", headers={"Authorization": f"Bearer {secret}"})
        ).status_code == 401


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "proxy.example"}, 200),
        ({"Host": "127.0.0.1:8000"} | BROWSER, 200),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8000"} | BROWSER, 200),
        ({"Host": "[::1]:8000", "Origin": "http://127.0.0.1:3000"} | BROWSER, 200),
        ({"Host": "127.0.0.1:8000", "Origin": "app://chat"} | BROWSER, 200),
        ({"Host": "127.0.0.1:8000", "Origin": "https://chat.example"} | BROWSER, 200),
        # A form of our own page, which tells nobody where it is from.
        ({"Host": "127.0.0.1:8000", "Origin": "null", "Sec-Fetch-Site": "same-origin"} | BROWSER, 200),
        ({"Host": "127.0.0.1:8000", "Origin": "null", "Sec-Fetch-Site": "cross-site"} | BROWSER, 403),
        ({"Host": "evil.example:8000", "Sec-Fetch-Site": "same-origin"} | BROWSER, 403),
        ({"Host": "127.0.0.1:8000", "Origin": "https://evil.example"}, 403),
        ({"Host": "127.0.0.1:8000", "Origin": "null"}, 403),
        ({"Host": "evil.example:8000"} | BROWSER, 403),
        ({"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}, 403),
        ({"Host": "localhost.evil.example", "Origin": "app://chat"} | BROWSER, 403),
    ],
)
async def test_without_a_key_no_page_of_another_host_gets_in(open_client, headers, status):
    """A page may give its own name our address, and post without asking first."""
    async with open_client(cors_origins=("https://chat.example",)) as http:
        answer = await http.get("/v1/models", headers=headers)

        assert answer.status_code == status
        if status == 403:
            assert refusal(answer)[3] == "foreign_page"
    async with open_client(api_keys=("a-key-that-is-long",)) as http:
        with_key = headers | {"Authorization": "Bearer a-key-that-is-long"}
        assert (await http.get("/v1/models", headers=with_key)).status_code == 200


async def test_other_origins_are_let_in_only_by_setting(open_client):
    asks = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST"}
    async with open_client(cors_origins=("https://chat.example",)) as http:
        allowed = await http.options("/v1/assistants", headers=asks)
        other = await http.options("/v1/assistants", headers={**asks, "Origin": "https://evil.example"})
        refused = await http.get(
            "/v1/assistants", headers={"Origin": "https://chat.example", "OpenAI-Beta": ""}
        )
        assert refused.status_code == 400
        assert refused.headers["access-control-allow-origin"] == "https://chat.example"
        assert allowed.headers["access-control-allow-origin"] == "https://chat.example"
        assert "access-control-allow-origin" not in other.headers
    async with open_client() as http:
        assert "access-control-allow-origin" not in (await http.get("/v1/models", headers=asks)).headers


@pytest.mark.parametrize("value", ["x", "-1", "9" * 20, "１"])
async def test_an_event_id_that_is_none_is_refused(http, value):
    assistant = await made(http, "/v1/assistants", model="m", instructions="x")
    run = await made(http, "/v1/threads/runs", assistant_id=assistant["id"])
    path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/events"

    response = await http.get(path, headers={"Last-Event-ID": value.encode()})

    assert refusal(response)[2:] == ("Last-Event-ID", "invalid_value")


async def test_threads_are_found_by_their_metadata(http):
    for n in range(3):
        await made(http, "/v1/threads", metadata={"user": f"u{n % 2}", "n": str(n)})

    found = (await http.get("/v1/threads?metadata[user]=u0&order=asc")).json()["data"]

    assert [thread["metadata"]["n"] for thread in found] == ["0", "2"]


async def test_a_code_session_is_reset_and_an_unknown_thread_is_named(open_client):
    async with open_client() as client:
        thread = (await client.post("/v1/threads", json={})).json()["id"]

        reset = await client.delete(f"/v1/threads/{thread}/code_session")
        missing = await client.delete("/v1/threads/thread_x/code_session")

    assert reset.json() == {"id": thread, "object": "thread.code_session.deleted", "deleted": True}
    assert missing.status_code == 404
    assert "thread_x" in missing.json()["error"]["message"]
