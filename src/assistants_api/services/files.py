"""What can be done with files."""

from collections.abc import AsyncIterator
from datetime import datetime

from assistants_api.blobs.refused import removed_if_refused
from assistants_api.domain import ids
from assistants_api.domain.file import File, NewFile
from assistants_api.domain.page import Page, PageQuery
from assistants_api.ports import Blobs
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx


async def create_file(db: Database, blobs: Blobs, new: NewFile, blob: str, size: int, now: datetime) -> File:
    """A file over a blob that was written; the blob is removed when the file is refused."""
    async with removed_if_refused(blobs, blob), db.begin() as tx:
        return await add_file(tx, new, blob, size, now)


async def add_file(tx: Tx, new: NewFile, blob: str, size: int, now: datetime) -> File:
    """Add a file inside a transaction."""
    file = File.made(ids.new("file"), new, blob, size, now)
    await tx.files.add(file)
    return file


async def list_files(db: Database, query: PageQuery, purpose: str | None) -> Page[File]:
    """Files by creation, those of one purpose if asked."""
    async with db.read() as tx:
        return await tx.files.page(query, purpose)


async def get_file(db: Database, file_id: str) -> File:
    """One file."""
    async with db.read() as tx:
        return await tx.files.get(file_id)


async def read_file(db: Database, blobs: Blobs, file_id: str) -> tuple[File, AsyncIterator[bytes]]:
    """A file and its bytes in pieces."""
    file = await get_file(db, file_id)
    return file, blobs.read(file.blob)


async def delete_file(db: Database, blobs: Blobs, file_id: str) -> None:
    """Remove a file: from every vector store, from every list of the code interpreter, and its bytes."""
    async with db.begin() as tx:
        await tx.jobs.hold_of(file_id)
        # Threads before stores, as who adds a message or a run.
        await tx.assistants.drop(file_id)
        await tx.threads.drop(file_id)
        # Stores before the file, as who adds it to one.
        await tx.vector_stores.hold_all(await tx.store_files.stores_of(file_id))
        file = await tx.files.hold(file_id)
        await tx.vector_stores.changed(await tx.store_files.stores_of(file_id))
        await tx.store_files.take_out(file_id)
        await tx.jobs.revoke(file_id)
        await tx.files.remove(file_id)
    await blobs.remove([file.blob])
