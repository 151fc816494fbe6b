"""A client that leaves a stream: the run goes on, unless the request said otherwise."""

import json

import httpx
import pytest

from tests.conformance.serving import serving

BETA = {"OpenAI-Beta": "assistants=v2"}
SCRIPT = [
    {"when": "finish", "steps": ["One ", {"pause": 0.5}, "two."]},
    {"when": "for ever", "steps": ["One ", {"pause": 3600}]},
    {"when": "sunny", "steps": ["One ", {"pause": 3600}]},
    {"when": "weather", "steps": [{"call": "get_weather", "arguments": {}, "id": "call_a"}]},
]
TOOL = {"type": "function", "function": {"name": "get_weather"}}

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    with (
        serving(tmp_path_factory.mktemp("disconnect"), SCRIPT) as served,
        httpx.Client(base_url=served.base_url, headers=BETA, timeout=30) as client,
    ):
        yield client


def left(http: httpx.Client, path: str, body: dict) -> str:
    """The path of a run whose stream was left after its first words."""
    with http.stream("POST", path, json={**body, "stream": True}) as response:
        assert response.status_code == 200
        run: dict = {}
        for line in response.iter_lines():
            if not run and line.startswith("data: "):
                data = json.loads(line[6:])
                run = data if data["object"] == "thread.run" else {}
            if line == "event: thread.message.delta":
                break
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


def asked(http: httpx.Client, words: str, **fields: object) -> dict:
    assistant = http.post("/assistants", json={"model": "m", "tools": [TOOL]}).json()
    thread = {"messages": [{"role": "user", "content": words}]}
    return {"assistant_id": assistant["id"], "thread": thread, **fields}


def ended(http: httpx.Client, path: str) -> str:
    status: str = http.get(path, params={"wait": 30}).json()["status"]
    return status


def test_a_run_whose_client_left_goes_on(http):
    path = left(http, "/threads/runs", asked(http, "finish"))

    assert ended(http, path) == "completed"


def test_a_run_that_is_to_end_with_its_stream_is_cancelled(http):
    path = left(http, "/threads/runs", asked(http, "for ever", cancel_on_disconnect=True))

    assert ended(http, path) == "cancelled"


def test_on_a_thread_that_was_there_and_for_a_later_leg_too(http):
    body = asked(http, "weather")
    thread = http.post("/threads", json=body.pop("thread")).json()
    run = http.post(f"/threads/{thread['id']}/runs", json=body).json()
    path = f"/threads/{thread['id']}/runs/{run['id']}"
    assert ended(http, path) == "requires_action"
    outputs = [{"tool_call_id": "call_a", "output": "sunny"}]
    left(http, f"{path}/submit_tool_outputs", {"tool_outputs": outputs, "cancel_on_disconnect": True})
    first = ended(http, path)
    http.post(f"/threads/{thread['id']}/messages", json={"role": "user", "content": "for ever"})
    other = left(http, f"/threads/{thread['id']}/runs", {**body, "cancel_on_disconnect": True})

    assert first == "cancelled"
    assert ended(http, other) == "cancelled"


def test_a_stream_that_was_read_to_its_end_cancels_nothing(http):
    with http.stream(
        "POST", "/threads/runs", json=asked(http, "finish", cancel_on_disconnect=True, stream=True)
    ) as response:
        text = response.read().decode()

    assert "event: thread.run.completed" in text


def test_without_a_stream_the_field_is_refused_by_name(http):
    response = http.post("/threads/runs", json=asked(http, "finish", cancel_on_disconnect=True))

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "cancel_on_disconnect"
