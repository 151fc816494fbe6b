"""Where a thread's code session is, over many workers: runs come to it, and it ends when it is not wanted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from assistants_api.domain.errors import DatabaseAway, NotFound
from assistants_api.domain.job import LEASE_SECONDS
from assistants_api.domain.thread import NewThread
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.ports import Sandbox
from assistants_api.sandbox.pool import PoolConfig, SessionPool
from assistants_api.services.threads import create_thread, delete_thread, reset_code_session
from assistants_api.store.database import Database
from assistants_api.tools.code_interpreter import CodeInterpreter
from assistants_api.worker.sessions import SessionKeeper
from tests.conftest import until
from tests.sandbox.conftest import open_or_skip
from tests.worker.conftest import House, house_over
from tests.worker.test_code_interpreter import again, answered, coding, started

NEW = "[This is a new session: earlier variables, imports and files are gone.]"


@pytest.fixture(scope="module")
def jail() -> Iterator[Sandbox]:
    """The best tier of this machine."""
    opened = open_or_skip("auto")
    yield opened
    asyncio.run(opened.close())


@dataclass
class Place:
    """One worker with sessions of its own."""

    house: House
    pool: SessionPool
    keeper: SessionKeeper


@asynccontextmanager
async def place_over(db: Database, jail: Sandbox, engine: ScriptedEngine) -> AsyncIterator[Place]:
    """A worker as one more process would have it."""
    pool = SessionPool(jail, PoolConfig(warm=0))
    await pool.start()
    async with house_over(db, engine, interpreter=CodeInterpreter(pool, 20)) as house:
        yield Place(house, pool, SessionKeeper(db, pool, house.worker.owner))
    await pool.close()


def counting(*numbers):
    """Turns that set x in the first run, and count it up in those that follow."""
    turns = []
    for number in numbers:
        code = "x = 1" if number == 1 else "x += 1\nx"
        turns += [coding(code, f"call_{number}"), answered("Counted.")]
    return turns


def told(engine):
    """What the model was told of its last code."""
    return engine.prompts[-1].messages[-1].content


async def test_runs_of_a_thread_come_to_the_worker_that_has_its_session(db, jail):
    first, second = ScriptedEngine(counting(1, 2, 3, 4)), ScriptedEngine(counting(1, 2, 3, 4))
    async with place_over(db, jail, first) as here:
        run = await started(here.house)
        await here.house.events(run)
        async with place_over(db, jail, second):
            for _ in range(3):
                await here.keeper.look()  # its first code may have taken longer than a lease
                run = await again(here.house, run)
                await here.house.events(run)

    assert told(first) == "4"
    assert second.prompts == []


async def test_a_run_whose_worker_is_busy_goes_to_another_one_and_the_old_state_is_never_used(db, jail):
    first, second = ScriptedEngine(counting(1, 3)), ScriptedEngine(counting(1))
    async with place_over(db, jail, first) as here, place_over(db, jail, second) as there:
        there.house.worker._is_draining = True  # takes nothing for now
        run = await started(here.house)
        await here.house.events(run)
        there.house.worker._is_draining, here.house.worker._is_draining = False, True
        again_there = asyncio.create_task(there.house.worker.run())
        run = await again(here.house, run)
        await here.house.events(run)
        assert told(second).startswith(NEW)

        await here.keeper.look()
        await until(lambda: here.pool.keys() == {})
        assert there.pool.keys() == {run.thread_id: 2}
        again_there.cancel()


async def test_a_reset_begins_anew_and_the_model_is_told(db, jail):
    engine = ScriptedEngine(counting(1, 2))
    async with place_over(db, jail, engine) as here:
        run = await started(here.house)
        await here.house.events(run)
        await reset_code_session(db, run.thread_id)
        run = await again(here.house, run)
        await here.house.events(run)

        assert told(engine).startswith(NEW)
        assert "NameError" in told(engine)
        await here.keeper.look()
        assert here.pool.keys() == {run.thread_id: 2}


async def test_a_reset_frees_the_session_before_code_is_run_again(sqlite_db, jail):
    async with place_over(sqlite_db, jail, ScriptedEngine(counting(1))) as here:
        run = await started(here.house)
        await here.house.events(run)
        await reset_code_session(sqlite_db, run.thread_id)
        await here.keeper.look()

        await until(lambda: here.pool.describe().details["sessions"] == 0)


async def test_a_busy_thread_that_is_reset_keeps_nobody_waiting(db, jail):
    pool = SessionPool(jail, PoolConfig(warm=0))
    keeper = SessionKeeper(db, pool, "w1")
    busy, other, late = [(await create_thread(db, NewThread(), datetime.now(UTC))).id for _ in range(3)]
    async with db.begin() as tx:
        for thread_id in (busy, other, late):
            assert await tx.code_sessions.take(thread_id, "w1", LEASE_SECONDS) == 1
    async with pool.hold(other, 1), pool.hold(late, 1):
        pass

    async with asyncio.timeout(30), pool.hold(busy, 1):
        await reset_code_session(db, busy)
        await keeper.look()
        await keeper.look()
        assert pool.keys() == {busy: 1, other: 1, late: 1}
        await reset_code_session(db, late)
        await keeper.look()
        await until(lambda: pool.keys() == {busy: 1, other: 1})
    await until(lambda: pool.keys() == {other: 1})

    await keeper.release()
    await pool.close()


async def test_the_end_does_not_wait_for_a_busy_thread(sqlite_db, jail):
    pool = SessionPool(jail, PoolConfig(warm=0))
    keeper = SessionKeeper(sqlite_db, pool, "w1")
    async with asyncio.timeout(30), pool.hold("thread_gone", 1):
        await keeper.look()
        await keeper.look()

        await keeper.release()

        assert pool.keys() == {"thread_gone": 1}
    assert pool.keys() == {"thread_gone": 1}
    await pool.close()


async def test_a_process_ends_in_order_though_the_database_is_away(sqlite_db, monkeypatch, caplog):
    """What it had of sessions runs out by itself."""
    pool = SimpleNamespace(keys=lambda: {"thread_here": 1})
    keeper = SessionKeeper(sqlite_db, pool, "w1")  # type: ignore[arg-type]

    def away() -> None:
        raise DatabaseAway("The database cannot be reached.")

    monkeypatch.setattr(sqlite_db, "begin", away)
    await keeper.release()

    assert "cannot be reached" in caplog.text


async def test_a_thread_takes_its_session_with_it(db, jail):
    async with place_over(db, jail, ScriptedEngine(counting(1))) as here:
        run = await started(here.house)
        await here.house.events(run)
        await here.keeper.look()
        assert here.pool.describe().details["sessions"] == 1

        await delete_thread(db, run.thread_id)
        await here.keeper.look()

        await until(lambda: here.pool.describe().details["sessions"] == 0)
        with pytest.raises(NotFound):
            await reset_code_session(db, run.thread_id)


async def test_the_claim_leaves_a_new_run_to_the_session_for_two_seconds(db, jail, monkeypatch):
    monkeypatch.setattr("assistants_api.store.jobs.LEFT_SECONDS", 3600.0)
    engine = ScriptedEngine(counting(1))
    async with place_over(db, jail, engine) as here:
        run = await started(here.house)
        await here.house.events(run)
    async with db.begin() as tx:
        await tx.code_sessions.take(run.thread_id, "w1", LEASE_SECONDS)
    run = await again(here.house, run)

    async with db.begin() as tx:
        assert await tx.jobs.claim("w2", "run", 1) == []
        [job] = await tx.jobs.claim("w1", "run", 1)
        assert job.subject_id == run.id
        await tx.jobs.postpone(job.lease, 0)
    gone = [
        lambda tx: tx.code_sessions.take(run.thread_id, "w1", -1),  # it died
        lambda tx: tx.code_sessions.release("w1"),  # it left
    ]
    for leave in gone:
        async with db.begin() as tx:
            await tx.code_sessions.take(run.thread_id, "w1", LEASE_SECONDS)
            assert await tx.jobs.claim("w2", "run", 1) == []
            await leave(tx)
            [job] = await tx.jobs.claim("w2", "run", 1)
            await tx.jobs.postpone(job.lease, 0)
