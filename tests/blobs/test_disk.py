"""Blobs on a disk that takes no more."""

import resource
from collections.abc import Iterator

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
