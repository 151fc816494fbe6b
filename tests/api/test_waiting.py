"""`GET run?wait=`: the answer comes when there is something to do or nothing left to wait for."""

import asyncio

import pytest

from assistants_api.domain.prompt import Text, ToolCall
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from tests.api.conftest import made, refusal

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


async def started(http, **fields):
    assistant = await made(http, "/v1/assistants", model="gpt-4o", **fields)
    thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "Hello"}])
    run = await made(http, f"/v1/threads/{thread['id']}/runs", assistant_id=assistant["id"])
    return f"/v1/threads/{thread['id']}/runs/{run['id']}"


async def test_the_answer_comes_when_the_run_ends(open_client):
    engine = ScriptedEngine([[Text("Hello "), Wait("go"), Text("you.")]])
    async with open_client(engine, works=True) as http:
        path = await started(http)
        waiting = asyncio.create_task(http.get(path, params={"wait": 60}))
        shown = (await http.get(path, params={"wait": 0})).json()["status"]

        engine.release("go")

        assert shown in ("queued", "in_progress")
        assert (await waiting).json()["status"] == "completed"
        assert (await http.get(path, params={"wait": 60})).json()["status"] == "completed"


async def test_the_answer_comes_when_an_action_is_required_and_not_again_for_the_same(open_client):
    call = ToolCall(id="call_a", name="get_weather", arguments="{}")
    engine = ScriptedEngine([[call], [Wait("go"), Text("Cold.")]])
    async with open_client(engine, works=True) as http:
        path = await started(http, tools=[TOOL])
        run = (await http.get(path, params={"wait": 60})).json()
        [asked] = run["required_action"]["submit_tool_outputs"]["tool_calls"]

        outputs = [{"tool_call_id": asked["id"], "output": "3 degrees"}]
        await made(http, f"{path}/submit_tool_outputs", tool_outputs=outputs)
        waiting = asyncio.create_task(http.get(path, params={"wait": 60}))
        engine.release("go")

        assert run["status"] == "requires_action"
        assert (await waiting).json()["status"] == "completed"


async def test_after_the_seconds_the_run_is_shown_as_it_is(http):
    path = await started(http)

    assert (await http.get(path, params={"wait": 0.01})).json()["status"] == "queued"


@pytest.mark.parametrize("seconds", ["-1", "61", "soon", "nan"])
async def test_other_waits_are_refused_by_name(http, seconds):
    path = await started(http)

    status, _, param, _ = refusal(await http.get(path, params={"wait": seconds}))

    assert (status, param) == (400, "wait")
