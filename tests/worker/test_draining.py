"""A worker that is asked to stop: nothing new, what runs may end, and the rest goes to another at once."""

import asyncio
from contextlib import asynccontextmanager

from sqlalchemy import select

from assistants_api.domain.errors import Closing
from assistants_api.domain.prompt import Text
from assistants_api.domain.run import RunStatus
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.store import tables
from assistants_api.store.jobs import Jobs
from assistants_api.worker import worker as module
from tests.conftest import until


async def test_what_runs_ends_and_what_waits_is_left_for_others(open_house):
    engine = ScriptedEngine([[Text("One, "), Wait("go"), Text("two.")], [Text("Never here.")]])
    async with open_house(engine) as house:
        run = await house.start()
        await until(lambda: bool(engine.prompts))
        draining = asyncio.create_task(house.worker.drain(60))
        await until(lambda: house.worker._is_draining)
        waiting = await house.start()
        engine.release("go")
        await draining

        assert (await house.run(run)).status is RunStatus.COMPLETED
        assert [message.text for message in await house.messages(run) if message.run_id] == ["One, two."]
        assert (await house.run(waiting)).status is RunStatus.QUEUED
        assert len(engine.prompts) == 1


async def test_what_does_not_end_in_time_is_free_for_another_at_once(open_house):
    script = [[Text("One, "), Wait("never"), Text("two.")]]
    async with open_house(ScriptedEngine(script)) as house:
        run = await house.start()
        await until(lambda: house.worker.carried == 1)

        async def is_shown() -> bool:
            return bool([message for message in await house.messages(run) if message.run_id])

        await until(is_shown)
        await house.worker.drain(0.01)

        async with house.db.begin() as tx:
            [job] = await tx.jobs.claim("another", "run", 5)
    assert job.subject_id == run.id
    assert job.attempt == 1, "an attempt that was handed back does not count"


async def test_leases_are_kept_while_the_worker_drains(open_house, monkeypatch):
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.02)
    engine = ScriptedEngine([[Text("One, "), Wait("go"), Text("two.")]])
    async with open_house(engine) as house:
        run = await house.start()
        await until(lambda: bool(engine.prompts))
        draining = asyncio.create_task(house.worker.drain(60))
        await until(lambda: house.worker._is_draining)

        async def lease_until() -> float:
            c = tables.jobs.c
            async with house.db.read() as tx:
                found = await tx.execute(select(c.lease_until).where(c.subject_id == run.id))
                return found.scalar_one().timestamp()

        first = await lease_until()

        async def is_renewed() -> bool:
            return await lease_until() > first

        await until(is_renewed)
        engine.release("go")
        await draining

        assert (await house.run(run)).status is RunStatus.COMPLETED


async def test_a_second_wish_to_stop_does_not_wait(open_house):
    engine = ScriptedEngine([[Text("One, "), Wait("never")]])
    async with open_house(engine) as house:
        await house.start()
        await until(lambda: bool(engine.prompts))
        patient = asyncio.create_task(house.worker.drain(3600))
        await until(lambda: house.worker._is_draining)

        await house.worker.drain()
        await patient

        assert house.worker.carried == 0


async def test_followers_are_told_that_the_stream_goes_on_elsewhere(open_house):
    engine = ScriptedEngine([[Text("One, "), Wait("never")]])
    async with open_house(engine) as house:
        run = await house.start()
        seen = []

        async def follow() -> None:
            async for entry in house.log.follow(run.id):
                seen.append(entry)

        following = asyncio.create_task(follow())
        await until(lambda: len(seen) >= 6)
        house.log.close()
        [ended] = await asyncio.gather(following, return_exceptions=True)

        assert isinstance(ended, Closing)
        assert [entry.seq for entry in seen] == list(range(1, len(seen) + 1))


async def test_a_run_that_is_claimed_while_leases_are_renewed_is_carried_on(open_house, monkeypatch):
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.01)
    engine = ScriptedEngine([[Text("One."), Wait("go")], [Text("Two."), Wait("go")]])
    async with open_house(engine) as house:
        runs = [await house.start()]
        await until(lambda: house.messages(runs[0]))  # nothing is left to be written of it
        begin, cancelling = house.db.begin, Jobs.cancelling
        renewals: list[set[str]] = []
        more = [house.start]

        async def noted(self, ids):
            renewals.append(set(ids))
            return await cancelling(self, ids)

        @asynccontextmanager
        async def begin_and_claim():
            """What the first renewal has read is old when it looks at what is carried."""
            async with begin() as tx:
                yield tx
            if renewals and more:
                runs.append(await more.pop()())
                await until(lambda: len(engine.prompts) == 2)

        monkeypatch.setattr(Jobs, "cancelling", noted)
        monkeypatch.setattr(house.db, "begin", begin_and_claim)
        await until(lambda: len(renewals) >= 3)
        engine.release("go")
        await house.worker.idle()

        assert [(await house.run(run)).status for run in runs] == [RunStatus.COMPLETED] * 2
