"""Is what was written found again? Known-item search over real text, by meaning, by words, and by both.

    python -m benchmarks.retrieval [--files N] [--queries N] [--embedder hash]

English: the docstrings of Python's standard library, a file for each module. An item is the body of a
docstring, its query the summary line, which is left out of the file. Chinese: the glossary of this
repository, ten entries to a file; the query is the term's question. A result counts when the chunk that is
found holds the item. The plain alternative embeds every chunk as one vector, cut where the model stops reading.
"""

import argparse
import ast
import asyncio
import random
import sysconfig
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tests.conftest import until

from assistants_api.blobs.disk import DiskBlobs
from assistants_api.bootstrap import build_embedder
from assistants_api.domain.file import NewFile
from assistants_api.domain.job import JobKind
from assistants_api.domain.vector_store import NewStoreFile, NewVectorStore, VectorStore
from assistants_api.knowledge.chunking import chunk
from assistants_api.knowledge.parsed import Parsed
from assistants_api.knowledge.search import Searcher
from assistants_api.ports import Embedder
from assistants_api.services.files import create_file
from assistants_api.services.vector_stores import create_vector_store, get_vector_store
from assistants_api.settings import Settings
from assistants_api.store.database import Database
from assistants_api.store.opening import open_database, sqlite_url
from assistants_api.store.wake import Wake
from assistants_api.worker.ingesting import FileCarrier
from assistants_api.worker.worker import Desk, Worker

_PROBE = 60
_MOST = 50


@dataclass(frozen=True)
class Item:
    """A query, and words that only the text that answers it has."""

    query: str
    probe: str


def english(most: int) -> tuple[dict[str, str], list[Item]]:
    """Files and items from the standard library's docstrings."""
    files: dict[str, str] = {}
    items: list[Item] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        bodies = list(_bodies(tree))
        if bodies and len(files) < most:
            files[f"{path.stem}.txt"] = "\n\n".join(body for _, body in bodies)
            items += [Item(summary, body[:_PROBE]) for summary, body in bodies]
    return files, items


def _bodies(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            text = ast.get_docstring(node) or ""
            summary, _, body = text.partition("\n\n")
            if len(body) > 150 and 20 < len(summary) < 200:
                yield " ".join(summary.split()), body.strip()


def chinese() -> tuple[dict[str, str], list[Item]]:
    """Files and items from the glossary."""
    from training.glossary import TERMS

    entries = [(entry.term_zh, entry.answer_zh) for entry in TERMS]
    files, items = {}, []
    for first in range(0, len(entries), 10):
        files[f"词汇{first // 10}.txt"] = "\n\n".join(text for _, text in entries[first : first + 10])
    for term, text in entries:
        items.append(Item(f"什么是{term}？", text[:_PROBE]))
    return files, items


async def indexed(folder: Path, files: dict[str, str], embedder: Embedder) -> tuple[VectorStore, Searcher]:
    """A store of these files, made as the server makes it."""
    db = await open_database(sqlite_url(folder), Wake())
    blobs = DiskBlobs(folder / "blobs")
    now = datetime.now(UTC)

    async def read(path: Path, filename: str) -> Parsed:
        return Parsed(await asyncio.to_thread(path.read_text, encoding="utf-8"))

    made = []
    for name, text in files.items():

        async def pieces(text: str = text):  # type: ignore[no-untyped-def]
            yield text.encode()

        blob = await blobs.write(pieces())
        made.append(await create_file(db, blobs, NewFile(name, "assistants"), blob, len(text), now))
    new = NewVectorStore(files=tuple(NewStoreFile(file.id) for file in made))
    store = (await create_vector_store(db, new, now)).store
    worker = Worker(db, None, {JobKind.INGESTION: Desk(FileCarrier(db, blobs, embedder, read), 2)})  # type: ignore[arg-type]
    task = asyncio.create_task(worker.run())
    await until(_is_indexed(db, store.id), seconds=3600)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return store, Searcher(db, embedder)


def _is_indexed(db: Database, store_id: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return (await get_vector_store(db, store_id, datetime.now(UTC))).status == "completed"

    return check


async def one_vector_each(files: dict[str, str], embedder: Embedder) -> Callable[[str], Awaitable[list[str]]]:
    """The plain alternative: chunks by the cosine of one vector each."""
    texts = [text[c.start : c.end] for text in files.values() for c in chunk(text)]
    matrix = np.stack(await embedder.embed(texts))

    async def search(query: str) -> list[str]:
        [vector] = await embedder.embed([query])
        return [texts[place] for place in np.argsort(-(matrix @ vector))[:_MOST]]

    return search


async def measured(
    search: Callable[[str], Awaitable[list[str]]], items: list[Item]
) -> tuple[float, float, float]:
    """hit@1, hit@5 and mean reciprocal rank."""
    ranks = []
    for item in items:
        found = await search(item.query)
        ranks.append(next((rank for rank, text in enumerate(found, 1) if item.probe in text), 0))
    total = len(items)
    return (
        sum(rank == 1 for rank in ranks) / total,
        sum(0 < rank <= 5 for rank in ranks) / total,
        sum(1 / rank for rank in ranks if rank) / total,
    )


async def run(title: str, files: dict[str, str], items: list[Item], embedder: Embedder) -> None:
    """One table."""
    with tempfile.TemporaryDirectory() as folder:
        store, searcher = await indexed(Path(folder), files, embedder)

        def by(**given: bool) -> Callable[[str], Awaitable[list[str]]]:
            async def search(query: str) -> list[str]:
                found = await searcher.search([store], [query], limit=_MOST, **given)
                return [hit.text for hit in found.hits]

            return search

        ways = {
            "one truncated vector per chunk": await one_vector_each(files, embedder),
            "windows, by meaning": by(uses_keywords=False),
            "windows, by words": by(uses_vectors=False),
            "windows, both fused (what the server does)": by(),
        }
        table = Table(title=f"{title}: {len(files)} files, {len(items)} queries, embedder {embedder.name}")
        for column in ("search", "hit@1", "hit@5", "MRR"):
            table.add_column(column)
        for name, search in ways.items():
            table.add_row(name, *(f"{value:.3f}" for value in await measured(search, items)))
        Console().print(table)


async def main() -> None:
    """Both languages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--embedder", default="minilm")
    given = parser.parse_args()
    embedder = build_embedder(Settings(embedder=given.embedder))
    for title, (files, items) in {"English": english(given.files), "Chinese": chinese()}.items():
        chosen = random.Random(7).sample(items, min(given.queries, len(items)))
        await run(title, files, chosen, embedder)
    await embedder.close()


if __name__ == "__main__":
    asyncio.run(main())
