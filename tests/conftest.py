"""Fixtures with a lifetime that every folder shares: a database of each kind, and the parts over it."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from assistants_api.store.database import Database
from assistants_api.store.opening import migrate, open_database, sqlite_url
from assistants_api.store.wake import Wake

POSTGRES = os.environ.get("ASSISTANTS_TEST_POSTGRES_URL")


@asynccontextmanager
async def fresh_postgres() -> AsyncIterator[str]:
    """The URL of a new, migrated PostgreSQL database that is dropped afterwards."""
    assert POSTGRES is not None
    name = f"assistants_test_{secrets.token_hex(6)}"
    # No connection is kept: a test may restart the server in between.
    admin = create_async_engine(POSTGRES, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        async with admin.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
        url = POSTGRES.rpartition("/")[0] + f"/{name}"
        await migrate(url)
        yield url
        async with admin.connect() as connection:
            await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        await admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        database = await open_database(sqlite_url(tmp_path), Wake())
        yield database
        await database.close()
        return
    if POSTGRES is None:
        if os.environ.get("CI"):
            pytest.fail("in CI PostgreSQL must be there: set ASSISTANTS_TEST_POSTGRES_URL")
        pytest.skip("needs a PostgreSQL server: set ASSISTANTS_TEST_POSTGRES_URL")
    async with fresh_postgres() as url:
        database = await open_database(url, Wake())
        yield database
        await database.close()


@pytest.fixture
async def sqlite_db(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty SQLite database, for tests that are not about the store."""
    database = await open_database(sqlite_url(tmp_path), Wake())
    yield database
    await database.close()


async def until(condition, *, seconds: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    """Wait for a state that has no event; fails when it does not come."""
    async with asyncio.timeout(seconds):
        while True:
            result = condition()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return
            await asyncio.sleep(0.005)
