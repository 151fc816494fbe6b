"""Vector stores on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from assistants_api.domain.vector_store import NewVectorStore
from assistants_api.services.tool_resources import touch_stores
from assistants_api.services.vector_stores import create_vector_store
from assistants_api.store.vector_stores import VectorStores

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


async def test_who_uses_a_store_undoes_nothing_that_changes_meanwhile(db, monkeypatch):
    store = (await create_vector_store(db, NewVectorStore(name="Old"), NOW)).store
    existing = VectorStores.existing

    async def overtaken(self, ids):
        found = await existing(self, ids)
        await self.changed(ids)
        await self.save(replace(await self.get(store.id), name="New"))
        return found

    monkeypatch.setattr(VectorStores, "existing", overtaken)
    async with db.begin() as tx:
        await touch_stores(tx, [store.id], LATER)

    async with db.read() as tx:
        assert await tx.vector_stores.get(store.id) == replace(
            store, name="New", revision=store.revision + 1, last_active_at=LATER
        )


async def test_a_use_counts_for_stores_that_are_alive_and_never_backwards(db):
    a_day = {"anchor": "last_active_at", "days": 1}
    lasting, expired, gone = [
        (await create_vector_store(db, NewVectorStore(expires_after=expiry), NOW)).store
        for expiry in (None, a_day, None)
    ]
    ids = [gone.id, expired.id, lasting.id]
    async with db.begin() as tx:
        await tx.vector_stores.remove(gone.id)
        await touch_stores(tx, ids, LATER)
        await touch_stores(tx, ids, NOW)

    async with db.read() as tx:
        [first, second] = await tx.vector_stores.existing(ids)
    assert (first.last_active_at, second.last_active_at) == (NOW, LATER)
