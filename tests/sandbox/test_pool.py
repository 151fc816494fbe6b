"""Sessions by key: kept, replaced, bounded, warm, swept."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from assistants_api.domain.errors import Unavailable
from assistants_api.domain.sandbox import SandboxFacts, SandboxOff
from assistants_api.ports import Sandbox
from assistants_api.sandbox.off import OffSandbox
from assistants_api.sandbox.pool import PoolConfig, SessionPool
from tests.conftest import until
from tests.sandbox.conftest import open_or_skip, run


@pytest.fixture(scope="module")
def jail() -> Iterator[Sandbox]:
    """The best tier of this machine: the pool does not know which."""
    opened = open_or_skip("auto")
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
async def pools(jail: Sandbox) -> AsyncIterator:
    """Makes pools that are closed afterwards."""
    made = []

    async def make(**config) -> SessionPool:
        pool = SessionPool(jail, PoolConfig(**{"warm": 0} | config))
        await pool.start()
        made.append(pool)
        return pool

    yield make
    for pool in made:
        await pool.close()


async def test_a_key_keeps_its_session(pools):
    pool = await pools()

    async with pool.hold("thread_a") as held:
        assert (held.is_new, held.lost) == (True, None)
        await run(held.session, "x = 1")
    async with pool.hold("thread_a") as held:
        assert (held.is_new, held.lost) == (False, None)
        assert (await run(held.session, "x")).text == "1\n"
    async with pool.hold("thread_b") as held:
        assert held.is_new
        assert "NameError" in (await run(held.session, "x")).text
    assert pool.describe().details["sessions"] == 2


async def test_a_session_that_died_is_replaced_and_the_caller_told(pools):
    pool = await pools()
    async with pool.hold("t") as held:
        ran = await run(held.session, "import os; os._exit(1)")

    async with pool.hold("t") as held:
        assert held.is_new
        assert held.lost == ran.done.ended == "The session's process ended: its variables and files are gone."
        assert (await run(held.session, "1")).done.is_new
    async with pool.hold("t") as held:
        assert (held.is_new, held.lost) == (False, None)
    assert pool.describe().details["sessions"] == 1


async def test_a_session_that_dies_between_two_cells_is_replaced(pools):
    pool = await pools()
    async with pool.hold("t") as held:
        await run(held.session, "import os, threading; threading.Timer(0.05, os._exit, [1]).start()")
        session = held.session
    await until(lambda: session.ended is not None)

    async with pool.hold("t") as held:
        assert held.is_new
        assert held.lost is not None


async def test_a_reset_forgets_everything(pools):
    pool = await pools()
    async with pool.hold("t") as held:
        await run(held.session, "x = 1")

    await pool.reset("t")
    await pool.reset("never seen")

    assert pool.describe().details["sessions"] == 0
    async with pool.hold("t") as held:
        assert (held.is_new, held.lost) == (True, None)


async def test_a_session_of_another_generation_is_replaced(pools):
    pool = await pools()
    async with pool.hold("t", 1) as held:
        await run(held.session, "x = 1")
    await pool.reset("t", 0)  # somebody's who does not know of this generation

    assert pool.keys() == {"t": 1}
    async with pool.hold("t", 2) as held:
        assert (held.is_new, held.lost) == (True, None)
    assert pool.describe().details["sessions"] == 1


async def test_the_longest_unused_session_makes_place(pools):
    pool = await pools(most=2)
    for key in ("a", "b", "a", "c"):
        async with pool.hold(key) as held:
            await run(held.session, "1")

    async with pool.hold("a") as held:
        assert not held.is_new
    async with pool.hold("b") as held:
        assert held.lost == "The session was ended: others needed its place."
    assert pool.describe().details["sessions"] == 2


async def test_sessions_at_work_are_waited_for_not_ended(pools):
    pool = await pools(most=1)
    order = []

    async def use(key: str, inside: asyncio.Event) -> None:
        async with pool.hold(key) as held:
            inside.set()
            await run(held.session, "import time; time.sleep(0.05)")
            order.append(key)

    first, second = asyncio.Event(), asyncio.Event()
    one = asyncio.create_task(use("a", first))
    await first.wait()
    two = asyncio.create_task(use("b", second))
    await asyncio.gather(one, two)

    assert order == ["a", "b"]


async def test_no_place_in_time_is_an_error(pools):
    pool = await pools(most=1, wait_seconds=0.05)

    async with pool.hold("a"):
        with pytest.raises(Unavailable, match="1 sandbox session"):
            async with pool.hold("b"):
                pass

    async with pool.hold("b") as held:
        assert held.is_new


async def test_a_session_that_makes_place_may_take_its_time_to_end(pools):
    """It is not at work; only those that are can keep somebody waiting too long."""
    pool = await pools(most=1, wait_seconds=0.05)
    goes_on = threading.Event()
    async with pool.hold("a") as held:
        held.session.jail.after.append(lambda: goes_on.wait(30))
    asyncio.get_running_loop().call_later(0.2, goes_on.set)

    async with pool.hold("b") as held:
        assert goes_on.is_set()
        assert held.is_new


async def test_unused_sessions_end(pools):
    pool = await pools(idle_seconds=0.05)
    async with pool.hold("t") as held:
        session = held.session
        await run(session, "1")

    await until(lambda: pool.describe().details["sessions"] == 0)

    assert session.ended is not None
    async with pool.hold("t") as held:
        assert "unused" in (held.lost or "")


async def test_closing_waits_for_a_session_that_is_being_ended(jail):
    pool = SessionPool(jail, PoolConfig(warm=0, idle_seconds=0.05))
    await pool.start()
    goes_on, is_gone = threading.Event(), threading.Event()
    async with pool.hold("t") as held:
        session = held.session
        session.jail.after += [lambda: goes_on.wait(30), is_gone.set]
    await until(lambda: session.ended is not None)  # the sweep is ending it
    asyncio.get_running_loop().call_later(0.1, goes_on.set)

    await pool.close()

    assert is_gone.is_set()
    assert session.jail.process.returncode is not None


async def test_warm_sessions_are_taken_and_filled_up(pools):
    pool = await pools(warm=1)
    await until(lambda: pool.describe().details["warm"] == 1, seconds=30)

    async with pool.hold("t") as held:
        assert pool.describe().details["warm"] == 0
        assert (await run(held.session, "import sys; 'pandas' in sys.modules")).text == "True\n"

    await until(lambda: pool.describe().details["warm"] == 1, seconds=30)


async def test_two_holders_of_one_key_take_turns(pools):
    pool = await pools()
    inside = 0

    async def use() -> None:
        nonlocal inside
        async with pool.hold("t") as held:
            inside += 1
            assert inside == 1
            await run(held.session, "1")
            inside -= 1

    await asyncio.gather(*(use() for _ in range(4)))

    assert pool.describe().details["sessions"] == 1


async def test_an_off_sandbox_refuses_with_its_reason():
    pool = SessionPool(OffSandbox("for a test"), PoolConfig())
    await pool.start()

    with pytest.raises(SandboxOff, match="off on this server: for a test"):
        async with pool.hold("t"):
            pass

    assert pool.describe() == SandboxFacts("off", "for a test")
    await pool.close()
