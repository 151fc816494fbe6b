"""How fast is a search as a store grows? Against faiss (flat) and plain numpy, on the same vectors.

    python -m benchmarks.search [--windows 100000 1000000]

Random unit vectors of 384 dimensions, with words drawn by Zipf's law; a filter that keeps a tenth of the
files. faiss is compared where it is installed (`pip install faiss-cpu`).
"""

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from assistants_api.domain.file import File
from assistants_api.domain.vector_store import (
    Document,
    NewVectorStore,
    StoreFile,
    StoreFileStatus,
    VectorStore,
    Window,
)
from assistants_api.engine.embedding.hashed import HashEmbedder
from assistants_api.knowledge.search import Searcher
from assistants_api.ports import Vector
from assistants_api.services.vector_stores import add_store
from assistants_api.store.database import Database
from assistants_api.store.opening import open_database, sqlite_url
from assistants_api.store.wake import Wake

DIMENSIONS = 384
PER_FILE = 100
QUERIES = 40
WORDS = 20_000


class Given(HashEmbedder):
    """Embeds nothing: the next vector is what it was told."""

    name = "given"
    vector: Vector

    async def embed(self, texts: Any) -> list[Vector]:
        """The vector that was set, for every text."""
        return [self.vector for _ in texts]


async def filled(db: Database, vectors: Vector, rng: np.random.Generator) -> tuple[VectorStore, float]:
    """A store with a window for each vector, and the seconds that writing took."""
    now = datetime.now(UTC)
    async with db.begin() as tx:
        store = await add_store(tx, NewVectorStore(), now)
    began = time.perf_counter()
    for first in range(0, len(vectors), PER_FILE):
        number = first // PER_FILE
        words = rng.zipf(1.3, (PER_FILE, 40)) % WORDS
        windows = [
            Window(
                i * 10,
                i * 10 + 9,
                vectors[first + i].astype(np.float16).tobytes(),
                " ".join(f"w{word}" for word in words[i]),
            )
            for i in range(min(PER_FILE, len(vectors) - first))
        ]
        file = File(f"file-{number:08d}", now, f"{number}.txt", "assistants", 1, "blob")
        place = StoreFile(
            f"vsf_{number}",
            now,
            store.id,
            file.id,
            StoreFileStatus.COMPLETED,
            attributes={"tenth": number % 10},
        )
        async with db.begin() as tx:
            await tx.files.add(file)
            await tx.store_files.add(place)
            await tx.documents.put(Document(file.id, "x" * (PER_FILE * 10), PER_FILE, "given"))
            await tx.documents.add_windows(file.id, windows)
            await tx.documents.put_chunks(place.id, [(0, PER_FILE * 10)])
    async with db.begin() as tx:
        await tx.vector_stores.changed([store.id])
    return store, time.perf_counter() - began


async def timed(search: Callable[[Vector], Awaitable[object]], queries: Vector) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds."""
    spent = []
    for query in queries:
        began = time.perf_counter()
        await search(query)
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent), statistics.quantiles(spent, n=20)[-1]


async def run(count: int) -> None:
    """One table."""
    rng = np.random.default_rng(7)
    vectors = rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[rng.integers(0, count, QUERIES)] + 0.02 * rng.standard_normal(
        (QUERIES, DIMENSIONS), dtype=np.float32
    )
    queries = queries.astype(np.float32)
    table = Table(title=f"{count:,} windows")
    for column in ("search", "p50 ms", "p95 ms", "÷ numpy"):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as folder:
        db = await open_database(sqlite_url(Path(folder)), Wake())
        store, seconds = await filled(db, vectors, rng)
        embedder = Given()
        searcher = Searcher(db, embedder, cache_bytes=8 << 30)
        embedder.vector = queries[0]
        began = time.perf_counter()
        await searcher.search([store], ["w1"], limit=10)
        first = time.perf_counter() - began

        def by(text: str, **given: Any) -> Callable[[Vector], Awaitable[object]]:
            async def search(query: Vector) -> object:
                embedder.vector = query
                return await searcher.search([store], [text], limit=10, **given)

            return search

        async def plain(query: Vector) -> object:
            scores = vectors @ query
            return np.argpartition(-scores, 10)[:10]

        floor = await timed(plain, queries)
        rows = {
            "numpy, exact (floor)": floor,
            "ours, by meaning": await timed(by("w1", uses_keywords=False), queries),
            "ours, filtered to a tenth": await timed(
                by("w1", uses_keywords=False, filter={"type": "eq", "key": "tenth", "value": 3}), queries
            ),
            "ours, by meaning and by rare words": await timed(by("w1500 w1711 w1999"), queries),
            "ours, by meaning and by frequent words": await timed(by("w50 w60 w70"), queries),
            "ours, by meaning and by words in most": await timed(by("w1 w2 w3"), queries),
        }
        try:
            import faiss

            index = faiss.IndexFlatIP(DIMENSIONS)
            index.add(vectors)

            async def flat(query: Vector) -> object:
                return index.search(query[None], 10)

            rows["faiss flat"] = await timed(flat, queries)
        except ImportError:
            Console().print("faiss-cpu is not installed: left out")
        for name, (middle, late) in rows.items():
            table.add_row(name, f"{middle:.1f}", f"{late:.1f}", f"{middle / floor[0]:.2f}")
        Console().print(table)
        right = 0
        for query in queries:
            embedder.vector = query
            found = await searcher.search([store], ["w1"], limit=1, uses_keywords=False)
            best = int(np.argmax(vectors @ query))
            right += found.hits[0].file_id == f"file-{best // PER_FILE:08d}"
        held = searcher.describe()["bytes"] / 2**20
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        Console().print(
            f"written at {count / seconds:,.0f} windows/s; first search after a start {first:.2f} s; matrix"
            f" {held:,.0f} MB; process peak {peak:,.0f} MB; recall@1 {right / QUERIES:.2f}"
        )
        await db.close()


async def main() -> None:
    """Every size that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, nargs="+", default=[100_000, 1_000_000])
    for count in parser.parse_args().windows:
        await run(count)


if __name__ == "__main__":
    asyncio.run(main())
