"""Pulling the plug: the server, then the model alone, in the middle of a stream."""

import json
import os
import signal
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.checks.stream_order import check_stream, parse_stream
from tests.conformance.serving import Served, serving

BETA = {"OpenAI-Beta": "assistants=v2"}
SCRIPT = [
    {"when": "count", "steps": [step for n in range(100) for step in (f"{n} ", {"pause": 0.03})]},
    ["Yes."],
]
COUNTED = "".join(f"{n} " for n in range(100))


def call(served: Served, method: str, path: str, body: object = None) -> dict:
    response = httpx.request(method, served.base_url + path, json=body, headers=BETA, timeout=60)
    assert response.status_code == 200, response.text
    return response.json()


def deltas(served: Served, path: str, body: dict) -> Iterator[dict]:
    """The events of a stream as they arrive, for as long as the line holds."""
    with httpx.stream("POST", served.base_url + path, json=body, headers=BETA, timeout=60) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                yield json.loads(line[6:])


def text_of(events: list) -> str:
    return next(data for name, data in events if name == "thread.message.completed")["content"][0]["text"][
        "value"
    ]


@pytest.mark.timeout(120)
def test_a_killed_server_goes_on_where_it_was(tmp_path):
    with serving(tmp_path, SCRIPT) as served:
        assistant = call(served, "POST", "/assistants", {"model": "m"})
        thread = call(served, "POST", "/threads", {"messages": [{"role": "user", "content": "count"}]})
        path, seen, run = f"/threads/{thread['id']}/runs", "", {}
        try:
            for event in deltas(served, path, {"assistant_id": assistant["id"], "stream": True}):
                run = event if event["object"] == "thread.run" else run
                if event["object"] == "thread.message.delta":
                    seen += event["delta"]["content"][0]["text"]["value"]
                    if len(seen) > 60:
                        served.kill()
        except httpx.HTTPError:
            pass
        assert COUNTED.startswith(seen)

        again = served.again()
        try:
            again.ready()
            raw = httpx.get(f"{again.base_url}{path}/{run['id']}/events", headers=BETA, timeout=60).content
            events = check_stream(parse_stream(raw))
            after = call(
                again, "POST", f"/threads/{thread['id']}/messages", {"role": "user", "content": "again?"}
            )
            [*_, last] = deltas(again, path, {"assistant_id": assistant["id"], "stream": True})
        finally:
            again.stop()

        shown = "".join(
            data["delta"]["content"][0]["text"]["value"]
            for name, data in events
            if name == "thread.message.delta"
        )
        assert events[-1][0] == "thread.run.completed"
        assert shown == text_of(events) == COUNTED
        assert after["role"] == "user"
        assert last["status"] == "completed"


@pytest.mark.model
@pytest.mark.timeout(180)
def test_a_killed_model_is_replaced_and_the_answer_goes_on(tmp_path):
    question = {"messages": [{"role": "user", "content": "What is artificial intelligence?"}]}
    with serving(tmp_path) as served:
        assistant = call(served, "POST", "/assistants", {"model": "m", "temperature": 0.0})
        body = {"assistant_id": assistant["id"], "thread": question, "stream": True}
        undisturbed = "".join(
            event["delta"]["content"][0]["text"]["value"]
            for event in deltas(served, "/threads/runs", body)
            if event["object"] == "thread.message.delta"
        )
        killed, seen, last = threading.Event(), "", {}
        for event in deltas(served, "/threads/runs", body):
            last = event
            if event["object"] == "thread.message.delta":
                seen += event["delta"]["content"][0]["text"]["value"]
                if not killed.is_set():
                    os.kill(served.ready()["engine"]["details"]["pid"], signal.SIGKILL)
                    killed.set()

        assert killed.is_set()
        assert last["status"] == "completed"
        assert seen == undisturbed
        assert served.process.poll() is None
