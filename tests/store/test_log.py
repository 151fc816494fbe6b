"""Followers of the log: long replays, and logs that are no longer there."""

import asyncio
from types import SimpleNamespace

import pytest

from assistants_api.domain.completion import CompletionEnded, CompletionStatus
from assistants_api.domain.errors import NotFound
from assistants_api.domain.event import MessageDelta
from assistants_api.domain.prompt import Text
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
