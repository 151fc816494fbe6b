"""PostgreSQL that is there and does not serve: starting, stopping, full. Callers are told to come again."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from assistants_api.domain.errors import Unavailable
from assistants_api.store import opening
from assistants_api.store.opening import CannotOpen, migrate, open_database
from assistants_api.store.postgres import PostgresDatabase
from assistants_api.store.wake import Wake


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
