"""SQLite: one writer connection with group commit, and a pool of readers, on the event loop.

Statements run on the event loop itself: a point query takes tens of microseconds, several times less
than handing it to a thread and back. What can be slow, waiting for another process's write lock and
the fsync of a commit, happens in a thread. Every transaction that finishes while a commit is on its
way joins the next one as a savepoint, so many requests share one fsync.
(docs/decisions/0002-sqlite-on-the-loop.md has the measurements.)
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Executable, create_engine, event
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from assistants_api.domain.errors import DatabaseAway
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx
from assistants_api.store.wake import Wake

_BUSY_TRIES = 100
_BUSY_PAUSE = 0.05
_MAX_IDLE_READERS = 8
# What passes: the disk, or another tool that has the file for itself.
_PASSING = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
}
_LOST = "The database cannot be written: what was to be written together was undone."


class _Batch:
    """Transactions that will be made durable by one commit."""

    def __init__(self) -> None:
        self.is_lost = False  # SQLite has undone it, with all that was in it
        self.hooks: list[Callable[[], None]] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be left waiting (a cancelled request); then the outcome is still not an error.
        self.done.add_done_callback(lambda done: done.cancelled() or done.exception())


class SqliteDatabase(Database):
    """A database file on a local disk."""

    def __init__(self, path: Path, wake: Wake) -> None:
        self.path = path
        self.wake = wake
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)),
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            hide_parameters=True,  # errors are logged; what is stored is not
            connect_args={"check_same_thread": False, "timeout": 0},
        )
        event.listen(self._engine, "connect", _prepare)
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-commit")
        self._writer: Connection | None = None
        self._idle_readers: list[Connection] = []
        self._batch: _Batch | None = None
        self._committing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        while (lost := self._batch) is not None and lost.is_lost:
            await asyncio.wait([lost.done])
        async with self._turn:
            writer = self._writer = self._writer or self._connect()
            if self._batch is None:
                await self._open_batch(writer)
            batch = self._batch
            assert batch is not None
            if batch.is_lost:
                raise DatabaseAway(_LOST)
            tx = self._transaction(writer)
            try:
                async with tx.savepoint():
                    yield tx
                batch.hooks += tx.hooks
            finally:
                # A disk that is full, or broken, may undo more than the statement that met it.
                batch.is_lost = not _raw(writer).in_transaction
                if self._committing is None:
                    self._committing = asyncio.create_task(self._commit())
        await asyncio.shield(batch.done)

    @asynccontextmanager
    async def read(self, *, is_long: bool = False) -> AsyncIterator[Tx]:
        reader = self._idle_readers.pop() if self._idle_readers else self._connect()
        raw = _raw(reader)
        try:
            raw.execute("BEGIN")
            try:
                yield self._transaction(reader, in_thread=is_long)
            finally:
                if raw.in_transaction:
                    raw.execute("COMMIT")
        except BaseException:
            reader.close()
            raise
        if len(self._idle_readers) < _MAX_IDLE_READERS:
            self._idle_readers.append(reader)
        else:
            reader.close()

    async def close(self) -> None:
        if self._committing is not None:
            await self._committing
        async with self._turn:
            for connection in (*self._idle_readers, self._writer):
                if connection is not None:
                    connection.close()
            self._idle_readers.clear()
            self._writer = None
        self._thread.shutdown()
        self._engine.dispose()

    def describe(self) -> dict[str, Any]:
        return {"name": "sqlite", "version": sqlite3.sqlite_version}

    def _connect(self) -> Connection:
        with _trouble("opened"):
            return self._engine.connect()

    def _transaction(self, connection: Connection, *, in_thread: bool = False) -> Tx:
        async def execute(statement: Executable, parameters: Any) -> CursorResult[Any]:
            with _trouble():
                return connection.execute(statement, parameters)

        async def execute_in_thread(statement: Executable, parameters: Any) -> CursorResult[Any]:
            # All rows are read in the thread; what comes back holds them.
            work = asyncio.ensure_future(
                asyncio.to_thread(lambda: connection.execute(statement, parameters).freeze())
            )
            try:
                with _trouble():
                    frozen: Any = await asyncio.shield(work)
            except asyncio.CancelledError:
                _raw(connection).interrupt()  # the connection must be free before anybody else has it
                await asyncio.wait([work])
                raise
            result: CursorResult[Any] = frozen()
            return result

        @asynccontextmanager
        async def savepoint() -> AsyncIterator[None]:
            raw = _raw(connection)
            raw.execute("SAVEPOINT tx")
            try:
                yield
            except BaseException:
                if raw.in_transaction:
                    raw.execute("ROLLBACK TO tx")
                    raw.execute("RELEASE tx")
                raise
            if not raw.in_transaction:
                raise DatabaseAway(_LOST)  # a statement within failed, and somebody caught that
            raw.execute("RELEASE tx")

        chosen = execute_in_thread if in_thread else execute
        return Tx(chosen, savepoint, self.wake, is_sqlite=True, webhooks=self.webhooks)

    async def _open_batch(self, writer: Connection) -> None:
        for _ in range(_BUSY_TRIES):
            try:
                _raw(writer).execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise _no_room(error) from error
                await asyncio.sleep(_BUSY_PAUSE)
            else:
                self._batch = _Batch()
                return
        raise DatabaseAway("The database is held by another process.")

    async def _commit(self) -> None:
        async with self._turn:
            batch, self._batch, self._committing = self._batch, None, None
            assert batch is not None
            assert self._writer is not None
            raw = _raw(self._writer)
            loop = asyncio.get_running_loop()
            if batch.is_lost:
                batch.done.set_exception(DatabaseAway(_LOST))
                return
            try:
                await loop.run_in_executor(self._thread, raw.execute, "COMMIT")
            except sqlite3.Error as error:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
                batch.done.set_exception(_no_room(error))
                return
            for hook in batch.hooks:
                hook()
            batch.done.set_result(None)


@contextmanager
def _trouble(what: str = "written") -> Iterator[None]:
    """What the disk refuses, or another tool holds, is no fault of the statement: `DatabaseAway`."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _PASSING:
            raise _no_room(error.orig, what) from error
        raise


def _no_room(error: BaseException | None, what: str = "written") -> DatabaseAway:
    return DatabaseAway(f"The database cannot be {what}: {error}.")


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


def _prepare(raw: sqlite3.Connection, record: object) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "journal_size_limit=67108864",
        "cache_size=-16384",
        "temp_store=MEMORY",
    ):
        _set(raw, pragma)


def _set(raw: sqlite3.Connection, pragma: str) -> None:
    """Waits while another process opens, recovers or closes the file: SQLite does not, for some pragmas."""
    for tries in range(1, _BUSY_TRIES + 1):
        try:
            raw.execute(f"PRAGMA {pragma}").fetchall()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or tries == _BUSY_TRIES:
                raise
        time.sleep(_BUSY_PAUSE)
