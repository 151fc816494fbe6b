"""What can be done with vector stores, the files in them, and batches of files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from assistants_api.domain import ids
from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.file import refuse_unsearchable
from assistants_api.domain.json import JsonObject
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.vector_store import (
    CountedBatch,
    CountedStore,
    FileBatch,
    NewStoreFile,
    NewVectorStore,
    StoreFile,
    StoreFileStatus,
    VectorStore,
)
from assistants_api.services.ingestion import want_indexed
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx

MAX_FILES = 10_000


async def create_vector_store(db: Database, new: NewVectorStore, now: datetime) -> CountedStore:
    """A new store; its files are in progress when this returns."""
    async with db.begin() as tx:
        store = await add_store(tx, new, now)
        return await _counted(tx, store, now)


async def add_store(tx: Tx, new: NewVectorStore, now: datetime) -> VectorStore:
    """Add a store and its files inside a transaction."""
    store = VectorStore(
        id=ids.new("vs"),
        created_at=now,
        name=new.name,
        description=new.description,
        metadata=new.metadata,
        expires_after=new.expires_after,
        last_active_at=now,
    )
    await tx.vector_stores.add(store)
    await add_files(tx, store.id, new.files, now)
    return store


async def list_vector_stores(db: Database, query: PageQuery, now: datetime) -> Page[CountedStore]:
    """Stores by creation."""
    async with db.read() as tx:
        page = await tx.vector_stores.page(query)
        counts = await tx.vector_stores.counts([store.id for store in page.data])
    return Page([CountedStore(store, *counts[store.id], now) for store in page.data], page.has_more)


async def get_vector_store(db: Database, store_id: str, now: datetime) -> CountedStore:
    """One store."""
    async with db.read() as tx:
        return await _counted(tx, await tx.vector_stores.get(store_id), now)


async def modify_vector_store(
    db: Database, store_id: str, changes: Mapping[str, Any], now: datetime
) -> CountedStore:
    """The store with the given fields replaced."""
    async with db.begin() as tx:
        store = replace(await tx.vector_stores.hold(store_id), **changes)
        await tx.vector_stores.save(store)
        return await _counted(tx, store, now)


async def delete_vector_store(db: Database, store_id: str) -> None:
    """Remove the store; its files stay."""
    async with db.begin() as tx:
        # Threads before stores, as who adds a message or a run.
        await tx.assistants.drop(store_id)
        await tx.threads.drop(store_id)
        await tx.vector_stores.remove(store_id)


async def create_vector_store_file(
    db: Database, store_id: str, new: NewStoreFile, now: datetime
) -> StoreFile:
    """Add a file to a store, or change what the store has of it."""
    async with db.begin() as tx:
        (await tx.vector_stores.hold(store_id)).must_be_alive(now)
        [added] = await add_files(tx, store_id, [new], now)
    return added


async def add_files(tx: Tx, store_id: str, new: Sequence[NewStoreFile], now: datetime) -> list[StoreFile]:
    """Add files to a store inside a transaction; a file that is named twice is added once.

    One that can be searched in the store already stays as it is, with other attributes, unless it is to be
    cut otherwise.
    """
    if not new:
        return []
    by_id = {each.file_id: each for each in new}
    files = await tx.files.all_of(list(by_id), for_update=True)
    refuse_unsearchable(files.values(), "file_ids")
    added = [
        await tx.store_files.put(
            StoreFile(
                id=ids.new("vsf"),
                created_at=now,
                vector_store_id=store_id,
                file_id=each.file_id,
                max_chunk_size_tokens=each.chunking.max_chunk_size_tokens,
                chunk_overlap_tokens=each.chunking.chunk_overlap_tokens,
                attributes=each.attributes,
            )
        )
        for each in by_id.values()
    ]
    counts, _ = (await tx.vector_stores.counts([store_id]))[store_id]
    if counts.total > MAX_FILES:
        raise InvalidRequest(f"A vector store holds at most {MAX_FILES} files.", code="invalid_value")
    await tx.vector_stores.changed([store_id])
    unread = [file.file_id for file in added if file.status is StoreFileStatus.IN_PROGRESS]
    await want_indexed(tx, unread, now)
    return added


async def list_vector_store_files(
    db: Database,
    store_id: str,
    query: PageQuery,
    status: StoreFileStatus | None,
    batch_id: str | None = None,
) -> Page[StoreFile]:
    """Files of a store, or of one of its batches, by the time they were added."""
    async with db.read() as tx:
        await tx.vector_stores.get(store_id)
        if batch_id is not None:
            await tx.file_batches.of(store_id, batch_id)
        return await tx.store_files.page(store_id, query, status, batch_id)


async def get_vector_store_file(db: Database, store_id: str, file_id: str) -> StoreFile:
    """One file of a store."""
    async with db.read() as tx:
        await tx.vector_stores.get(store_id)
        return await tx.store_files.of(store_id, file_id)


async def update_vector_store_file(
    db: Database, store_id: str, file_id: str, attributes: JsonObject
) -> StoreFile:
    """The file with other attributes."""
    async with db.begin() as tx:
        await tx.vector_stores.hold(store_id)
        file = replace(await tx.store_files.of(store_id, file_id), attributes=attributes)
        await tx.store_files.save_attributes(file)
        await tx.vector_stores.changed([store_id])
    return file


async def delete_vector_store_file(db: Database, store_id: str, file_id: str) -> None:
    """Take a file out of a store; the file itself stays, and so do the counts of batches that brought it."""
    async with db.begin() as tx:
        await tx.vector_stores.hold(store_id)
        await tx.store_files.of(store_id, file_id)
        await tx.store_files.take_out(file_id, store_id)
        await tx.vector_stores.changed([store_id])


async def read_vector_store_file(
    db: Database, store_id: str, file_id: str, first: int, limit: int
) -> tuple[list[str], bool]:
    """Up to `limit` chunks of a file's text from place `first`, and whether more follow."""
    async with db.read() as tx:
        await tx.vector_stores.get(store_id)
        place = await tx.store_files.of(store_id, file_id)
        chunks = await tx.documents.chunks(place.id, first, limit + 1)
        document = await tx.documents.find(file_id) if chunks else None
    if document is None:
        return [], False
    return [document.text[start:end] for start, end in chunks[:limit]], len(chunks) > limit


async def create_file_batch(
    db: Database, store_id: str, new: Sequence[NewStoreFile], now: datetime
) -> CountedBatch:
    """Add files together."""
    batch = FileBatch(ids.new("vsfb"), now, store_id)
    async with db.begin() as tx:
        (await tx.vector_stores.hold(store_id)).must_be_alive(now)
        await tx.file_batches.add(batch)
        added = await add_files(tx, store_id, new, now)
        await tx.file_batches.hold_files(batch.id, added)
        return CountedBatch(batch, await tx.file_batches.counts(batch.id))


async def get_file_batch(db: Database, store_id: str, batch_id: str) -> CountedBatch:
    """One batch of a store."""
    async with db.read() as tx:
        await tx.vector_stores.get(store_id)
        return await _counted_batch(tx, store_id, batch_id)


async def cancel_file_batch(db: Database, store_id: str, batch_id: str) -> CountedBatch:
    """Stop what is not done yet; a batch that has ended stays as it is."""
    async with db.begin() as tx:
        await tx.vector_stores.hold(store_id)
        batch = await tx.file_batches.of(store_id, batch_id)
        if await tx.file_batches.cancel_files(batch_id):
            await tx.file_batches.save(replace(batch, is_cancelled=True))
            await tx.file_batches.announce_cancelled(batch)
        return await _counted_batch(tx, store_id, batch_id)


async def _counted(tx: Tx, store: VectorStore, now: datetime) -> CountedStore:
    counts = await tx.vector_stores.counts([store.id])
    return CountedStore(store, *counts[store.id], now)


async def _counted_batch(tx: Tx, store_id: str, batch_id: str) -> CountedBatch:
    batch = await tx.file_batches.of(store_id, batch_id)
    return CountedBatch(batch, await tx.file_batches.counts(batch_id))
