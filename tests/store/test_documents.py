"""Keyword search over many windows finds what it finds over few, and in the same order."""

import random
from datetime import UTC, datetime

import pytest

from assistants_api.domain.file import File
from assistants_api.domain.vector_store import Document, NewVectorStore, StoreFile, StoreFileStatus, Window
from assistants_api.services.vector_stores import add_store
from assistants_api.store import documents

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [f"w{number}" for number in range(40)]


async def a_store(db, name: str, windows: list[str]) -> str:
    async with db.begin() as tx:
        store = await add_store(tx, NewVectorStore(), NOW)
        file = File(f"file-{name}", NOW, f"{name}.txt", "assistants", 1, "blob")
        await tx.files.add(file)
        await tx.store_files.add(
            StoreFile(f"vsf_{name}", NOW, store.id, file.id, StoreFileStatus.COMPLETED, attributes={})
        )
        await tx.documents.put(Document(file.id, "x" * len(windows), len(windows), "hash"))
        made = [Window(place, place + 1, b"", words) for place, words in enumerate(windows)]
        await tx.documents.add_windows(file.id, made)
    return store.id


@pytest.fixture
async def stores(db):
    """Two stores, and the word "all" in every window."""
    rng = random.Random(3)
    drawn = [" ".join(["all", *rng.choices(WORDS, range(40, 0, -1), k=8)]) for _ in range(300)]
    return [await a_store(db, "one", drawn[:100]), await a_store(db, "two", drawn[100:])]


async def found(db, store_id, *terms, file_ids=None, limit=20):
    async with db.read() as tx:
        return await tx.documents.match(terms, store_id, file_ids, limit)


@pytest.mark.parametrize("best", [10, 2_000])
async def test_a_large_table_is_searched_as_a_small_one(db, stores, monkeypatch, best):
    queries = [("w20",), ("w3", "w30"), ("w0", "w1"), ("w5", "nowhere")]
    before = [[await found(db, store, *query) for query in queries] for store in stores]
    narrow = await found(db, stores[0], "w3", file_ids=["file-one"])
    monkeypatch.setattr(documents, "FEW_WINDOWS", 0)
    monkeypatch.setattr(documents, "_BEST", best)

    assert [[await found(db, store, *query) for query in queries] for store in stores] == before
    assert await found(db, stores[0], "w3", file_ids=["file-one"]) == narrow
    assert all(results for of_store in before for results in of_store[:3])


async def test_a_word_that_every_window_has_changes_nothing(db, stores, monkeypatch):
    before = [number for number, _ in await found(db, stores[0], "w30")]
    monkeypatch.setattr(documents, "FEW_WINDOWS", 0)

    with_common = [number for number, _ in await found(db, stores[0], "w30", "all")]

    assert with_common[: len(before)] == before
