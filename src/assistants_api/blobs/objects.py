"""Blobs in an S3-compatible object store, through obstore."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from assistants_api.blobs.keys import OWNER, is_key, new_key
from assistants_api.domain.errors import Unavailable

logger = logging.getLogger(__name__)

_PIECE = 8 << 20


class ObjectBlobs:
    """Blobs under one prefix of a bucket; credentials come from the environment, as the AWS tools take them.

    `url` is `s3://bucket/prefix`; `endpoint` names a store other than AWS (MinIO, Garage, Ceph …).
    """

    def __init__(self, url: str, endpoint: str | None = None) -> None:
        given: dict[str, Any] = {}
        if endpoint is not None:
            given = {"endpoint": endpoint, "client_options": {"allow_http": endpoint.startswith("http://")}}
        self._store = S3Store.from_url(url, **given)
        self._url = url

    async def write(self, pieces: AsyncIterable[bytes]) -> str:
        """Store the pieces as one object; its key. An upload that breaks off leaves no object.

        Raises `Unavailable` when the store does not serve, or the disk has no room for what is on its way.
        """
        key = new_key()
        with _serving():
            whole = tempfile.TemporaryFile()  # noqa: SIM115 - closed by what follows
        with whole:
            async for piece in pieces:
                with _serving():
                    await asyncio.to_thread(whole.write, piece)
            with _serving():
                whole.seek(0)
                await obstore.put_async(self._store, key, whole, chunk_size=_PIECE)
        return key

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The blob in pieces; `FileNotFoundError` when it is not there."""
        with _serving():
            try:
                found = await obstore.get_async(self._store, key)
            except (NotFoundError, FileNotFoundError):
                found = None
        if found is None:
            raise FileNotFoundError(key)
        stream = aiter(found.stream(min_chunk_size=_PIECE))
        while True:
            with _serving():
                piece = await anext(stream, None)
            if piece is None:
                return
            yield bytes(piece)

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """The blob as a file that may be read, for as long as the block lasts."""
        with tempfile.NamedTemporaryFile() as copy:
            async for piece in self.read(key):
                await asyncio.to_thread(copy.write, piece)
            copy.flush()
            yield Path(copy.name)

    async def remove(self, keys: Iterable[str]) -> None:
        """Forget these blobs; those that are not there are passed over, those that cannot be removed left."""
        for key in keys:
            with suppress(Unavailable), _serving():
                try:
                    await obstore.delete_async(self._store, key)
                except (NotFoundError, FileNotFoundError):
                    continue

    async def older_than(self, seconds: float) -> AsyncIterator[str]:
        """The keys of blobs that were written at least so long ago."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        async for batch in obstore.list(self._store):
            for entry in batch:
                if entry["last_modified"] < before and is_key(entry["path"]):
                    yield entry["path"]

    async def owner(self, database_id: str) -> str:
        """The id of the database whose blobs these are: that of the first which asked."""
        try:
            return b"".join([piece async for piece in self.read(OWNER)]).decode()
        except FileNotFoundError:
            await obstore.put_async(self._store, OWNER, database_id.encode())
            return database_id

    def describe(self) -> dict[str, Any]:
        """What this is, for health."""
        return {"name": "s3", "url": self._url}


@contextmanager
def _serving() -> Iterator[None]:
    """What the store, or the disk on the way to it, refuses is `Unavailable`; the log has its words."""
    try:
        yield
    except (BaseError, OSError) as error:
        logger.warning("the object store does not serve: %s", error)
        raise Unavailable("The object store does not serve at the moment.") from error
