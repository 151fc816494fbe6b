"""Searches of a vector store by a client."""

from collections.abc import Sequence
from datetime import datetime

from assistants_api.domain.json import JsonObject
from assistants_api.domain.vector_store import Hit
from assistants_api.knowledge.queries import rewritten
from assistants_api.knowledge.search import Searcher
from assistants_api.store.database import Database


async def search_vector_store(
    db: Database,
    searcher: Searcher,
    store_id: str,
    queries: Sequence[str],
    now: datetime,
    *,
    limit: int,
    filter: JsonObject | None,
    score_threshold: float,
    ranker: str,
    rewrites: bool,
) -> tuple[Sequence[str], Sequence[Hit]]:
    """The queries as they were used, and the chunks that they found, best first.

    `rewrites` reduces each query to its telling words. The ranker "none" ranks by meaning alone.
    """
    async with db.read() as tx:
        store = await tx.vector_stores.get(store_id)
        store.must_be_alive(now)
    used = [rewritten(query) for query in queries] if rewrites else list(queries)
    found = await searcher.search(
        [store],
        used,
        limit=limit,
        filter=filter,
        score_threshold=score_threshold,
        uses_keywords=ranker != "none",
    )
    async with db.begin() as tx:
        current = await tx.vector_stores.find(store_id, for_update=True)
        if current is not None:
            await tx.vector_stores.save(current.used(now))
    return used, found.hits
