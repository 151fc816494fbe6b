"""Opening an SQLite database while another process opens, recovers or closes it, or no file can be opened."""

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistants_api.domain.errors import DatabaseAway
from assistants_api.domain.page import PageQuery
from assistants_api.domain.thread import NewThread
from assistants_api.services.threads import add_thread, create_thread
from assistants_api.store import opening, sqlite
from assistants_api.store.opening import CannotOpen, open_database, sqlite_url
from assistants_api.store.wake import Wake


def test_a_lock_that_another_process_holds_at_the_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    mine = sqlite3.connect(tmp_path / "x.db", timeout=0)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if other.in_transaction:
            other.execute("COMMIT")

    monkeypatch.setattr("time.sleep", pause)
    sqlite._prepare(mine, None)

    assert mine.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert len(pauses) == 1


def test_a_lock_that_never_goes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite._prepare(sqlite3.connect(tmp_path / "x.db", timeout=0), None)


@pytest.mark.parametrize("kind", ["read", "begin"])
async def test_a_process_without_file_descriptors_is_told_so_and_goes_on_when_there_are_some(sqlite_db, kind):
    opened = getattr(sqlite_db, kind)
    with no_more_files():
        for _ in range(2):
            with pytest.raises(DatabaseAway, match="cannot be opened"):
                async with opened():
                    pytest.fail("it was opened")

    async with opened() as tx:
        assert await tx.jobs.depths() == {}


@pytest.mark.parametrize("kind", ["read", "begin"])
async def test_a_file_that_another_tool_has_for_itself_is_told_so_and_used_when_it_is_free(
    sqlite_db, kind, monkeypatch
):
    tool = sqlite3.connect(sqlite_db.path, isolation_level=None)
    tool.execute("PRAGMA locking_mode=EXCLUSIVE")
    tool.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    opened = getattr(sqlite_db, kind)
    with pytest.raises(DatabaseAway, match="locked"):
        async with opened():
            pytest.fail("it was opened")
    tool.close()

    async with opened() as tx:
        assert await tx.jobs.depths() == {}


async def test_a_copy_that_is_made_while_it_is_written_is_whole(sqlite_db, tmp_path):
    """By the command that the documents give."""
    kept = await create_thread(sqlite_db, NewThread(), datetime.now(UTC))
    tool = sqlite3.connect(sqlite_db.path)
    async with sqlite_db.begin() as tx:
        await add_thread(tx, NewThread(), datetime.now(UTC))
        tool.execute(f"VACUUM INTO '{tmp_path / 'copy.sqlite3'}'")
    tool.close()
    async with sqlite_db.read() as tx:
        own = await tx.identity.id()

    copy = await open_database(f"sqlite:///{tmp_path / 'copy.sqlite3'}", Wake())
    async with copy.read() as tx:
        assert await tx.identity.id() == own
        assert (await tx.threads.page(PageQuery(), {})).data == [kept]
    await copy.close()


@pytest.mark.parametrize("name", ["what?now", "50%25 off#1 é"])
async def test_a_folder_may_have_any_name(tmp_path, name):
    db = await open_database(sqlite_url(tmp_path / name), Wake())
    await create_thread(db, NewThread(), datetime.now(UTC))
    await db.close()

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "assistants.sqlite3").is_file()


async def test_a_network_file_system_is_known_whatever_its_folder_is_called(tmp_path, monkeypatch):
    folder = tmp_path / "our files"
    mounts = tmp_path / "mounts"
    mounts.write_bytes(
        b"/dev/sda1 / ext4 rw 0 0\n"
        b"//nas/files %s cifs rw 0 0\n"
        % str(folder).replace(" ", "\\040").encode()
        + b"/dev/sdb1 /media/caf\xe9 vfat rw 0 0\n"
    )
    monkeypatch.setattr(opening, "_MOUNTS", mounts)

    with pytest.raises(CannotOpen, match=r"network file system \(cifs\)"):
        await open_database(sqlite_url(folder / "data"), Wake())


@contextmanager
def no_more_files() -> Iterator[None]:
    """As long as this is open, this process can open no file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_one = os.open(os.devnull, os.O_RDONLY)
    os.close(next_one)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_one, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
