"""Blobs on a disk that takes no more, or holds what others keep there."""

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistants_api.blobs.disk import DiskBlobs
from assistants_api.domain.errors import Unavailable

PIECE = bytes(1 << 20)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file of this process grows beyond a megabyte and a half: to writers, a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 19, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def pieces(number):
    for _ in range(number):
        yield PIECE


async def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path, small_disk):
    blobs = DiskBlobs(tmp_path)
    with pytest.raises(Unavailable, match="cannot be stored: File too large"):
        await blobs.write(pieces(2))
    assert list((tmp_path / "incoming").iterdir()) == []

    key = await blobs.write(pieces(1))
    assert b"".join([piece async for piece in blobs.read(key)]) == PIECE


@pytest.mark.parametrize("step", ["mkdir", "open"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.EACCES])
async def test_a_disk_that_takes_no_file_at_all_is_told(tmp_path, monkeypatch, step, number):
    """It has no more inodes, was made read-only, or is another user's; or the process has no more descriptors."""

    def refuse(*given, **named):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch, pytest.raises(Unavailable, match="cannot be stored"):
        patch.setattr(Path, step, refuse)
        await DiskBlobs(tmp_path).write(pieces(1))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
async def test_every_folder_that_was_made_for_a_blob_is_durable_with_it(tmp_path, monkeypatch):
    synced: list[Path] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    folder = tmp_path / "data" / "blobs"

    key = await DiskBlobs(folder).write(pieces(1))

    assert {folder / key[:2], folder, tmp_path / "data"} <= set(synced)


async def test_what_others_keep_there_is_none_of_ours(tmp_path):
    (tmp_path / "00").mkdir()
    (tmp_path / "00" / "notes.txt").write_text("precious")
    blobs = DiskBlobs(tmp_path)
    key = await blobs.write(pieces(1))

    assert [key async for key in blobs.older_than(-1)] == [key]


async def test_they_belong_to_the_database_that_asked_first(tmp_path):
    blobs = DiskBlobs(tmp_path / "blobs")

    assert [await blobs.owner(name) for name in ("first", "second", "first")] == ["first"] * 3
    assert [key async for key in blobs.older_than(-1)] == []
