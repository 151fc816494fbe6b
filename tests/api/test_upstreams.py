"""What clients of runs and of chat completions see of an upstream server's answers and refusals."""

from typing import Any

import pytest

from tests.api.conftest import made, refusal
from tests.api.test_completions import frames
from tests.engine.upstreams import TOOL, asking, delta, end, replies, streams, usage

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]


async def a_run(http: Any, **given: Any) -> dict[str, Any]:
    """A run of a new assistant, at its end or its pause."""
    assistant = await made(http, "/v1/assistants", model="m", **given)
    run = await made(http, "/v1/threads/runs", assistant_id=assistant["id"], thread={"messages": HELLO})
    path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}"
    found: dict[str, Any] = (await http.get(path, params={"wait": 60})).json()
    return found


def cut_call(arguments: str = '{"city": "Par') -> Any:
    """An answer that its limit cuts in the middle of a call."""
    call = {"index": 0, "id": "call_a", "function": {"name": "get_weather", "arguments": arguments}}
    return streams(delta(tool_calls=[call]), end("length"), usage(9, 30))


async def test_a_run_whose_call_was_cut_is_incomplete(open_client):
    async with asking(cut_call()) as (engine, _), open_client(engine, works=True) as http:
        run = await a_run(http, tools=[TOOL])
        steps = (await http.get(f"/v1/threads/{run['thread_id']}/runs/{run['id']}/steps?order=asc")).json()

    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert [(step["type"], step["status"]) for step in steps["data"]] == [
        ("tool_calls", "failed"),
        ("message_creation", "completed"),
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_completion_whose_call_was_cut_ends_with_length(open_client, stream):
    async with asking(cut_call()) as (engine, _), open_client(engine, works=True) as http:
        body = {"model": "m", "messages": HELLO, "tools": [TOOL], "stream": stream}
        response = await http.post(CHAT, json=body)

    if stream:
        assert frames(response.content)[-1]["choices"][0]["finish_reason"] == "length"
        return
    [choice] = response.json()["choices"]
    assert choice["finish_reason"] == "length"
    assert "tool_calls" not in choice["message"]


@pytest.mark.parametrize("status", [400, 422])
async def test_what_the_upstream_refuses_is_the_requests_fault(open_client, status):
    refused = replies(status, {"error": {"message": "Unknown parameter: 'x'."}})
    async with asking(*[refused] * 3) as (engine, upstream), open_client(engine, works=True) as http:
        run = await a_run(http)
        whole = await http.post(CHAT, json={"model": "m", "messages": HELLO})
        stream = await http.post(CHAT, json={"model": "m", "messages": HELLO, "stream": True})

    assert run["last_error"] == {"code": "invalid_prompt", "message": "Unknown parameter: 'x'."}
    for response in (whole, stream):
        assert refusal(response) == (400, "Unknown parameter: 'x'.", None, "invalid_prompt")
    assert len(upstream.bodies) == 3


async def test_half_a_character_does_not_stop_a_run(open_client):
    answer = streams(delta(content="Hi \ud83d"), delta(content="\ude00 \ude00"), end(), usage(9, 2))
    async with asking(answer) as (engine, _), open_client(engine, works=True) as http:
        run = await a_run(http)
        messages = (await http.get(f"/v1/threads/{run['thread_id']}/messages")).json()

    assert run["status"] == "completed"
    assert messages["data"][0]["content"][0]["text"]["value"] == "Hi \U0001f600 \ufffd"
