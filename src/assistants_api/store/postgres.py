"""PostgreSQL: a pool of connections, and one that listens for hints from other processes."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy import Executable
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from assistants_api.domain.errors import DatabaseAway
from assistants_api.store.database import Database
from assistants_api.store.dialing import Dialer
from assistants_api.store.transaction import Tx
from assistants_api.store.wake import Wake

logger = logging.getLogger(__name__)

_CHANNEL = "assistants_api"
_RECONNECT_PAUSE = 1.0
# Beginnings of SQLSTATEs: connections, disk, memory and places that are short, a server that starts or stops,
# a statement or a lock that took too long, a transaction that stood still, transactions that waited for each
# other, a server that only reads (a standby that is not promoted yet).
_PASSING = ("08", "53", "57P0", "57014", "55P03", "25P03", "40P01", "25006")


class PostgresDatabase(Database):
    """A PostgreSQL database, shared by any number of processes."""

    def __init__(self, url: str, wake: Wake, *, pool_size: int = 10) -> None:
        self.wake = wake
        self._dialer = Dialer(url)
        # Who waits for a row goes on with what it has become: not left to the database's default.
        self._engine = self._dialer.engine(
            pool_size=pool_size, max_overflow=5, pool_pre_ping=True, isolation_level="READ COMMITTED"
        )
        self._origin = secrets.token_hex(4)
        self._outbox: list[str] = []
        self._has_hints = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to listen for and to send hints."""
        self.wake.relay = self._relay
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._notify())]

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        async with self._connect() as connection:
            tx = self._transaction(connection)
            async with connection.begin():
                yield tx
            for hook in tx.hooks:
                hook()

    @asynccontextmanager
    async def read(self, *, is_long: bool = False) -> AsyncIterator[Tx]:
        async with self._connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            yield self._transaction(connection)

    async def close(self) -> None:
        self.wake.relay = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.dispose()

    def describe(self) -> dict[str, Any]:
        return {"name": "postgresql"}

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[AsyncConnection]:
        with trouble():
            async with self._engine.connect() as connection:
                yield connection

    def _transaction(self, connection: AsyncConnection) -> Tx:
        async def execute(statement: Executable, parameters: Any) -> CursorResult[Any]:
            with trouble():
                return await connection.execute(statement, parameters)

        @asynccontextmanager
        async def savepoint() -> AsyncIterator[None]:
            with trouble():
                async with connection.begin_nested():
                    yield

        return Tx(execute, savepoint, self.wake, is_sqlite=False, webhooks=self.webhooks)

    def _relay(self, topic: str) -> None:
        self._outbox.append(topic)
        self._has_hints.set()

    async def _notify(self) -> None:
        """Send hints after their commit, many at a time, never inside a writing transaction."""
        connection: asyncpg.Connection | None = None
        while True:
            await self._has_hints.wait()
            self._has_hints.clear()
            topics, self._outbox = list(dict.fromkeys(self._outbox)), []
            try:
                if connection is None or connection.is_closed():
                    connection = await self._dialer.dial()
                await connection.executemany(
                    "SELECT pg_notify($1, $2)", [(_CHANNEL, f"{self._origin} {topic}") for topic in topics]
                )
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("hints were not sent (%s); other processes will see them by polling", error)
                await asyncio.sleep(_RECONNECT_PAUSE)

    async def _listen(self) -> None:
        while True:
            try:
                connection = await self._dialer.dial()
                try:
                    is_over = asyncio.Event()
                    connection.add_termination_listener(lambda _, over=is_over: over.set())
                    await connection.add_listener(_CHANNEL, self._hear)
                    await is_over.wait()
                finally:
                    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                        await connection.close(timeout=1)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("cannot listen for hints (%s); polling until it works", error)
            await asyncio.sleep(_RECONNECT_PAUSE)

    def _hear(self, connection: object, pid: int, channel: str, payload: object) -> None:
        origin, _, topic = str(payload).partition(" ")
        if origin != self._origin:
            self.wake.deliver(topic)


@contextmanager
def trouble() -> Iterator[None]:
    """A database that is away, or does not serve for now, is no fault of the statement: `DatabaseAway`."""
    try:
        yield
    except (
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        PendingRollbackError,  # the connection was lost in the middle of a transaction
    ) as error:
        raise DatabaseAway("The database cannot be reached.") from error
    except PoolTimeout as error:
        raise DatabaseAway("All connections are in use.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseAway("The database cannot be reached.") from error
        if reason := _passing_trouble(error):
            raise DatabaseAway(f"The database does not serve at the moment: {reason}.") from error
        raise


def _passing_trouble(error: DBAPIError) -> str | None:
    """In PostgreSQL's words, why it does not serve now, if it may later; None for any other error."""
    cause: BaseException | None = error.orig
    while cause is not None and not isinstance(cause, asyncpg.PostgresError):
        cause = cause.__cause__
    if cause is None or not str(cause.sqlstate).startswith(_PASSING):
        return None
    return str(cause)
