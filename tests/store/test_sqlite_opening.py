"""Opening an SQLite database while another process opens, recovers or closes it."""

import sqlite3
from pathlib import Path

import pytest

from assistants_api.store import sqlite


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
