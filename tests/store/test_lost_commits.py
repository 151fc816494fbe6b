"""A connection that goes before a commit, or before its acknowledgement: nothing is written twice, or lost."""

from contextlib import asynccontextmanager

import pytest

from assistants_api.domain.completion import CompletionStatus
from assistants_api.domain.errors import DatabaseAway
from assistants_api.domain.event import MessageDelta, ToolCallDelta
from assistants_api.domain.job import JobKind
from assistants_api.domain.prompt import Stop, Text, ToolCall
from assistants_api.domain.run import RunStatus
from assistants_api.domain.sandbox import Logs
from assistants_api.domain.step import StepStatus
from assistants_api.domain.usage import Usage
from assistants_api.domain.webhook import DeliveryStatus
from assistants_api.engine.script import Fail, Pause
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.runs import RunLimits, submit_tool_outputs
from assistants_api.tools.code_interpreter import Answer
from tests.worker.conftest import house_over
from tests.worker.test_completions import ask
from tests.worker.test_completions import events as completion_events
from tests.worker.test_runs import NOW, WEATHER, names
from tests.worker.test_webhooks import house_with, receiving, settled
from tests.worker.test_written_calls import written


class Forgetful:
    """A database that loses every second commit's acknowledgement, or the commit itself now and then."""

    def __init__(self, db):
        self._db = db
        self.commits = 0
        self.lost = 0

    @asynccontextmanager
    async def begin(self):
        self.commits += 1
        if self.commits % 5 == 0:
            raise DatabaseAway("The database cannot be reached.")
        async with self._db.begin() as tx:
            yield tx
        if self.commits % 2:
            self.lost += 1
            raise DatabaseAway("The database cannot be reached.")


async def test_a_run_is_written_once_though_its_commits_seem_to_fail(db, monkeypatch):
    monkeypatch.setattr("assistants_api.store.writer._RETRY_SECONDS", 0.001)
    words = [step for n in range(20) for step in (Text(f"{n} "), Pause(0.01))]
    call = ToolCall("call_a", "get_weather", '{"city":"Oslo"}')
    engine = ScriptedEngine(
        [[Text("Let me see."), call, Stop("tool_calls", Usage(1, 1))], [*words, Stop("stop", Usage(2, 2))]]
    )
    async with house_over(db, engine) as house:
        house.worker._writer._db = forgetful = Forgetful(db)
        run = await house.start(tools=[WEATHER])
        first = await house.events(run)
        _, after = await submit_tool_outputs(db, run.thread_id, run.id, {"call_a": "cold"}, NOW)
        entries = [*first, *await house.events(run, after=after)]

        ended = await house.run(run)
        assert (ended.status, ended.last_error) == (RunStatus.COMPLETED, None)
        assert forgetful.lost > 3
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        said = "".join(entry.event.text for entry in entries if isinstance(entry.event, MessageDelta))
        assert said == "Let me see." + "".join(f"{n} " for n in range(20))
        assert [step.status for step in await house.steps(run)] == [StepStatus.COMPLETED] * 3
        assert names(entries).count("RunMoved:completed") == 1
        assert ended.spent == Usage(3, 3)


class Away:
    """A database that does not answer the first few reads."""

    def __init__(self, db, failures):
        self._db = db
        self.failures = failures

    @asynccontextmanager
    async def read(self, **given):
        if self.failures:
            self.failures -= 1
            raise DatabaseAway("The database cannot be reached.")
        async with self._db.read(**given) as tx:
            yield tx

    def begin(self):
        return self._db.begin()


async def test_a_database_that_does_not_answer_is_no_fault_of_the_run(db):
    """Neither is it a lost worker: of those, three would end the run."""
    engine = ScriptedEngine([[Text("Well.")]])
    async with house_over(db, engine) as house:
        carrier = house.worker._desks[JobKind.RUN].carrier
        carrier._db = away = Away(db, 5)
        run = await house.start()
        await house.events(run)

        assert away.failures == 0
        assert (await house.run(run)).status is RunStatus.COMPLETED


async def test_nor_is_it_in_the_middle_of_a_run(sqlite_db):
    call = ToolCall("call_s", "file_search", '{"query": "x"}')
    engine = ScriptedEngine([[call], [Text("Nothing found.")]])
    async with house_over(sqlite_db, engine) as house:
        carrier = house.worker._desks[JobKind.RUN].carrier
        read, calls = carrier.load, []

        async def load(run_id):
            calls.append(run_id)
            if len(calls) == 1:
                raise DatabaseAway("The database cannot be reached.")
            return await read(run_id)

        carrier.load = load
        run = await house.start(tools=[{"type": "file_search"}])
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
        assert [step.status for step in await house.steps(run)] == [StepStatus.COMPLETED] * 2
        assert len(engine.prompts) == 2


async def test_a_completion_waits_for_the_database_too(db):
    async with house_over(db, ScriptedEngine([[Text("Well.")]])) as house:
        house.worker._desks[JobKind.COMPLETION].carrier._db = away = Away(db, 5)
        completion = await ask(house)
        await completion_events(house, completion)

        assert away.failures == 0
        async with db.read() as tx:
            assert (await tx.completions.get(completion.id)).status is CompletionStatus.COMPLETED


async def test_a_webhook_is_delivered_when_the_database_is_back(sqlite_db):
    async with receiving() as receiver, house_with(sqlite_db, receiver) as house:
        house.worker._desks[JobKind.WEBHOOK].carrier._db = away = Away(sqlite_db, 5)
        await house.events(await house.start())
        [delivery] = await settled(sqlite_db)

    assert away.failures == 0
    assert (delivery.status, len(receiver.heard)) == (DeliveryStatus.DELIVERED, 1)


class Undone:
    """A database that goes before every second commit, when the statements are done: nothing of them is kept."""

    def __init__(self, db):
        self._db = db
        self.begun = 0

    @asynccontextmanager
    async def begin(self):
        self.begun += 1
        async with self._db.begin() as tx:
            yield tx
            if self.begun % 2:
                raise DatabaseAway("The database cannot be reached.")


class Counting:
    """An interpreter that shows one number for any code."""

    async def run(self, key, code, files=(), **given):
        yield Logs("4")
        yield Logs("2\n")
        yield Answer("42", False)


SEARCHES = [ToolCall(id, "file_search", '{"query": "x"}') for id in ("call_a", "call_b")]
CODE = '{"code": "print(6 * 7)"}'
COUNTING = {"tools": [{"type": "code_interpreter"}], "limits": RunLimits(no_code=None)}
STORIES = {
    "text, then a function call in pieces": ({"tools": [WEATHER]}, [[Text("Let me see."), *written()]]),
    "two searches after text": (
        {"tools": [{"type": "file_search"}]},
        [[Text("Let me look."), *SEARCHES], [Text("Nothing "), Text("found.")]],
    ),
    "code in pieces after text": (
        COUNTING,
        [[Text("So: "), *written("call_c", "code_interpreter", CODE)], [Text("It is 42.")]],
    ),
    "code that is whole at once": (
        COUNTING,
        [[ToolCall(id, "code_interpreter", CODE) for id in ("call_c", "call_d")], [Text("It is 42.")]],
    ),
    "text after calls that came to nothing": (
        {"tools": [WEATHER]},
        [[*written()[:-1], Text("No call "), Text("at all.")]],
    ),
    "a failure in the middle": ({}, [[Text("One, "), Fail("Out of memory.")]]),
    "a failure in the middle of a call": ({"tools": [WEATHER]}, [[*written()[:-1], Fail("Out of memory.")]]),
}


async def told(db, given, script, wrap=lambda db: db):
    """All that is to be seen of a run in the end, but for ids and times."""
    async with house_over(db, ScriptedEngine(script), interpreter=Counting()) as house:
        house.worker._writer._db = wrap(db)
        run = await house.start(**given)
        entries = await house.events(run)
        ended = await house.run(run)
        events = [entry.event for entry in entries]
        return {
            "run": (ended.status, ended.last_error, ended.spent, ended.required_calls),
            "steps": [
                (step.type, step.status, step.usage, step.last_error, step.tool_calls)
                for step in await house.steps(run)
            ],
            "messages": [(message.status, message.text) for message in await house.messages(run)],
            "seqs": [entry.seq for entry in entries] == list(range(1, len(entries) + 1)),
            "events": names(entries),
            "said": "".join(event.text for event in events if isinstance(event, MessageDelta)),
            "called": "".join(event.arguments for event in events if isinstance(event, ToolCallDelta)),
        }


@pytest.mark.parametrize("story", STORIES)
async def test_a_run_is_the_same_though_its_writes_are_undone_and_done_again(db, monkeypatch, story):
    monkeypatch.setattr("assistants_api.store.writer._RETRY_SECONDS", 0.001)
    undisturbed = await told(db, *STORIES[story])

    disturbed = await told(db, *STORIES[story], Undone)

    assert disturbed == undisturbed
    assert disturbed["seqs"]
