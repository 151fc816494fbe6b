"""Followers of the log: long replays, and logs that are no longer there."""

import asyncio
from types import SimpleNamespace

import pytest

from assistants_api.domain.completion import CompletionEnded, CompletionStatus
from assistants_api.domain.errors import NotFound
from assistants_api.domain.event import MessageDelta
from assistants_api.domain.prompt import Text, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.store.log import Log
from tests.worker.conftest import house_over
from tests.worker.test_completions import ask

ENDED = CompletionEnded(CompletionStatus.COMPLETED, Usage())


async def followed(log, channel, after=0):
    async with asyncio.timeout(30):
        return [entry.seq async for entry in log.follow(channel, after, until_final=True)]


async def test_a_long_log_is_read_page_by_page_without_waiting(db, monkeypatch):
    monkeypatch.setattr("assistants_api.store.log._POLL_SECONDS", 3600.0)
    monkeypatch.setattr("assistants_api.store.log._PAGE", 10)
    async with db.begin() as tx:
        await tx.events.append("chatcmpl-1", [*[MessageDelta("msg_1", "x")] * 29, ENDED])

    assert await followed(Log(db), "chatcmpl-1") == list(range(1, 31))


@pytest.mark.parametrize("after", [0, 2])
async def test_following_a_run_whose_log_was_removed_is_refused(db, after):
    async with house_over(db, ScriptedEngine([[Text("Hi")]])) as house:
        run = await house.start()
        await house.events(run)
        async with db.begin() as tx:
            await tx.events.remove_of([run.id])

        with pytest.raises(NotFound):
            await followed(house.log, run.id, after)


async def test_the_log_of_a_run_is_forgotten_by_its_end_however_late_its_deadline_was(db):
    """And none of one that is not over, however old what it wrote."""
    engine = ScriptedEngine([[Text("Hi")], [ToolCall("call_1", "f", "{}")]])
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    ten_days = 864_000.0
    async with house_over(db, engine) as house:
        over = await house.start(expiry=ten_days)
        await house.events(over)
        waits = await house.start(expiry=ten_days, tools=(tool,))
        await house.events(waits)
        async with db.begin() as tx:
            await tx.events.remove_old(60)
            kept = [await tx.events.last_seq(run.id) > 0 for run in (over, waits)]
            await tx.events.remove_old(-60)  # as if it were a minute later than it is
            later = [await tx.events.last_seq(run.id) > 0 for run in (over, waits)]

    assert kept == [True, True]
    assert later == [False, True]


async def test_a_completion_can_be_followed_before_its_first_event(db):
    completion = await ask(SimpleNamespace(db=db, engine=ScriptedEngine()))
    log = Log(db)
    read, is_read = log._read, asyncio.Event()

    async def noted(*given):
        found = await read(*given)
        is_read.set()
        return found

    log._read = noted
    following = asyncio.create_task(followed(log, completion.id))
    await is_read.wait()
    async with db.begin() as tx:
        await tx.events.append(completion.id, [ENDED])

    assert await following == [1]


async def test_following_what_is_not_there_is_refused(db):
    with pytest.raises(NotFound):
        await followed(Log(db), "run_none")
