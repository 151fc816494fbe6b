"""Calls whose arguments are shown while the model writes them, and what becomes of those that come to nothing."""

import itertools
import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from assistants_api.agent.tools import code_of, code_so_far
from assistants_api.domain.event import ToolCallDelta, ToolCallStarted
from assistants_api.domain.message import MessageStatus
from assistants_api.domain.prompt import CallPiece, Stop, Text, ToolCall
from assistants_api.domain.run import RunStatus
from assistants_api.domain.step import StepStatus
from assistants_api.domain.text import is_whole
from assistants_api.domain.usage import Usage
from assistants_api.engine.script import Fail, Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.runs import cancel_run
from tests.conftest import until
from tests.worker.conftest import house_over
from tests.worker.test_runs import WEATHER, names

ARGUMENTS = '{"city": "Paris"}'
SEARCH = {"type": "file_search"}
NOW = datetime.now(UTC)


def written(id="call_1", name="get_weather", arguments=ARGUMENTS, by=6):
    """A call that comes in pieces of `by` characters before it is whole."""
    pieces = [arguments[at : at + by] for at in range(0, len(arguments), by)]
    return [*(CallPiece(id, name, piece) for piece in pieces), ToolCall(id, name, arguments)]


def deltas(entries):
    """The arguments that were shown of each call."""
    shown = {}
    for entry in entries:
        if isinstance(entry.event, ToolCallDelta):
            shown.setdefault((entry.event.step_id, entry.event.index), []).append(entry.event.arguments)
    return list(shown.values())


async def shows(house, run, kind, number=1):
    """Whether so many events of a kind are in the run's log."""
    async with house.db.read() as tx:
        entries = await tx.events.after(run.id, 0)
    return sum(isinstance(entry.event, kind) for entry in entries) >= number


async def test_arguments_are_shown_in_the_pieces_in_which_they_are_written(open_house):
    script = [[Text("Let me see."), *written(), *written("call_2", by=20), Stop("tool_calls", Usage(9, 4))]]
    async with open_house(ScriptedEngine(script)) as house:
        run = await house.start(tools=[WEATHER])
        entries = await house.events(run)

        assert deltas(entries) == [['{"city', '": "Pa', 'ris"}'], [ARGUMENTS]]
        message, step = await house.steps(run)
        assert (message.status, step.status) == (StepStatus.COMPLETED, StepStatus.IN_PROGRESS)
        assert [call["function"]["arguments"] for call in step.tool_calls] == [ARGUMENTS] * 2
        assert names(entries)[-2:] == ["ToolCallDelta", "RunMoved:requires_action"]
        started = [entry.event for entry in entries if isinstance(entry.event, ToolCallStarted)]
        assert [(event.index, event.call_id) for event in started] == [(0, "call_1"), (1, "call_2")]
        assert {event.step_id for event in started} == {step.id}
        assert (await house.run(run)).spent == Usage(9, 4)


async def test_a_whole_call_after_words_has_a_step_of_its_own(open_house):
    async with open_house(ScriptedEngine([[Text("Let me see."), *written()[-1:]]])) as house:
        run = await house.start(tools=[WEATHER])
        entries = await house.events(run)

        message, step = await house.steps(run)
        started = [entry.event.step_id for entry in entries if isinstance(entry.event, ToolCallStarted)]
        assert (message.type, step.type) == ("message_creation", "tool_calls")
        assert started == [step.id]


async def test_a_call_is_shown_before_it_is_whole(open_house):
    first, *rest = written()
    async with open_house(ScriptedEngine([[first, Wait("rest"), *rest]])) as house:
        run = await house.start(tools=[WEATHER])
        await until(lambda: shows(house, run, ToolCallDelta))

        [step] = await house.steps(run)
        assert step.status is StepStatus.IN_PROGRESS
        house.engine.release("rest")
        entries = await house.events(run)
        assert "".join(itertools.chain(*deltas(entries))) == ARGUMENTS


async def test_a_call_that_comes_to_nothing_ends_its_step_and_is_said_instead(open_house):
    *pieces, _ = written()
    async with open_house(ScriptedEngine([[*pieces, Text("No call at all.")]])) as house:
        run = await house.start(tools=[WEATHER])
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
        dropped, step = await house.steps(run)
        assert dropped.status is StepStatus.FAILED
        assert "no call after all" in dropped.last_error["message"]
        assert step.status is StepStatus.COMPLETED
        [message] = await house.messages(run)
        assert message.text == "No call at all."


async def test_a_call_that_becomes_another_one_has_a_step_of_its_own(open_house):
    script = [[CallPiece("call_0", "get_weather", '{"ci'), *written(by=100)]]
    async with open_house(ScriptedEngine(script)) as house:
        run = await house.start(tools=[WEATHER])
        entries = await house.events(run)

        dropped, step = await house.steps(run)
        assert (dropped.status, dropped.tool_calls) == (StepStatus.FAILED, ())
        assert [call["id"] for call in step.tool_calls] == ["call_1"]
        assert deltas(entries)[-1] == [ARGUMENTS]


async def test_a_call_that_is_cut_by_the_limit_ends_the_run_incomplete(open_house):
    *pieces, _ = written()
    async with open_house(ScriptedEngine([[*pieces, Stop("length", Usage(9, 4))]])) as house:
        run = await house.start(tools=[WEATHER])
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.INCOMPLETE
        assert [step.status for step in await house.steps(run)] == [StepStatus.FAILED, StepStatus.COMPLETED]


async def test_a_cancel_ends_a_call_that_is_being_written(open_house):
    first, *_ = written()
    async with open_house(ScriptedEngine([[first, Wait("never")]])) as house:
        run = await house.start(tools=[WEATHER])
        await until(lambda: shows(house, run, ToolCallDelta))
        await cancel_run(house.db, run.thread_id, run.id, NOW)
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.CANCELLED
        [step] = await house.steps(run)
        assert step.status is StepStatus.CANCELLED


async def test_a_failure_ends_a_call_that_is_being_written(open_house):
    first, *_ = written()
    async with open_house(ScriptedEngine([[first, Fail("Out of memory.")]])) as house:
        run = await house.start(tools=[WEATHER])
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.FAILED
        [step] = await house.steps(run)
        assert step.status is StepStatus.FAILED


async def test_after_a_crash_the_model_goes_on_where_the_call_began(open_house):
    first, *_ = written()
    required = {"type": "function", "function": {"name": "get_weather"}}
    engine = ScriptedEngine([[Text("Let me see."), first, Wait("never")]])
    async with open_house(engine, lease_seconds=0.2) as lost:
        run = await lost.start(tools=[WEATHER], tool_choice=required)
        await until(lambda: shows(lost, run, ToolCallDelta))
    async with open_house(ScriptedEngine([[Text("Let me see."), *written()]])) as house:
        entries = await house.events(run)

        assert (await house.run(run)).status is RunStatus.REQUIRES_ACTION
        message, dropped, _again = await house.steps(run)
        assert (message.status, dropped.status) == (StepStatus.COMPLETED, StepStatus.FAILED)
        assert "asked again" in dropped.last_error["message"]
        assert deltas(entries)[-1] == ['{"city', '": "Pa', 'ris"}']
        [said] = await house.messages(run)
        assert (said.status, said.text) == (MessageStatus.COMPLETED, "Let me see.")
        [prompt] = house.engine.prompts
        assert (prompt.answer_start, prompt.tool_choice) == ("Let me see.", required)
        assert [message.role for message in prompt.messages] == ["user"]


async def test_functions_are_shown_whole_where_a_call_of_ours_may_come_first(sqlite_db):
    script = [[*written("call_s", "file_search", '{"query": "x"}'), *written()], [Text("Done.")]]
    async with house_over(sqlite_db, ScriptedEngine(script)) as house:
        run = await house.start(tools=[WEATHER, SEARCH])
        entries = await house.events(run)

        # Ours is answered first, in a step of its own.
        ours, theirs = await house.steps(run)
        assert [call["type"] for call in ours.tool_calls] == ["file_search"]
        assert [call["type"] for call in theirs.tool_calls] == ["function"]
        assert ours.status is StepStatus.COMPLETED
        assert deltas(entries) == [[ARGUMENTS]]


@given(code=st.text(), is_ascii=st.booleans(), cut=st.integers(0, 400))
def test_code_is_shown_as_far_as_it_is_certain(code, is_ascii, cut):
    arguments = json.dumps({"code": code, "more": 1}, ensure_ascii=is_ascii)

    shown = code_so_far(arguments[:cut])

    assert code.startswith(shown)
    assert code_so_far(arguments) == code == code_of(arguments)


@given(code=st.text("\ud83d\ude00\U0001f600x"), is_ascii=st.booleans(), cut=st.integers(0, 80))
def test_half_a_pair_in_code_waits_for_the_other_one_or_is_replaced(code, is_ascii, cut):
    arguments = json.dumps({"code": code}, ensure_ascii=is_ascii)

    whole = code_of(arguments)

    assert whole.startswith(code_so_far(arguments[:cut]))
    assert whole.removeprefix(code_so_far(arguments)) in ("", "\ufffd")
    assert whole.encode("utf-16-le") == code.encode("utf-16-le", "surrogatepass") or "\ufffd" in whole
    assert is_whole(whole)


def test_no_more_than_an_escape_is_held_back():
    assert code_so_far('{"code": "print(1)') == "print(1)"
    assert code_so_far('{"code": "print(1)\\') == "print(1)"
    assert code_so_far('{"code": "print(1)\\n') == "print(1)\n"
    assert code_so_far('{"code": "\\ud83d') == ""
    assert code_so_far('{"code": "\\ud83d\\ude00') == "\U0001f600"
    assert code_so_far('{"co') == ""
