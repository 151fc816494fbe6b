"""Blobs as files of one folder on a local disk."""

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from assistants_api.blobs.keys import OWNER, is_key, new_key
from assistants_api.domain.errors import Unavailable

_PIECE = 1 << 20
# Of the disk, of rights on it, and of the descriptors that this process or the machine may have.
_NO_ROOM = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.ENFILE,
}


class DiskBlobs:
    """Blobs below `folder`, under names of our own: a client's file name never becomes a path.

    A blob appears under its name only once it is whole and durable; what a crash leaves lies in
    `incoming` and is removed by `remove_stale`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"

    async def write(self, pieces: AsyncIterable[bytes]) -> str:
        """Store the pieces as one blob; its key. Nothing is left behind when `pieces` raises.

        Raises `Unavailable` when the disk takes no more.
        """
        key = new_key()
        partial = self._incoming / key
        try:
            await asyncio.to_thread(self._incoming.mkdir, parents=True, exist_ok=True)
            sink = await asyncio.to_thread(partial.open, "xb")
            try:
                async for piece in pieces:
                    await asyncio.to_thread(sink.write, piece)
                await asyncio.to_thread(_sync, sink)
            finally:
                await asyncio.to_thread(sink.close)
            await asyncio.to_thread(self._publish, partial, self._path(key))
        except BaseException as error:
            with contextlib.suppress(OSError):  # where nothing can be made, nothing can be removed
                partial.unlink()
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise Unavailable(f"The file cannot be stored: {error.strerror}.") from error
            raise
        return key

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The blob in pieces; `FileNotFoundError` when it is not there."""
        source = await asyncio.to_thread(self._path(key).open, "rb")
        try:
            while piece := await asyncio.to_thread(source.read, _PIECE):
                yield piece
        finally:
            source.close()

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """The blob as a file that may be read, for as long as the block lasts."""
        yield self._path(key)

    async def remove(self, keys: Iterable[str]) -> None:
        """Forget these blobs; those that are not there are passed over."""
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(self._path(key).unlink)

    async def older_than(self, seconds: float) -> AsyncIterator[str]:
        """The keys of blobs written at least so long ago; unfinished ones of that age are removed."""
        before = time.time() - seconds
        for partial in await asyncio.to_thread(_old, self._incoming, before):
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(partial.unlink)
        for shelf in await asyncio.to_thread(_folders, self._folder):
            if shelf != self._incoming:
                for path in await asyncio.to_thread(_old, shelf, before):
                    if is_key(path.name):
                        yield path.name

    async def owner(self, database_id: str) -> str:
        """The id of the database whose blobs these are: that of the first which asked."""
        return await asyncio.to_thread(self._owner, database_id)

    def describe(self) -> dict[str, Any]:
        """What this is, for health."""
        return {"name": "disk"}

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def _owner(self, database_id: str) -> str:
        mark = self._folder / OWNER
        if not mark.exists():
            self._incoming.mkdir(parents=True, exist_ok=True)
            partial = self._incoming / new_key()
            partial.write_text(database_id)
            partial.replace(mark)
        return mark.read_text()

    def _publish(self, partial: Path, path: Path) -> None:
        is_new = not path.parent.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(path)
        if os.name == "posix":
            _sync_folder(path.parent)
            if is_new:  # it is there after a crash once the one above it is durable, which may be as new
                _sync_folder(self._folder)
                with contextlib.suppress(PermissionError):  # that one may be somebody else's
                    _sync_folder(self._folder.parent)


def _sync(sink: Any) -> None:
    sink.flush()
    os.fsync(sink.fileno())


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _old(folder: Path, before: float) -> list[Path]:
    if not folder.is_dir():
        return []
    return [Path(entry.path) for entry in os.scandir(folder) if entry.stat().st_mtime < before]
