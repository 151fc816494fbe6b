"""Vector stores, the files in them, and the batches in which those came."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, exists, func, insert, select, update

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
from assistants_api.store.removed import Removed
from assistants_api.store.repository import Repository


class VectorStores(Repository[VectorStore]):
    """The table of vector stores."""

    table = tables.vector_stores
    kind = VectorStore
    noun = "vector store"

    async def page(self, query: PageQuery) -> Page[VectorStore]:
        """Stores by creation."""
        return await self._page(query)

    async def hold_all(self, ids: Collection[str]) -> None:
        """Hold those of the stores that are there, in an order in which everybody holds them."""
        c = self.table.c
        await self.session.execute(select(c.id).where(c.id.in_(ids)).order_by(c.ord).with_for_update())

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
        if len(ids) > 1:
            await self.hold_all(ids)
        await self.session.execute(update(self.table).where(c.id.in_(ids)).values(revision=c.revision + 1))

    async def use(self, ids: Collection[str], now: datetime) -> None:
        """These stores are in use now; nothing else of them is written."""
        c = self.table.c
        if len(ids) > 1:
            await self.hold_all(ids)
        await self.session.execute(
            update(self.table).where(c.id.in_(ids), c.last_active_at < now).values(last_active_at=now)
        )

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
        """Files of a store, or of a batch as they ended for it, by the time they were added."""
        query = replace(
            query,
            after=await self._cursor(store_id, query.after, "after"),
            before=await self._cursor(store_id, query.before, "before"),
        )
        c, m = self.table.c, tables.batch_files.c
        if batch_id is None:
            conditions = [] if status is None else [c.status == status]
            return await self._page(query, *conditions, vector_store_id=store_id)
        members = select(m.store_file_id).where(m.batch_id == batch_id)
        if status is not None:
            members = members.where(m.status == status)
        page = await self._page(query, c.id.in_(members), vector_store_id=store_id)
        return replace(page, data=await self._as_in(batch_id, page.data))

    async def _as_in(self, batch_id: str, files: Sequence[StoreFile]) -> list[StoreFile]:
        """The files as the batch knows them: how one ended does not change when it comes again."""
        m = tables.batch_files.c
        statement = select(m.store_file_id, m.status, m.last_error, m.usage_bytes).where(
            m.batch_id == batch_id, m.store_file_id.in_([file.id for file in files])
        )
        rows: Any = await self.session.execute(statement)
        ends = {id: dict(zip(("status", "last_error", "usage_bytes"), end, strict=True)) for id, *end in rows}
        return [replace(file, **ends[file.id]) for file in files]

    async def put(self, thing: StoreFile) -> StoreFile:
        """Add a file, or begin it anew if the store has it already; returns the row as it is now.

        One that is searchable and is to be cut as it is stays so: only its attributes change.
        """
        old = await self.find_in(thing.vector_store_id, thing.file_id)
        if old is None:
            await self.add(thing)
            return thing
        if old.status is StoreFileStatus.COMPLETED and old.chunking == thing.chunking:
            kept = replace(old, attributes=thing.attributes)
            await self.save(kept)
            if self.session.webhooks:  # who waits for its end has it now
                await self._announce([kept.id], kept.status)
            return kept
        anew = replace(thing, id=old.id, created_at=old.created_at)
        await self.save(anew)
        await self.session.execute(delete(tables.chunks).where(tables.chunks.c.store_file_id == old.id))
        return anew

    async def save_attributes(self, thing: StoreFile) -> None:
        """Write what its owner may change: how it ends may be written at the same time by who indexes it."""
        await self.session.execute(
            update(self.table).where(self.table.c.id == thing.id).values(attributes=thing.attributes)
        )

    async def waiting(self, file_id: str, *, for_update: bool = True) -> list[StoreFile]:
        """The places of a file that wait for it to be indexed; `for_update` holds their rows."""
        c = self.table.c
        statement = (
            self._select()
            .where(c.file_id == file_id, c.status == StoreFileStatus.IN_PROGRESS)
            .order_by(c.ord)
        )
        if for_update:
            statement = statement.with_for_update()
        return [self.thing(row) for row in await self.session.execute(statement)]

    async def end(
        self,
        ids: Collection[str],
        status: StoreFileStatus,
        *,
        last_error: JsonObject | None = None,
        usage_bytes: int = 0,
    ) -> None:
        """These files are no longer in progress, in their stores and in the batches that wait for them."""
        c = self.table.c
        values = {"status": status, "last_error": last_error, "usage_bytes": usage_bytes}
        await self.session.execute(
            update(self.table).where(c.id.in_(ids), c.status == StoreFileStatus.IN_PROGRESS).values(values)
        )
        if self.session.webhooks:
            await self._announce(ids, status)
        await FileBatches(self.session).end_files(ids, values)

    async def take_out(self, file_id: str, store_id: str | None = None) -> None:
        """The file is not in this store any more, or in none; batches that wait for it do so no longer."""
        c = self.table.c
        held = select(c.id, c.vector_store_id, c.ord).where(c.file_id == file_id)
        if store_id is not None:
            held = held.where(c.vector_store_id == store_id)
        rows: Any = await self.session.execute(held.order_by(c.ord).with_for_update())
        found = list(rows)
        ids = [id for id, _, _ in found]
        await Removed(self.session).note_again({_place(store, file_id): ord_ for _, store, ord_ in found})
        await FileBatches(self.session).end_files(ids, {"status": StoreFileStatus.CANCELLED})
        await self.session.execute(delete(self.table).where(c.id.in_(ids)))

    async def _announce(self, ids: Collection[str], status: StoreFileStatus) -> None:
        """Tell of files that have ended so."""
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

    async def stores_of(self, file_id: str) -> list[str]:
        """The ids of the stores that have this file, however it ended there."""
        c = self.table.c
        statement = select(c.vector_store_id).where(c.file_id == file_id)
        return [row[0] for row in await self.session.execute(statement)]

    async def is_wanted(self, file_id: str) -> bool:
        """Whether a store has this file or waits for it: one that failed or was cancelled is not wanted."""
        c = self.table.c
        statement = select(
            exists().where(
                c.file_id == file_id, c.status.in_((StoreFileStatus.IN_PROGRESS, StoreFileStatus.COMPLETED))
            )
        )
        return bool((await self.session.execute(statement)).scalar_one())

    async def in_progress(self, store_ids: Collection[str]) -> int:
        """How many files of these stores are not indexed yet."""
        c = self.table.c
        statement = select(func.count()).where(
            c.vector_store_id.in_(store_ids), c.status == StoreFileStatus.IN_PROGRESS
        )
        return int((await self.session.execute(statement)).scalar_one())

    async def searchable(self, store_id: str) -> list[tuple[str, str, str, JsonObject, int]]:
        """Id, file id, file name, attributes and size of chunks of each file that a search may find."""
        c, files = self.table.c, tables.files.c
        statement: Select[Any] = (
            select(c.id, c.file_id, files.filename, c.attributes, c.max_chunk_size_tokens)
            .join(tables.files, files.id == c.file_id)
            .where(c.vector_store_id == store_id, c.status == StoreFileStatus.COMPLETED)
            .order_by(c.ord)
        )
        rows: Any = await self.session.execute(statement)
        return [tuple(row) for row in rows]

    async def _cursor(self, store_id: str, file_id: str | None, param: str) -> str | None:
        """By which id the file's place is known: its row's, or the one noted when it was taken out."""
        if file_id is None:
            return None
        found = await self.find_in(store_id, file_id)
        if found is not None:
            return found.id
        place = _place(store_id, file_id)
        if await Removed(self.session).ord_of(place) is None:
            raise NotFound(f"No file found with id '{file_id}' in vector store '{store_id}'.", param=param)
        return place


class FileBatches(Repository[FileBatch]):
    """The table of batches, and of how their files ended for them.

    Who changes files and batches holds the rows of the files first, then of the batches' files, then of
    the batches.
    """

    table = tables.file_batches
    kind = FileBatch
    noun = "file batch"

    async def of(self, store_id: str, batch_id: str) -> FileBatch:
        """The batch of this store, or `NotFound`."""
        found = await self.find(batch_id)
        if found is None or found.vector_store_id != store_id:
            raise NotFound(f"No file batch found with id '{batch_id}' in vector store '{store_id}'.")
        return found

    async def hold_files(self, batch_id: str, files: Collection[StoreFile]) -> None:
        """These files came with this batch; it does not wait for those that are searchable already."""
        rows = [
            {
                "batch_id": batch_id,
                "store_file_id": file.id,
                "status": file.status,
                "last_error": file.last_error,
                "usage_bytes": file.usage_bytes,
            }
            for file in files
        ]
        await self.session.execute(insert(tables.batch_files), rows)
        if self.session.webhooks:
            await self._announce_completed([batch_id])

    async def counts(self, batch_id: str) -> FileCounts:
        """How far the batch's files are."""
        c = tables.batch_files.c
        statement = select(c.status, func.count()).where(c.batch_id == batch_id).group_by(c.status)
        rows: Any = await self.session.execute(statement)
        return FileCounts(**{status.value: int(number) for status, number in rows})

    async def end_files(self, store_file_ids: Collection[str], values: JsonObject) -> None:
        """For the batches that wait for these files they end so, for good."""
        c = tables.batch_files.c
        statement = (
            update(tables.batch_files)
            .where(c.store_file_id.in_(store_file_ids), c.status == StoreFileStatus.IN_PROGRESS)
            .values(values)
            .returning(c.batch_id)
        )
        batch_ids = {row[0] for row in await self.session.execute(statement)}
        if batch_ids and self.session.webhooks:
            await self._announce_completed(batch_ids)

    async def cancel_files(self, batch_id: str) -> bool:
        """Cancel what is not done yet, and tell whether there was any.

        A file that another batch waits for as well is indexed nevertheless.
        """
        files, c = tables.store_files.c, tables.batch_files.c
        is_waited_for = c.status == StoreFileStatus.IN_PROGRESS
        mine = select(c.store_file_id).where(c.batch_id == batch_id, is_waited_for)
        held = select(files.id).where(files.id.in_(mine)).order_by(files.ord).with_for_update()
        ids = [row[0] for row in await self.session.execute(held)]
        ended: Any = await self.session.execute(
            update(tables.batch_files)
            .where(c.batch_id == batch_id, is_waited_for)
            .values(status=StoreFileStatus.CANCELLED)
        )
        theirs = select(c.store_file_id).where(c.store_file_id.in_(ids), is_waited_for)
        await self.session.execute(
            update(tables.store_files)
            .where(files.id.in_(ids), files.status == StoreFileStatus.IN_PROGRESS, files.id.not_in(theirs))
            .values(status=StoreFileStatus.CANCELLED)
        )
        return bool(ended.rowcount)

    async def announce_cancelled(self, batch: FileBatch) -> None:
        """Tell of a batch that was cancelled."""
        data = _told(batch.id, batch.vector_store_id, await self.counts(batch.id))
        await Deliveries(self.session).announce("vector_store.file_batch.cancelled", data)

    async def _announce_completed(self, batch_ids: Collection[str]) -> None:
        """Tell of those batches of which no file is in progress any more."""
        c = self.table.c
        # Held in order: of two files that end at once, the later one sees that the batch is whole.
        held = self._select().where(c.id.in_(batch_ids)).order_by(c.id).with_for_update()
        for batch in [self.thing(row) for row in await self.session.execute(held)]:
            counts = await self.counts(batch.id)
            if counts.in_progress == 0:
                data = _told(batch.id, batch.vector_store_id, counts)
                await Deliveries(self.session).announce("vector_store.file_batch.completed", data)


def _place(store_id: str, file_id: str) -> str:
    """What a file's place in a store is called once it is taken out: it may come again, in another row."""
    return f"{store_id}/{file_id}"


def _told(batch_id: str, store_id: str, counts: FileCounts) -> JsonObject:
    return {
        "id": batch_id,
        "object": "vector_store.file_batch",
        "vector_store_id": store_id,
        "file_counts": {**asdict(counts), "total": counts.total},
    }
