"""Half of a surrogate pair is no text, and no database takes it: what becomes of the run that it comes in."""

import json

import pytest

from assistants_api.agent.tools import code_of
from assistants_api.domain.event import MessageDelta, ToolCallDelta
from assistants_api.domain.prompt import CallPiece, Text, ToolCall
from assistants_api.domain.run import RunStatus
from assistants_api.domain.sandbox import Logs
from assistants_api.engine.script import Fail, Turn, Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.runs import RunLimits
from assistants_api.tools.code_interpreter import Answer
from tests.conftest import until
from tests.worker.conftest import user
from tests.worker.test_runs import WEATHER
from tests.worker.test_written_calls import written

HALF = "\ud83d"
SEARCH = {"type": "file_search"}


async def test_it_costs_only_its_own_run(open_house):
    words = [Text(f"{n} ") for n in range(20)]
    engine = ScriptedEngine(
        [
            Turn((Text("0 "), Wait("go"), *words), when="Count"),
            Turn((Text("So "), Text("far."), Wait("go"), Text(HALF), Text("Never told.")), when="Break"),
        ]
    )
    async with open_house(engine) as house:
        runs = [await house.start(user("Count")), await house.start(user("Break"))]

        async def are_open() -> bool:
            return all([await house.messages(run) for run in runs])

        await until(are_open)
        engine.release("go")
        said = []
        for run in runs:
            events = [entry.event for entry in await house.events(run)]
            said.append("".join(event.text for event in events if isinstance(event, MessageDelta)))

        innocent, guilty = [await house.run(run) for run in runs]
        assert (innocent.status, innocent.last_error) == (RunStatus.COMPLETED, None)
        assert guilty.status is RunStatus.FAILED
        assert "half of a surrogate pair" in guilty.last_error["message"]
        assert said == ["0 " + "".join(word.text for word in words), "So far."]
        assert [message.text for run in runs for message in await house.messages(run)] == said


@pytest.mark.parametrize(
    "script",
    [
        [Text(HALF)],
        [CallPiece("call_1", "get_weather", '{"city": "'), CallPiece("call_1", "get_weather", HALF)],
        [ToolCall("call_1", "get_weather", f'{{"city": "{HALF}"}}')],
        [ToolCall("call_1", "file_search", f'{{"query": "{HALF}"}}')],
        [Text("Well."), Fail(f"The server said {HALF}.")],
    ],
)
async def test_wherever_it_stands_the_run_ends(open_house, script):
    async with open_house(ScriptedEngine([script])) as house:
        tools = [WEATHER, SEARCH] if "file_search" in repr(script) else [WEATHER]
        run = await house.start(tools=tools)
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.FAILED


class Broken:
    """A tool whose answer holds half a pair."""

    async def run(self, key, code, files=(), **given):
        yield Logs(HALF)
        yield Answer(HALF, False)


async def test_a_tool_that_shows_it_fails_its_run(open_house):
    engine = ScriptedEngine([[ToolCall("call_1", "code_interpreter", "1")]])
    async with open_house(engine, interpreter=Broken()) as house:
        run = await house.start(tools=[{"type": "code_interpreter"}], limits=RunLimits(no_code=None))
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.FAILED


class Counting:
    """An interpreter that says what it was asked to run."""

    async def run(self, key, code, files=(), **given):
        yield Answer(code, False)


@pytest.mark.parametrize("by", [1, 3, 1000])
async def test_code_that_names_it_is_run_with_a_mark_in_its_place(open_house, by):
    arguments = json.dumps({"code": f"print('{HALF}', '\U0001f600', '{HALF}')"})
    engine = ScriptedEngine([written("call_1", "code_interpreter", arguments, by), [Text("Done.")]])
    async with open_house(engine, interpreter=Counting()) as house:
        run = await house.start(tools=[{"type": "code_interpreter"}], limits=RunLimits(no_code=None))
        entries = await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
        step, _ = await house.steps(run)
        [call] = step.tool_calls
        code = "print('\ufffd', '\U0001f600', '\ufffd')"
        assert call["code_interpreter"]["input"] == call["output"] == code == code_of(arguments)
        shown = [entry.event.arguments for entry in entries if isinstance(entry.event, ToolCallDelta)]
        assert "".join(shown) == code
