"""Blobs in an S3-compatible object store, through obstore."""

import asyncio
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import S3Store

from assistants_api.blobs.keys import OWNER, is_key, new_key

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
        """Store the pieces as one object; its key. An upload that breaks off leaves no object."""
        key = new_key()
        with tempfile.TemporaryFile() as whole:
            async for piece in pieces:
                await asyncio.to_thread(whole.write, piece)
            whole.seek(0)
            await obstore.put_async(self._store, key, whole, chunk_size=_PIECE)
        return key

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The blob in pieces; `FileNotFoundError` when it is not there."""
        try:
            found = await obstore.get_async(self._store, key)
        except (NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(key) from error
        async for piece in found.stream(min_chunk_size=_PIECE):
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
        """Forget these blobs; those that are not there are passed over."""
        for key in keys:
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
