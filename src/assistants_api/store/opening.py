"""Opens the database that a setting names: checks it, migrates it, refuses what cannot work."""

import asyncio
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, create_engine, func, select
from sqlalchemy.exc import DBAPIError

from assistants_api.domain.errors import Unavailable
from assistants_api.store.database import Database
from assistants_api.store.dialing import Dialer
from assistants_api.store.postgres import PostgresDatabase, trouble
from assistants_api.store.sqlite import SqliteDatabase
from assistants_api.store.wake import Wake

logger = logging.getLogger(__name__)

T = TypeVar("T")

WAIT_SECONDS = 30.0  # for a PostgreSQL that is not there yet
_WAIT_PAUSE = 0.5
_MIGRATING = 0x61737374  # the lock of those who migrate: any number that others hardly choose
_MOUNTS = Path("/proc/mounts")
_ESCAPED = re.compile(r"\\([0-7]{3})")  # what would part a line in two, in the names of folders
_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs"}


class CannotOpen(Exception):
    """The database that was asked for cannot be used; the message says why and what to do."""


def sqlite_url(data_dir: Path) -> str:
    """The default database of a data directory."""
    return f"sqlite:///{data_dir / 'assistants.sqlite3'}"


async def open_database(url: str, wake: Wake) -> Database:
    """An open database at the newest revision.

    SQLite files are made and migrated here; PostgreSQL is only migrated by `migrate`, and a database at
    another revision is refused.
    """
    if url.startswith("sqlite"):
        path = await asyncio.to_thread(_prepare_sqlite, url)
        return SqliteDatabase(path, wake)
    if url.startswith("postgresql"):
        await _check_postgres(url)
        database = PostgresDatabase(url, wake)
        await database.start()
        return database
    raise CannotOpen(
        f"ASSISTANTS_DATABASE_URL must begin with sqlite or postgresql, not {url.split(':')[0]!r}."
    )


async def migrate(url: str) -> str:
    """Bring the database to the newest revision; returns that revision."""
    if url.startswith("sqlite"):
        await asyncio.to_thread(_prepare_sqlite, url)
        return _head()
    await _when_it_serves(url, upgrade)
    return _head()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run migrations up to `revision` over this connection; who comes meanwhile waits, and has less to do."""
    if connection.dialect.name == "postgresql":  # an SQLite file is held by the transaction
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Run migrations down to `revision` over this connection."""
    config = _config()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _head() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "there is at least one migration"
    return head


def _prepare_sqlite(url: str) -> Path:
    path = Path(url.split(":///", 1)[1]).expanduser()
    if sqlite3.sqlite_version_info < (3, 35):
        raise CannotOpen(f"SQLite 3.35 or newer is needed; this Python has {sqlite3.sqlite_version}.")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotOpen(f"{path.parent} cannot be used as a folder: {error.strerror}.") from error
    if (kind := _file_system(path.parent)) in _NETWORK_FILE_SYSTEMS:
        raise CannotOpen(
            f"{path} lies on a network file system ({kind}), where SQLite loses data."
            " Set ASSISTANTS_DATA_DIR to a local disk, or use PostgreSQL."
        )
    place = URL.create("sqlite", database=str(path))
    engine = create_engine(place, isolation_level="AUTOCOMMIT", connect_args={"timeout": 30})
    try:
        with engine.connect() as connection:
            options = connection.exec_driver_sql("PRAGMA compile_options").scalars().all()
            if not any("ENABLE_FTS5" in option for option in options):
                raise CannotOpen("This Python's SQLite has no FTS5, which file search needs.")
            _refuse_unknown_revision(connection)
            if _revision(connection) != _head():
                # Other processes that start now wait here, and then find that there is nothing to do.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                upgrade(connection)
                connection.exec_driver_sql("COMMIT")
    except DBAPIError as error:
        raise CannotOpen(f"{path} cannot be used as a database: {error.orig}.") from error
    finally:
        engine.dispose()
    return path


async def _check_postgres(url: str) -> None:
    current = await _when_it_serves(url, _revision)
    if current != _head():
        raise CannotOpen(
            f"The database is at revision {current or 'none'}, this version needs {_head()}:"
            " run `assistants-api migrate`."
        )


async def _when_it_serves(url: str, work: Callable[[Connection], T]) -> T:
    """Does the work in a transaction; a server that is starting, or away, is waited for.

    Raises `CannotOpen` with its reason when it does not serve in time, or refuses for good.
    """
    engine = Dialer(url).engine()
    until = time.monotonic() + WAIT_SECONDS
    try:
        while True:
            try:
                with trouble():
                    async with engine.begin() as connection:
                        return await connection.run_sync(work)
            except Unavailable as away:
                reason = away.__cause__ or away
                if time.monotonic() >= until:
                    raise CannotOpen(f"The PostgreSQL server does not serve: {_words(reason)}") from away
                logger.warning("waiting for PostgreSQL: %s", _words(reason))
                await asyncio.sleep(_WAIT_PAUSE)
            except DBAPIError as error:
                raise CannotOpen(f"The PostgreSQL server refuses: {_words(error)}") from error
    finally:
        await engine.dispose()


def _words(error: BaseException) -> str:
    return " ".join(str(error).split("\n(Background")[0].split())[:300]


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_unknown_revision(connection: Connection) -> None:
    current = _revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise CannotOpen(f"The database was written by a newer version (revision {current}).")


def _file_system(folder: Path) -> str | None:
    """The type of the file system that holds `folder`, where the system tells (Linux)."""
    if not _MOUNTS.exists():
        return None
    best, kind = "", None
    wanted = str(folder.resolve())
    for line in os.fsdecode(_MOUNTS.read_bytes()).rstrip().split("\n"):
        _, point, type_, *_ = line.split(" ")
        point = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), point)
        is_above = wanted == point or wanted.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= len(best):
            best, kind = point, type_
    return kind
