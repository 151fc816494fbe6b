"""PostgreSQL that is there and does not serve: starting, stopping, full. Callers are told to come again."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from assistants_api.domain.errors import DatabaseAway, Unavailable
from assistants_api.domain.prompt import Text
from assistants_api.domain.run import RunStatus
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.store import opening
from assistants_api.store.opening import CannotOpen, migrate, open_database
from assistants_api.store.postgres import PostgresDatabase, trouble
from assistants_api.store.wake import Wake
from tests.conftest import POSTGRES, fresh_postgres, until
from tests.worker.conftest import house_over


@asynccontextmanager
async def refusing(sqlstate: str, words: str, *then: tuple[str, str]) -> AsyncIterator[str]:
    """The URL of a server that greets every client with this error, as PostgreSQL does, and then with others."""
    greetings = [(sqlstate, words), *then]

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            (code,) = struct.unpack("!i", (await reader.readexactly(length - 4))[:4])
            if code != 80877103:  # the question whether it speaks TLS
                break
            writer.write(b"N")
        sqlstate, words = greetings.pop(0) if len(greetings) > 1 else greetings[0]
        fields = f"SFATAL\0VFATAL\0C{sqlstate}\0M{words}\0\0".encode()
        writer.write(b"E" + struct.pack("!i", len(fields) + 4) + fields)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql+asyncpg://somebody@127.0.0.1:{port}/anything"


@pytest.mark.parametrize(
    ("sqlstate", "words"),
    [
        ("57P03", "the database system is starting up"),
        ("57P03", "the database system is not yet accepting connections"),
        ("57P01", "terminating connection due to administrator command"),
        ("57P02", "terminating connection because of crash of another server process"),
        ("53300", "sorry, too many clients already"),
        ("53100", "could not extend file: No space left on device"),
        ("08006", "connection failure"),
        ("25006", "cannot execute UPDATE in a read-only transaction"),
        ("57014", "canceling statement due to statement timeout"),
        ("55P03", "canceling statement due to lock timeout"),
        ("25P03", "terminating connection due to idle-in-transaction timeout"),
    ],
)
async def test_a_database_that_does_not_serve_is_unavailable(sqlstate, words):
    async with refusing(sqlstate, words) as url:
        db = PostgresDatabase(url, Wake())
        for opened in (db.read, db.begin):
            with pytest.raises(Unavailable) as caught:
                async with opened():
                    pytest.fail("it was opened")
        await db.close()

    assert words in caught.value.message


def test_a_pool_that_has_no_connection_left_is_unavailable_too():
    with pytest.raises(DatabaseAway, match="connections are in use"):
        with trouble():
            raise PoolTimeout("QueuePool limit of size 10 overflow 5 reached")


async def test_nobody_there_is_unavailable_too():
    async with refusing("57P03", "x") as url:
        db = PostgresDatabase(url, Wake())
    with pytest.raises(Unavailable, match="cannot be reached"):
        async with db.read():
            pytest.fail("it was opened")
    await db.close()


async def test_a_wrong_password_is_no_passing_trouble():
    async with refusing("28P01", "password authentication failed") as url:
        db = PostgresDatabase(url, Wake())
        with pytest.raises(Exception, match="password authentication failed") as caught:
            async with db.read():
                pytest.fail("it was opened")
        await db.close()

    assert not isinstance(caught.value, Unavailable)


STARTING = ("57P03", "the database system is starting up")


async def test_a_database_that_is_starting_is_waited_for(caplog):
    """The one that refuses for good stands for the one that serves: only who waited hears of it."""
    async with refusing(*STARTING, STARTING, ("28P01", "password authentication failed")) as url:
        with pytest.raises(CannotOpen, match=r"refuses: .*password authentication failed"):
            await open_database(url, Wake())

    assert caplog.text.count("waiting for PostgreSQL") == 2


@pytest.mark.parametrize("work", [migrate, lambda url: open_database(url, Wake())])
async def test_it_is_not_waited_for_for_ever(work, monkeypatch):
    monkeypatch.setattr(opening, "WAIT_SECONDS", 0.1)
    async with refusing(*STARTING) as url:
        with pytest.raises(CannotOpen, match=r"does not serve: .*starting up"):
            await work(url)
    with pytest.raises(CannotOpen, match=r"does not serve: .*[Cc]onnect"):
        await work(url)


@pytest.fixture
async def postgres(request):
    """An empty database on a real server."""
    if POSTGRES is None:
        pytest.skip("needs a PostgreSQL server: set ASSISTANTS_TEST_POSTGRES_URL")
    async with fresh_postgres() as url:
        database = await open_database(url, Wake())
        yield database
        await database.close()


@pytest.mark.postgres
@pytest.mark.parametrize("also", ["sslmode=prefer", "ssl=prefer", "connect_timeout=9&options=-c%20jit%3Doff"])
async def test_the_parameters_of_a_url_hold_for_every_connection(also):
    """For the pool's, and for those that carry hints."""
    if POSTGRES is None:
        pytest.skip("needs a PostgreSQL server: set ASSISTANTS_TEST_POSTGRES_URL")
    async with fresh_postgres() as url:
        first = await open_database(f"{url}?application_name=of%20ours&{also}", Wake())
        second = await open_database(f"{url}?{also}", Wake())

        async def of_the_name():
            async with second.read() as tx:
                found = await tx.execute(
                    text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'of ours'")
                )
                return found.scalar_one()

        heard = asyncio.Event()
        second.wake.on("news", lambda payload: heard.set())
        async with first.read():
            async with asyncio.timeout(60):
                while not heard.is_set():  # it may listen only from now on
                    first.wake.send("news")
                    await asyncio.wait([asyncio.create_task(heard.wait())], timeout=0.1)
            assert await of_the_name() == 3
        await first.close()
        await second.close()


@pytest.mark.postgres
async def test_a_server_that_is_gone_without_a_word_is_given_up(postgres):
    """As when its machine lost its power, or a firewall forgot the connection."""
    found: list[Any] = []
    event.listen(postgres._engine.sync_engine, "checkout", lambda raw, *_: found.append(raw))
    async with postgres.read():
        line = found[-1].driver_connection._transport.get_extra_info("socket")
        keeps_alive = line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000

    assert keeps_alive


@pytest.mark.postgres
@pytest.mark.parametrize("place", ["before a savepoint", "in a savepoint", "at the end of a savepoint"])
async def test_a_connection_that_is_lost_is_unavailable_also_to_who_goes_on(postgres, place):
    """As the log's writer does, which takes the next item when one has failed."""
    found: list[Any] = []
    event.listen(postgres._engine.sync_engine, "checkout", lambda raw, *_: found.append(raw))
    with pytest.raises(Unavailable):
        async with postgres.begin() as tx:
            await tx.execute(text("SELECT 1"))
            with suppress(Exception):
                if place == "before a savepoint":
                    found[-1].driver_connection.terminate()
                    await tx.execute(text("SELECT 1"))
                async with tx.savepoint():
                    found[-1].driver_connection.terminate()
                    if place == "in a savepoint":
                        await tx.execute(text("SELECT 1"))

    async with postgres.read() as tx:
        assert (await tx.execute(text("SELECT 1"))).scalar_one() == 1


@pytest.mark.postgres
async def test_a_connection_that_is_lost_at_the_end_of_a_savepoint_is_unavailable_there(postgres):
    """So that nobody takes it for a fault of what was to be written."""
    found: list[Any] = []
    event.listen(postgres._engine.sync_engine, "checkout", lambda raw, *_: found.append(raw))
    with pytest.raises(Unavailable):
        async with postgres.begin() as tx:
            await tx.execute(text("SELECT 1"))
            with pytest.raises(Unavailable):
                async with tx.savepoint():
                    found[-1].driver_connection.terminate()


@pytest.mark.postgres
async def test_a_connection_that_is_lost_before_the_commit_is_unavailable(postgres):
    with pytest.raises(Unavailable):
        async with postgres.begin() as tx:
            pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with postgres.begin() as other:
                await other.execute(text(f"SELECT pg_terminate_backend({pid})"))


@pytest.mark.postgres
async def test_a_run_goes_on_when_every_connection_was_cut(postgres):
    engine = ScriptedEngine([[Text("One, "), Wait("go"), Text("two, "), Text("three.")]])
    async with house_over(postgres, engine) as house:
        run = await house.start()
        await until(lambda: house.messages(run))
        for _ in range(3):
            with suppress(Unavailable):
                async with postgres.begin() as tx:
                    await tx.execute(
                        text(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        )
                    )
            engine.release("go")
        await until(lambda: is_final(house, run))

        assert (await house.run(run)).status is RunStatus.COMPLETED
        [message] = await house.messages(run)
        assert message.text == "One, two, three."


async def is_final(house, run):
    with suppress(Unavailable):
        return (await house.run(run)).is_final
