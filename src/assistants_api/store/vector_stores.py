"""Vector stores, the files in them, and the batches in which those came."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Select, and_, delete, func, insert, select, update

from assistants_api.domain.errors import NotFound
from assistants_api.domain.json import JsonObject
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.vector_store import (
    FileBatch,
    FileCounts,
    StoreFile,
    StoreFileStatus,
    VectorStore,
)
from assistants_api.store import tables
from assistants_api.store.deliveries import Deliveries
from assistants_api.store.repository import Repository


class VectorStores(Repository[VectorStore]):
    """The table of vector stores."""

    table = tables.vector_stores
    kind = VectorStore
    noun = "vector store"

    async def page(self, query: PageQuery) -> Page[VectorStore]:
        """Stores by creation."""
        return await self._page(query)

    async def hold(self, id: str) -> VectorStore:
        """The store, its row held until the transaction ends: its files change in turn."""
        found = await self.find(id, for_update=True)
        if found is None:
            raise self.missing(id)
        return found

    async def all_of(self, ids: Sequence[str]) -> list[VectorStore]:
        """The stores with these ids, in that order; the first that is missing is `NotFound`."""
        statement = self._select().where(self.table.c.id.in_(ids))
        found = {store.id: store for store in map(self.thing, await self.session.execute(statement))}
        for id in ids:
            if id not in found:
                raise self.missing(id)
        return [found[id] for id in ids]

    async def existing(self, ids: Sequence[str]) -> list[VectorStore]:
        """Those of the stores that are still there, in the order of `ids`."""
        statement = self._select().where(self.table.c.id.in_(ids))
        found = {store.id: store for store in map(self.thing, await self.session.execute(statement))}
        return [found[id] for id in ids if id in found]

    async def changed(self, ids: Collection[str]) -> None:
        """What a search may find in these stores has changed."""
        c = self.table.c
        await self.session.execute(update(self.table).where(c.id.in_(ids)).values(revision=c.revision + 1))

    async def counts(self, ids: Collection[str]) -> dict[str, tuple[FileCounts, int]]:
        """For each store its file counts and the bytes that its files use."""
        c = tables.store_files.c
        statement = (
            select(c.vector_store_id, c.status, func.count(), func.sum(c.usage_bytes))
            .where(c.vector_store_id.in_(ids))
            .group_by(c.vector_store_id, c.status)
        )
        counts: dict[str, dict[str, int]] = {id: {} for id in ids}
        usage = dict.fromkeys(ids, 0)
        rows: Any = await self.session.execute(statement)
        for id, status, number, size in rows:
            counts[id][status.value] = int(number)
            usage[id] += int(size or 0)
        return {id: (FileCounts(**counts[id]), usage[id]) for id in ids}


class StoreFiles(Repository[StoreFile]):
    """The table of files in stores; clients know a row by its file's id."""

    table = tables.store_files
    kind = StoreFile
    noun = "file"

    async def of(self, store_id: str, file_id: str) -> StoreFile:
        """The file in this store, or `NotFound`."""
        found = await self.find_in(store_id, file_id)
        if found is None:
            raise NotFound(f"No file found with id '{file_id}' in vector store '{store_id}'.")
        return found

    async def find_in(self, store_id: str, file_id: str) -> StoreFile | None:
        """The file in this store, if it is in it."""
        c = self.table.c
        statement = self._select().where(c.vector_store_id == store_id, c.file_id == file_id)
        row = (await self.session.execute(statement)).first()
        return None if row is None else self.thing(row)

    async def page(
        self,
        store_id: str,
        query: PageQuery,
        status: StoreFileStatus | None = None,
        batch_id: str | None = None,
    ) -> Page[StoreFile]:
        """Files of a store by the time they were added, by status or batch if asked."""
        query = replace(
            query,
            after=await self._cursor(store_id, query.after, "after"),
            before=await self._cursor(store_id, query.before, "before"),
        )
        conditions = []
        if status is not None:
            conditions.append(self.table.c.status == status)
        if batch_id is not None:
            members = select(tables.batch_files.c.store_file_id).where(
                tables.batch_files.c.batch_id == batch_id
            )
            conditions.append(self.table.c.id.in_(members))
        return await self._page(query, *conditions, vector_store_id=store_id)

    async def put(self, thing: StoreFile) -> StoreFile:
        """Add a file, or begin it anew if the store has it already; returns the row as it is now."""
        old = await self.find_in(thing.vector_store_id, thing.file_id)
        if old is None:
            await self.add(thing)
            return thing
        anew = replace(thing, id=old.id, created_at=old.created_at)
        await self.save(anew)
        await self.session.execute(delete(tables.chunks).where(tables.chunks.c.store_file_id == old.id))
        return anew

    async def waiting(self, file_id: str) -> list[StoreFile]:
        """The places of a file that wait for it to be indexed, their rows held."""
        c = self.table.c
        statement = (
            self._select()
            .where(c.file_id == file_id, c.status == StoreFileStatus.IN_PROGRESS)
            .order_by(c.ord)
            .with_for_update()
        )
        return [self.thing(row) for row in await self.session.execute(statement)]

    async def end(
        self,
        ids: Collection[str],
        status: StoreFileStatus,
        *,
        last_error: JsonObject | None = None,
        usage_bytes: int = 0,
    ) -> None:
        """These files are no longer in progress."""
        c = self.table.c
        await self.session.execute(
            update(self.table)
            .where(c.id.in_(ids), c.status == StoreFileStatus.IN_PROGRESS)
            .values(status=status, last_error=last_error, usage_bytes=usage_bytes)
        )
        if self.session.webhooks:
            await self._announce(ids, status)

    async def _announce(self, ids: Collection[str], status: StoreFileStatus) -> None:
        """Tell of files that have ended so, and of batches that have ended with them."""
        c, deliveries = self.table.c, Deliveries(self.session)
        statement = self._select().where(c.id.in_(ids), c.status == status).order_by(c.ord)
        for row in (await self.session.execute(statement)).all():
            file = self.thing(row)
            data = {
                "id": file.file_id,
                "object": "vector_store.file",
                "vector_store_id": file.vector_store_id,
                "status": status.value,
                "last_error": file.last_error,
            }
            await deliveries.announce(f"vector_store.file.{status}", data)
        batches = tables.file_batches.c
        of_these = select(tables.batch_files.c.batch_id).where(tables.batch_files.c.store_file_id.in_(ids))
        # Held in order: of two files that end at once, the later one sees that the batch is whole.
        held = (
            select(batches.id, batches.vector_store_id)
            .where(batches.id.in_(of_these), batches.is_cancelled.is_(False))
            .order_by(batches.id)
            .with_for_update()
        )
        rows: Any = (await self.session.execute(held)).all()
        for batch_id, store_id in rows:
            counts = await FileBatches(self.session).counts(batch_id)
            if counts.in_progress == 0:
                told = _told(batch_id, store_id, counts)
                await deliveries.announce("vector_store.file_batch.completed", told)

    async def stores_of(self, file_id: str) -> list[str]:
        """The ids of the stores that have this file."""
        c = self.table.c
        statement = select(c.vector_store_id).where(c.file_id == file_id)
        return [row[0] for row in await self.session.execute(statement)]

    async def in_progress(self, store_ids: Collection[str]) -> int:
        """How many files of these stores are not indexed yet."""
        c = self.table.c
        statement = select(func.count()).where(
            c.vector_store_id.in_(store_ids), c.status == StoreFileStatus.IN_PROGRESS
        )
        return int((await self.session.execute(statement)).scalar_one())

    async def searchable(self, store_id: str) -> list[tuple[str, str, str, JsonObject]]:
        """Id, file id, file name and attributes of each file that a search may find."""
        c, files = self.table.c, tables.files.c
        statement: Select[Any] = (
            select(c.id, c.file_id, files.filename, c.attributes)
            .join(tables.files, files.id == c.file_id)
            .where(c.vector_store_id == store_id, c.status == StoreFileStatus.COMPLETED)
            .order_by(c.ord)
        )
        rows: Any = await self.session.execute(statement)
        return [tuple(row) for row in rows]

    async def _cursor(self, store_id: str, file_id: str | None, param: str) -> str | None:
        if file_id is None:
            return None
        found = await self.find_in(store_id, file_id)
        if found is None:
            raise NotFound(f"No file found with id '{file_id}' in vector store '{store_id}'.", param=param)
        return found.id


class FileBatches(Repository[FileBatch]):
    """The table of batches."""

    table = tables.file_batches
    kind = FileBatch
    noun = "file batch"

    async def of(self, store_id: str, batch_id: str) -> FileBatch:
        """The batch of this store, or `NotFound`."""
        found = await self.find(batch_id)
        if found is None or found.vector_store_id != store_id:
            raise NotFound(f"No file batch found with id '{batch_id}' in vector store '{store_id}'.")
        return found

    async def hold_files(self, batch_id: str, store_file_ids: Iterable[str]) -> None:
        """These files came with this batch."""
        rows = [{"batch_id": batch_id, "store_file_id": id} for id in store_file_ids]
        await self.session.execute(insert(tables.batch_files), rows)

    async def counts(self, batch_id: str) -> FileCounts:
        """How far the batch's files are."""
        files, members = tables.store_files.c, tables.batch_files.c
        statement = (
            select(files.status, func.count())
            .join(tables.batch_files, members.store_file_id == files.id)
            .where(members.batch_id == batch_id)
            .group_by(files.status)
        )
        rows: Any = await self.session.execute(statement)
        return FileCounts(**{status.value: int(number) for status, number in rows})

    async def cancel_files(self, batch_id: str) -> None:
        """Cancel what is not done yet."""
        files, members = tables.store_files.c, tables.batch_files.c
        ids = select(members.store_file_id).where(members.batch_id == batch_id)
        await self.session.execute(
            update(tables.store_files)
            .where(and_(files.id.in_(ids), files.status == StoreFileStatus.IN_PROGRESS))
            .values(status=StoreFileStatus.CANCELLED)
        )

    async def announce_cancelled(self, batch: FileBatch) -> None:
        """Tell of a batch that was cancelled."""
        data = _told(batch.id, batch.vector_store_id, await self.counts(batch.id))
        await Deliveries(self.session).announce("vector_store.file_batch.cancelled", data)


def _told(batch_id: str, store_id: str, counts: FileCounts) -> JsonObject:
    return {
        "id": batch_id,
        "object": "vector_store.file_batch",
        "vector_store_id": store_id,
        "file_counts": {**asdict(counts), "total": counts.total},
    }
