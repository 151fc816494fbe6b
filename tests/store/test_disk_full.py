"""A disk that is full: a clear refusal, nothing lost that was acknowledged, and no restart to heal."""

import asyncio
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import httpx
import pytest

from assistants_api.domain.errors import Unavailable
from assistants_api.domain.prompt import Text
from assistants_api.domain.run import RunStatus
from assistants_api.domain.thread import NewThread
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.threads import create_thread, get_thread
from assistants_api.store.sqlite import SqliteDatabase, _raw
from tests.api.conftest import client_over, made
from tests.conftest import until
from tests.worker.conftest import house_over

NOW = datetime.now(UTC)
LARGE = {f"k{n}": "x" * 512 for n in range(16)}


@contextmanager
def full(db: SqliteDatabase):
    """As long as this is open, the file cannot grow by a page."""
    assert db._writer is not None
    raw = _raw(db._writer)
    (pages,) = raw.execute("PRAGMA page_count").fetchone()
    raw.execute(f"PRAGMA max_page_count={pages}")
    try:
        yield
    finally:
        raw.execute("PRAGMA max_page_count=1073741823")


async def filled(db: SqliteDatabase) -> None:
    """No page has room for much any more."""
    while True:
        try:
            await create_thread(db, NewThread(metadata=LARGE), NOW)
        except Unavailable:
            return


async def test_a_write_is_refused_clearly_and_works_again_when_there_is_room(sqlite_db):
    kept = await create_thread(sqlite_db, NewThread(), NOW)
    with full(sqlite_db):
        await filled(sqlite_db)
        with pytest.raises(Unavailable, match=r"cannot be written: .*full"):
            await create_thread(sqlite_db, NewThread(metadata=LARGE), NOW)
        assert await get_thread(sqlite_db, kept.id) == kept

    made_later = await create_thread(sqlite_db, NewThread(metadata=LARGE), NOW)
    assert await get_thread(sqlite_db, made_later.id) == made_later


async def test_what_shares_a_commit_with_a_write_that_failed_is_there_or_refused(sqlite_db):
    await create_thread(sqlite_db, NewThread(), NOW)
    told = []

    async def one(number):
        metadata = LARGE if number % 3 == 1 else {}
        with suppress(Unavailable):
            told.append(await create_thread(sqlite_db, NewThread(metadata=metadata), NOW))

    with full(sqlite_db):
        await filled(sqlite_db)
        for _ in range(20):
            await asyncio.gather(*(one(number) for number in range(9)))

    for thread in told:
        assert await get_thread(sqlite_db, thread.id) == thread


async def test_over_http_it_is_a_503_and_nothing_is_left_behind(sqlite_db):
    async with client_over(sqlite_db, ScriptedEngine([])) as http:
        await made(http, "/v1/threads")
        before = len((await http.get("/v1/threads?limit=100")).json()["data"])
        with full(sqlite_db):
            await filled(sqlite_db)
            count = len((await http.get("/v1/threads?limit=100")).json()["data"])
            refused: httpx.Response = await http.post("/v1/threads", json={"metadata": LARGE})
            assert refused.status_code == 503
            assert "cannot be written" in refused.json()["error"]["message"]
            assert len((await http.get("/v1/threads?limit=100")).json()["data"]) == count >= before

        assert (await http.post("/v1/threads", json={"metadata": LARGE})).status_code == 200


async def test_a_run_that_meets_a_full_disk_goes_on_when_there_is_room(sqlite_db, caplog):
    words = [Text("word " * 200) for _ in range(40)]
    engine = ScriptedEngine([[Text("Well. "), Wait("go"), *words]])
    async with house_over(sqlite_db, engine) as house:
        run = await house.start()
        await until(lambda: house.messages(run))
        with full(sqlite_db):
            await filled(sqlite_db)
            engine.release("go")
            await until(lambda: "trying again" in caplog.text)
            assert not (await house.run(run)).is_final
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
        [message] = await house.messages(run)
        assert message.text == "Well. " + "word " * 8000
