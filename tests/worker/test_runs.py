"""Runs from their creation to their end, through the worker, on a scripted engine."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistants_api.blobs.disk import DiskBlobs
from assistants_api.domain.errors import InvalidRequest, NotFound
from assistants_api.domain.event import MessageDelta, RunMoved
from assistants_api.domain.message import MessageStatus
from assistants_api.domain.prompt import Stop, Text, ToolCall
from assistants_api.domain.run import RunStatus
from assistants_api.domain.step import StepStatus
from assistants_api.domain.usage import Usage
from assistants_api.engine.script import Fail, Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services import sweeping
from assistants_api.services.messages import create_message, modify_message
from assistants_api.services.runs import cancel_run, modify_run, submit_tool_outputs
from assistants_api.services.sweeping import sweep
from assistants_api.services.threads import delete_thread
from assistants_api.worker.worker import Sweeper
from tests.conftest import until
from tests.worker.conftest import House, house_over, knowledge_over, user
from tests.worker.test_file_search import filed

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
NOW = datetime.now(UTC)


def names(entries):
    """The events by what they say, deltas folded."""
    found = []
    for entry in entries:
        event = entry.event
        name = type(event).__name__
        if name.endswith("Moved"):
            thing = getattr(event, {"RunMoved": "run", "StepMoved": "step", "MessageMoved": "message"}[name])
            name += ":created" if event.created else f":{thing.status}"
        if not found or found[-1] != name:
            found.append(name)
    return found


async def test_a_plain_run_is_answered_in_the_recorded_order(open_house):
    async with open_house(
        ScriptedEngine([[Text("Hello "), Text("you."), Stop("stop", Usage(7, 2))]])
    ) as house:
        run = await house.start()

        entries = await house.events(run)

        assert names(entries) == [
            "ThreadCreated",
            "RunMoved:created",
            "RunMoved:queued",
            "RunMoved:in_progress",
            "StepMoved:created",
            "StepMoved:in_progress",
            "MessageMoved:created",
            "MessageMoved:in_progress",
            "MessageDelta",
            "MessageMoved:completed",
            "StepMoved:completed",
            "RunMoved:completed",
        ]
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        [message] = await house.messages(run)
        [step] = await house.steps(run)
        ended = await house.run(run)
        assert message.text == "Hello you."
        assert step.usage == ended.usage == Usage(7, 2)
        assert ended.expires_at is None


async def test_metadata_given_to_a_message_while_it_is_written_stays(open_house):
    async with open_house(ScriptedEngine([[Text("Half "), Wait("go"), Text("whole.")]])) as house:
        run = await house.start()
        await until(lambda: house.messages(run))
        [message] = await house.messages(run)

        await modify_message(house.db, run.thread_id, message.id, {"metadata": {"seen": "yes"}})
        house.engine.release("go")
        await house.events(run)

        [message] = await house.messages(run)
        assert (message.text, message.metadata) == ("Half whole.", {"seen": "yes"})


async def test_the_steps_of_a_run_add_up_to_it(open_house):
    script = [
        [Text("Let me see."), ToolCall("call_a", "get_weather", "{}"), Stop("tool_calls", Usage(5, 6))],
        [Text("Cold."), Stop("stop", Usage(13, 9))],
    ]
    async with open_house(ScriptedEngine(script)) as house:
        run = await house.start(tools=[WEATHER])
        await house.events(run)
        _, after = await submit_tool_outputs(house.db, run.thread_id, run.id, {"call_a": "cold"}, NOW)
        await house.events(run, after=after)

        spent = [step.usage for step in await house.steps(run)]
        assert sum(spent, Usage()) == (await house.run(run)).usage == Usage(18, 15)


async def test_calls_pause_the_run_and_outputs_let_it_go_on(open_house):
    script = [
        [
            ToolCall("call_a", "get_weather", '{"city":"Oslo"}'),
            ToolCall("call_b", "get_weather", '{"city":"Rome"}'),
        ],
        [Text("Cold and warm.")],
    ]
    async with open_house(ScriptedEngine(script)) as house:
        run = await house.start(tools=[WEATHER])

        first = await house.events(run)
        waiting = await house.run(run)
        outputs = {"call_b": "warm", "call_a": "cold"}
        queued, after = await submit_tool_outputs(house.db, run.thread_id, run.id, outputs, NOW)
        second = await house.events(run, after=after)

        assert waiting.status is RunStatus.REQUIRES_ACTION
        assert [call["id"] for call in waiting.required_calls] == ["call_a", "call_b"]
        assert names(first)[-3:] == ["ToolCallStarted", "ToolCallDelta", "RunMoved:requires_action"]
        assert queued.status is RunStatus.QUEUED
        assert names(second)[:3] == ["StepMoved:completed", "RunMoved:queued", "RunMoved:in_progress"]
        assert second[0].seq == first[-1].seq + 1
        tools, _ = await house.steps(run)
        assert [call["function"]["output"] for call in tools.tool_calls] == ["cold", "warm"]
        shown = house.engine.prompts[-1].messages
        assert [message.role for message in shown] == ["user", "assistant", "tool", "tool"]
        assert [message.content for message in shown[2:]] == ["cold", "warm"]


async def test_outputs_are_refused_unless_they_answer_every_call(open_house):
    async with open_house(ScriptedEngine([[ToolCall("call_a", "get_weather", "{}")]])) as house:
        run = await house.start(tools=[WEATHER])
        await house.events(run)

        with pytest.raises(InvalidRequest, match="Expected tool outputs for call_ids") as refused:
            await submit_tool_outputs(house.db, run.thread_id, run.id, {"call_x": "1"}, NOW)

        assert refused.value.message == "Expected tool outputs for call_ids ['call_a'], got ['call_x']"
        assert (await house.run(run)).status is RunStatus.REQUIRES_ACTION


async def test_cancel_stops_the_model_and_keeps_what_was_said(open_house):
    async with open_house(ScriptedEngine([[Text("Half an"), Wait("never"), Text(" answer.")]])) as house:
        run = await house.start()
        await until(lambda: _said(house.db, run, "Half an"))

        answered = await cancel_run(house.db, run.thread_id, run.id, NOW)
        entries = await house.events(run)

        assert answered.status is RunStatus.CANCELLING
        assert names(entries)[-4:] == [
            "RunMoved:cancelling",
            "MessageMoved:incomplete",
            "StepMoved:cancelled",
            "RunMoved:cancelled",
        ]
        [message] = await house.messages(run)
        assert (message.text, message.incomplete_reason) == ("Half an", "run_cancelled")
        assert (await house.run(run)).usage.total_tokens > 0
        await create_message(house.db, run.thread_id, user("Again"), NOW)


async def test_cancel_while_outputs_are_awaited_ends_at_once(open_house):
    async with open_house(ScriptedEngine([[ToolCall("call_a", "get_weather", "{}")]])) as house:
        run = await house.start(tools=[WEATHER])
        await house.events(run)

        await cancel_run(house.db, run.thread_id, run.id, NOW)

        ended = await house.run(run)
        assert ended.status is RunStatus.CANCELLED
        assert ended.required_action is None
        [step] = await house.steps(run)
        assert (step.status, step.usage) == (StepStatus.CANCELLED, ended.usage)
        with pytest.raises(InvalidRequest, match="Cannot cancel run with status 'cancelled'"):
            await cancel_run(house.db, run.thread_id, run.id, NOW)


async def test_a_failing_engine_fails_the_run_with_its_reason(open_house):
    async with open_house(ScriptedEngine([[Text("Well"), Fail("No more memory.")]])) as house:
        run = await house.start()

        entries = await house.events(run)

        assert names(entries)[-3:] == ["MessageMoved:incomplete", "StepMoved:failed", "RunMoved:failed"]
        ended = await house.run(run)
        assert ended.last_error == {"code": "server_error", "message": "No more memory."}
        [message] = await house.messages(run)
        assert (message.text, message.incomplete_reason) == ("Well", "run_failed")


async def test_the_completion_budget_ends_a_run_incomplete(open_house):
    async with open_house(ScriptedEngine([[Text("one two three"), Stop("length", Usage(5, 3))]])) as house:
        run = await house.start(max_completion_tokens=300)

        entries = await house.events(run)

        assert names(entries)[-3:] == [
            "MessageMoved:incomplete",
            "StepMoved:completed",
            "RunMoved:incomplete",
        ]
        ended = await house.run(run)
        assert ended.incomplete_details == {"reason": "max_completion_tokens"}
        assert ended.usage == Usage(5, 3)


async def test_a_run_expires_at_its_deadline_even_if_its_worker_hangs(open_house):
    async with open_house(ScriptedEngine([[Text("Slow"), Wait("never")]])) as house:
        run = await house.start(expiry=0.3)
        await until(lambda: _said(house.db, run, "Slow"))

        await until(lambda: sweep(house.db))

        ended = await house.run(run)
        assert ended.status is RunStatus.EXPIRED
        assert ended.expires_at == run.deadline
        [message] = await house.messages(run)
        assert (message.status, message.incomplete_reason) == (MessageStatus.INCOMPLETE, "run_expired")
        assert message.text == "Slow"
        await until(lambda: house.worker.carried == 0)
        assert names(await house.events(run))[-1] == "RunMoved:expired"


async def test_a_run_expires_without_any_worker(sqlite_db):
    async with house_over(sqlite_db, ScriptedEngine([[Wait("never")]])) as house:
        run = await house.start(expiry=0.05)

    await until(lambda: sweep(sqlite_db))

    async with sqlite_db.read() as tx:
        assert (await tx.runs.get(run.id)).status is RunStatus.EXPIRED


@pytest.mark.parametrize("verb", ["owner", "remove"])
async def test_a_run_expires_though_the_store_of_files_does_not_answer(sqlite_db, verb):
    """What is no more needed there is looked for and removed beside the sweep."""
    is_asked = asyncio.Event()

    async def hang(*args: object) -> None:
        is_asked.set()
        await asyncio.Future()

    Silent = type("Silent", (DiskBlobs,), {verb: hang})  # noqa: N806 - a class
    file = await filed(sqlite_db, knowledge_over(sqlite_db))
    async with sqlite_db.begin() as tx:
        await tx.files.save(replace(file, expires_at=file.created_at))
    sweeping = asyncio.create_task(Sweeper(sqlite_db, Silent(Path("/nonexistent"))).run())
    await is_asked.wait()
    unused = None
    house = House(sqlite_db, ScriptedEngine([]), unused, unused)
    run = await house.start(expiry=-1)

    async def is_expired() -> bool:
        return (await house.run(run)).status is RunStatus.EXPIRED

    await until(is_expired, seconds=20)
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)


async def test_a_run_that_cannot_be_ended_keeps_no_other_from_its_end(sqlite_db, monkeypatch):
    unused = None
    house = House(sqlite_db, ScriptedEngine([]), unused, unused)
    first, second = await house.start(expiry=-1), await house.start(expiry=-1)
    expire = sweeping.expire_run

    async def expire_or_fail(db, run_id):
        if run_id == first.id:
            raise RuntimeError("nobody has thought of this")
        return await expire(db, run_id)

    monkeypatch.setattr(sweeping, "expire_run", expire_or_fail)
    assert await sweep(sqlite_db) == 1

    assert (await house.run(second)).status is RunStatus.EXPIRED


async def test_a_lost_worker_is_replaced_and_the_sentence_goes_on(open_house):
    engine = ScriptedEngine([[Text("One, "), Text("two, "), Wait("go"), Text("three.")]])
    async with open_house(engine, lease_seconds=0.2) as lost:
        run = await lost.start()
        await until(lambda: _said(lost.db, run, "One, two, "))
    engine = ScriptedEngine([[Text("One, "), Text("two, "), Text("three.")]])
    async with open_house(engine) as house:
        entries = await house.events(run)

        deltas = [entry.event.text for entry in entries if isinstance(entry.event, MessageDelta)]
        assert "".join(deltas) == "One, two, three."
        assert names(entries).count("RunMoved:in_progress") == 1
        [message] = await house.messages(run)
        assert message.text == "One, two, three."
        assert house.engine.prompts[0].answer_start == "One, two, "


async def _said(db, run, text):
    async with db.read() as tx:
        entries = await tx.events.after(run.id, 0)
    return "".join(e.event.text for e in entries if isinstance(e.event, MessageDelta)) == text


async def test_a_run_that_three_workers_lost_fails(open_house):
    run = None
    for _ in range(3):
        async with open_house(ScriptedEngine([[Wait("never")]]), lease_seconds=0.1) as house:
            run = run or await house.start()
            await until(lambda house=house: house.worker.carried == 1)

    await until(lambda: sweep(house.db))

    ended = await house.run(run)
    assert ended.status is RunStatus.FAILED
    assert "3 workers" in ended.last_error["message"]


async def test_metadata_changed_while_the_run_works_is_kept(open_house):
    engine = ScriptedEngine([[Text("A"), Wait("go"), Text("B")]])
    async with open_house(engine) as house:
        run = await house.start()
        await until(lambda: house.messages(run))

        await modify_run(house.db, run.thread_id, run.id, {"metadata": {"k": "v"}})
        engine.release("go")
        await house.events(run)

        assert (await house.run(run)).metadata == {"k": "v"}


async def test_deleting_a_thread_stops_its_run_and_ends_its_streams(open_house):
    async with open_house(ScriptedEngine([[Text("A"), Wait("never")]])) as house:
        run = await house.start()
        following = asyncio.create_task(house.events(run))
        await until(lambda: house.messages(run))

        await delete_thread(house.db, run.thread_id)

        with pytest.raises(NotFound):
            await following
        await until(lambda: house.worker.carried == 0)


async def test_many_followers_see_the_same_from_wherever_they_begin(open_house):
    engine = ScriptedEngine([[Text("A"), Wait("go"), *[Text(f"{n} ") for n in range(400)]]])
    async with open_house(engine) as house:
        run = await house.start()
        early = asyncio.create_task(house.events(run))
        await until(lambda: house.messages(run))
        middle = asyncio.create_task(house.events(run, after=3))
        engine.release("go")

        whole = await early
        late = await house.events(run)
        too_late = await house.events(run, after=whole[-1].seq)

        assert too_late == []
        assert late == whole
        assert await middle == whole[3:]
        assert isinstance(whole[-1].event, RunMoved)
