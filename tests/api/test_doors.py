"""What every reply carries, the Azure root, health, metrics, operations to come, and streams that break."""

import json
import re
import time

import pytest

from assistants_api.api.later import LATER
from assistants_api.domain.prompt import Text
from assistants_api.engine.measures import Measures
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.store.log import Log
from tests.api.conftest import BETA, client_over, made, refusal

AZURE = "?api-version=2024-05-01-preview"
NO_BETA = {"OpenAI-Beta": ""}


@pytest.mark.parametrize(
    "path", ["/v1/assistants", "/v1/threads/undefined", "/v1/foo", "/foo", "/health/live"]
)
async def test_every_reply_has_an_id_and_a_time(http, path):
    first, second = await http.get(path), await http.get(path)

    assert re.fullmatch("req_[0-9a-f]{32}", first.headers["x-request-id"])
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["openai-processing-ms"].isdigit()
    if path.startswith("/v1"):
        assert first.headers["openai-version"] == "2020-10-01"
        assert first.headers["openai-organization"]


@pytest.mark.parametrize("root", ["/openai", "/openai/v1"])
async def test_azure_clients_need_no_beta_header_and_name_any_api_version(http, root):
    created = await http.post(f"{root}/assistants{AZURE}", json={"model": "m"}, headers=NO_BETA)
    found = await http.get(f"{root}/assistants/{created.json()['id']}{AZURE}", headers=NO_BETA)
    unknown = await http.get(f"{root}/assistants{AZURE}&offset=1", headers=NO_BETA)

    assert found.json() == created.json()
    assert refusal(unknown)[2:] == ("offset", "unknown_parameter")


async def test_an_azure_client_with_a_wrong_key_reads_the_azure_shape(open_client):
    async with open_client(api_keys=("right",)) as http:
        wrong = await http.get("/openai/assistants" + AZURE, headers={"api-key": "wrong"})
        bearer = await http.get("/openai/assistants" + AZURE, headers={"Authorization": "Bearer right"})

        assert wrong.status_code == 401
        assert wrong.json()["error"]["code"] == "401"
        assert wrong.json()["error"]["message"].startswith("Access denied due to invalid subscription key")
        assert bearer.status_code == 200


@pytest.mark.parametrize("value", [b"Basic \xe9", b"Basic !", b"Basic /w==", b"Bearer", b"Bearer \xe9", b"x"])
async def test_a_mangled_key_is_a_wrong_key(open_client, value):
    async with open_client(api_keys=("right",)) as http:
        response = await http.get("/v1/models", headers=[(b"authorization", value)])

        assert refusal(response)[0] == 401


async def test_browsers_cannot_send_the_beta_header_so_events_need_none(http):
    assistant = await made(http, "/v1/assistants", model="m", instructions="x")
    run = await made(http, "/v1/threads/runs", assistant_id=assistant["id"])
    path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/events"

    bad = await http.get(path, headers={**NO_BETA, "Last-Event-ID": "first"})

    assert refusal(bad)[2:] == ("Last-Event-ID", "invalid_value")


async def test_a_run_that_is_not_final_says_when_to_poll(http):
    assistant = await made(http, "/v1/assistants", model="m", instructions="x")

    response = await http.post("/v1/threads/runs", json={"assistant_id": assistant["id"]})

    assert response.headers["openai-poll-after-ms"] == "50"


async def test_readiness_follows_the_engine(open_client):
    async with open_client(ScriptedEngine([], state="loading")) as http:
        loading = await http.get("/health/ready")
        live = await http.get("/health/live")
    async with open_client(ScriptedEngine([])) as http:
        ready = await http.get("/health/ready")

    assert (loading.status_code, loading.json()["engine"]["state"]) == (503, "loading")
    assert live.status_code == 200
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["database"]["name"] == "sqlite"


async def test_requests_are_counted_by_route_and_never_by_made_up_words(http):
    await http.get("/v1/threads/thread_1")
    await http.request("BREW", "/v1/assistants")

    text = (await http.get("/metrics")).text

    assert re.search(r'requests_total\{method="GET",route="[^"]*\{thread_id\}",status="404"\} 1\.0', text)
    assert 'method="other"' in text
    assert "BREW" not in text
    assert "thread_1" not in text


@pytest.mark.parametrize(("method", "path", "operation"), LATER, ids=[row[2] for row in LATER])
async def test_each_operation_to_come_is_refused_by_name(http, method, path, operation):
    response = await http.request(method, "/v1" + re.sub(r"\{\w+\}", "x_1", path))

    status, message, _, code = refusal(response)
    assert (status, code) == (501, "not_implemented")
    assert operation in message
    assert response.headers["x-should-retry"] == "false"


async def test_a_crash_is_not_sent_again_by_clients_unless_it_only_read(http, monkeypatch):
    from assistants_api.services import assistants

    async def broken(*args):
        raise RuntimeError

    monkeypatch.setattr(assistants, "create_assistant", broken)
    monkeypatch.setattr(assistants, "list_assistants", broken)

    wrote = await http.post("/v1/assistants", json={"model": "m"})
    read = await http.get("/v1/assistants")

    assert wrote.status_code == read.status_code == 500
    assert wrote.headers["x-should-retry"] == "false"
    assert "x-should-retry" not in read.headers


async def test_a_stream_that_breaks_says_so_and_ends(http, monkeypatch):
    async def broken(self, channel, after=0, until_final=False):
        raise RuntimeError("secret detail")
        yield

    assistant = await made(http, "/v1/assistants", model="m", instructions="x")
    monkeypatch.setattr(Log, "follow", broken)

    response = await http.post("/v1/threads/runs", json={"assistant_id": assistant["id"], "stream": True})

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    error, done = response.text.strip().split("\n\n")
    assert error.startswith("event: error\ndata: ")
    assert set(json.loads(error.split("data: ")[1])["error"]) == {"message", "type", "param", "code"}
    assert "secret" not in error
    assert done == "event: done\ndata: [DONE]"


@pytest.mark.parametrize(
    ("headers", "ids"),
    [
        ({"accept": "*/*"}, 11),
        ({"accept": "*/*", "sec-fetch-mode": "cors"}, 0),  # fetch, in pages and in Node
        ({"accept": "*/*", "user-agent": "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)"}, 0),
        ({"accept": "*/*", "user-agent": "Bun/1.4.5"}, 0),
        ({"accept": "*/*", "user-agent": "Deno/2.9.6"}, 0),
        ({"accept": "*/*", "user-agent": "com.openai.unity"}, 0),
        ({"accept": "*/*", "user-agent": "UnityPlayer/2022.3.62f1 (UnityWebRequest/1.0, libcurl/8.5.0)"}, 0),
        ({"accept": ""}, 0),  # as without: Node's own http, undici, got, superagent
        ({"accept": "text/event-stream", "user-agent": "node-fetch"}, 11),
        ({"accept": "application/json"}, 0),
        ({"accept": "application/json, text/plain, */*"}, 0),
        ({"accept": "text/event-stream"}, 11),
        ({"accept": "TEXT/Event-Stream;q=1", "sec-fetch-mode": "cors"}, 11),
        ({"accept": "application/json, text/event-stream"}, 11),
    ],
)
async def test_a_run_streams_as_the_original_did_to_scripts_that_do_not_ask_for_event_streams(
    open_client, headers, ids
):
    """Readers that apps wrote for the original take all that follows `data: ` in an event for JSON."""
    async with open_client(ScriptedEngine([[Text("Yes.")]]), works=True) as http:
        assistant = await made(http, "/v1/assistants", model="m")
        thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "Well?"}])
        url = f"/v1/threads/{thread['id']}/runs"

        asked = {"assistant_id": assistant["id"], "stream": True}
        streamed = (await http.post(url, json=asked, headers=headers)).text
        run = (await http.get(url)).json()["data"][0]
        followed = (await http.get(f"{url}/{run['id']}/events", headers=headers)).text

    assert len(re.findall(r"^id: \d+$", streamed, re.MULTILINE)) == ids
    for event in streamed.split("\n\n")[:-2] if not ids else ():
        assert json.loads(event[event.index("data: ") + 6 :])["object"].startswith("thread.")
    assert re.sub(r"\nid: \d+\n", "\n", followed) == re.sub(r"\nid: \d+\n", "\n", streamed)
    assert "\nid: 1\n" in followed


async def test_proxies_are_told_to_pass_a_stream_on_as_it_comes(open_client):
    """`no-transform`, or the compression of Express, Next.js and webpack's dev server keeps it until its end."""
    async with open_client(ScriptedEngine([[Text("Yes.")]] * 2), works=True) as http:
        assistant = await made(http, "/v1/assistants", model="m", instructions="x")
        asked = {"model": "m", "messages": [{"role": "user", "content": "Well?"}], "stream": True}

        run = await http.post("/v1/threads/runs", json={"assistant_id": assistant["id"], "stream": True})
        chat = await http.post("/v1/chat/completions", json=asked)

    for response in (run, chat):
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize(
    ("origin", "status"), [("https://page.example", 200), ("https://other.example", 400)]
)
async def test_a_named_page_of_a_public_host_may_call_a_private_address(open_client, origin, status):
    """Chromium up to 141 asks for it before a page from the internet calls this machine or its network."""
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,openai-beta",
        "access-control-request-private-network": "true",
    }
    async with open_client(cors_origins=("https://page.example",)) as http:
        preflight = await http.options("/v1/threads/runs", headers=asked)

    assert preflight.status_code == status
    assert (preflight.headers.get("access-control-allow-origin") == origin) == (status == 200)
    assert status != 200 or preflight.headers["access-control-allow-private-network"] == "true"


async def test_cors_is_only_there_when_asked_for(open_client):
    ask = {"Origin": "http://page", "Access-Control-Request-Method": "POST"}
    async with open_client(cors_origins=("http://page",), api_keys=("k",)) as http:
        allowed = await http.options("/v1/threads", headers=ask)
        read = await http.post(
            "/v1/moderations", json={}, headers={"Origin": "http://page", "authorization": "Bearer k"}
        )
    async with open_client() as http:
        silent = await http.get("/v1/models", headers={**BETA, "Origin": "http://page"})

    assert allowed.headers["access-control-allow-origin"] == "http://page"
    exposed = read.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "x-should-retry", "retry-after", "retry-after-ms", "content-disposition"} <= set(
        exposed
    )
    assert "access-control-allow-origin" not in silent.headers


async def test_metrics_tell_the_state_of_every_upstream_server(sqlite_db) -> None:
    server = {
        "url": "http://a/v1",
        "model": "m",
        "circuit": "open",
        "open_turns": 3,
        "turns": 9,
        "failures": 2,
    }
    engine = ScriptedEngine([], details={"upstreams": [server]})
    async with client_over(sqlite_db, engine) as http:
        text = (await http.get("/metrics")).text
        shown = (await http.get("/health/ready")).json()["engine"]["details"]["upstreams"]

    labels = 'model="m"'
    assert f'assistants_upstream_circuit{{{labels},state="open",upstream="http://a/v1"}} 1.0' in text
    assert f'assistants_upstream_circuit{{{labels},state="closed",upstream="http://a/v1"}} 0.0' in text
    assert f'assistants_upstream_open_turns{{{labels},upstream="http://a/v1"}} 3.0' in text
    assert f'assistants_upstream_turns_total{{{labels},upstream="http://a/v1"}} 9.0' in text
    assert f'assistants_upstream_failures_total{{{labels},upstream="http://a/v1"}} 2.0' in text
    assert shown == [server]


async def test_metrics_tell_what_the_engine_measured_and_what_waits(sqlite_db) -> None:
    measures = Measures()
    for seconds in (0.0, 0.2, 99.0):
        measures.token(time.monotonic() - seconds, None)
    details = {"active_rows": 2, "generated_tokens": 40, "restarts": 1, "measures": measures.told()}
    async with client_over(sqlite_db, ScriptedEngine([], details=details)) as http:
        assistant = await made(http, "/v1/assistants", model="m", instructions="Wait.")
        await made(http, "/v1/threads/runs", assistant_id=assistant["id"])
        text = (await http.get("/metrics")).text

    model = 'model="scripted"'
    assert f"assistants_engine_active_rows{{{model}}} 2.0" in text
    assert f"assistants_engine_generated_tokens_total{{{model}}} 40.0" in text
    assert f"assistants_engine_restarts_total{{{model}}} 1.0" in text
    assert f'assistants_engine_first_token_seconds_bucket{{le="0.025",{model}}} 1.0' in text
    assert f'assistants_engine_first_token_seconds_bucket{{le="+Inf",{model}}} 3.0' in text
    assert f"assistants_engine_first_token_seconds_count{{{model}}} 3.0" in text
    assert "assistants_engine_parked_bytes" not in text
    assert 'assistants_jobs_waiting{kind="run"} 1.0' in text
    assert 'assistants_jobs_waiting{kind="webhook"} 0.0' in text
    assert re.search(r'assistants_jobs_oldest_seconds\{kind="run"\} \d', text)
    assert 'assistants_runs{status="queued"} 1.0' in text
