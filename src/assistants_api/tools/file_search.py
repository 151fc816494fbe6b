"""The file_search tool: one query against a run's stores, results with markers, within a token budget."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from assistants_api.agent.citations import marker
from assistants_api.agent.tools import ToolReturned
from assistants_api.domain.errors import NotFound
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import ToolCall
from assistants_api.domain.text import mended
from assistants_api.domain.vector_store import Candidate, Found, Hit, VectorStore
from assistants_api.knowledge.search import Searcher
from assistants_api.store.database import Database
from assistants_api.store.wake import indexed_topic

# What the service shows its model: so many results, of so many tokens together.
DEFAULT_RESULTS = 20
TOKEN_BUDGET = 16_000
WAIT_SECONDS = 60.0
_LOOK_SECONDS = 1.0
NOTHING = "No results."


class FileSearch:
    """Searches for one run; `tool` is the run's tool entry with its options.

    `waits_for` are the ids of the stores whose unfinished files are waited for (the thread's), `room` says
    how many tokens the model's window still has, `count` counts a text as the model will read it, and
    `first` is the number of the next search of this run.
    """

    def __init__(
        self,
        db: Database,
        searcher: Searcher,
        stores: Sequence[VectorStore],
        waits_for: Sequence[str],
        tool: JsonObject,
        *,
        question: str,
        first: int,
        room: Callable[[], int],
        count: Callable[[str], Awaitable[int]],
    ) -> None:
        self._db = db
        self._searcher = searcher
        self._stores = stores
        self._waits_for = waits_for
        options = tool.get("file_search") or {}
        self._limit = options.get("max_num_results") or DEFAULT_RESULTS
        self._ranking = options.get("ranking_options") or {"ranker": "auto", "score_threshold": 0.0}
        self._question = question
        self._number = first
        self._room = room
        self._count = count

    async def __call__(self, call: ToolCall) -> AsyncGenerator[ToolReturned, None]:
        """Search; a call without a usable query searches for what the user asked."""
        number, self._number = self._number, self._number + 1
        query = _query(call.arguments) or self._question
        unfinished = await self._wait()
        found = await self._search(query)
        budget = max(0, min(TOKEN_BUDGET, self._room()))
        shown, spent = await self._fitting(found.hits, number, budget)
        results = [
            {
                "file_id": hit.file_id,
                "file_name": hit.filename,
                "score": hit.score,
                "content": [{"type": "text", "text": hit.text}],
                "vector_store_id": hit.vector_store_id,
                "start": hit.start,
                "end": hit.end,
                "marker": marker(number, place) if place in shown else None,
            }
            for place, hit in enumerate(found.hits)
        ]
        output = "\n\n".join(
            f"{marker(number, place)} {found.hits[place].filename}\n{text}" for place, text in shown.items()
        )
        trace = {
            "query": query,
            "vector_store_ids": [store.id for store in self._stores],
            "ranking_options": self._ranking,
            "max_num_results": self._limit,
            "unfinished_files": unfinished,
            "candidates": [_traced(candidate) for candidate in found.candidates],
            "shown": [
                {"marker": marker(number, place), "file_id": found.hits[place].file_id, "text": text}
                for place, text in shown.items()
            ],
            "token_budget": budget,
            "tokens": spent,
        }
        ranking = {
            "ranker": self._ranking.get("ranker") or "auto",
            "score_threshold": self._ranking.get("score_threshold") or 0.0,
        }
        yield ToolReturned(call, output or NOTHING, {"ranking_options": ranking, "results": results}, trace)

    async def _search(self, query: str) -> Found:
        """Search the stores that are still there: any may be deleted while the run goes on."""
        while self._stores and query.strip():
            try:
                return await self._searcher.search(
                    self._stores,
                    [query],
                    limit=self._limit,
                    score_threshold=self._ranking.get("score_threshold") or 0.0,
                )
            except NotFound:
                async with self._db.read() as tx:
                    left = await tx.vector_stores.existing([store.id for store in self._stores])
                if len(left) == len(self._stores):
                    raise
                self._stores = left
        return Found()

    async def _wait(self) -> int:
        """Wait for files that are still being indexed; how many are not done when the time is up."""
        if not self._waits_for:
            return 0
        news = asyncio.Event()
        offs = [self._db.wake.on(indexed_topic(id), lambda _: news.set()) for id in self._waits_for]
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_SECONDS
        try:
            while True:
                news.clear()
                async with self._db.read() as tx:
                    unfinished = await tx.store_files.in_progress(self._waits_for)
                left = until - loop.time()
                if not unfinished or left <= 0:
                    return unfinished
                try:
                    async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                        await news.wait()
                except TimeoutError:
                    continue
        finally:
            for off in offs:
                off()

    async def _fitting(self, hits: Sequence[Hit], number: int, budget: int) -> tuple[dict[int, str], int]:
        """The texts that are shown, by place, best first, and their tokens.

        A chunk that would take more than a third of the budget is cut to its best window: a small model
        is better served by several good passages than by one long one.
        """
        shown: dict[int, str] = {}
        spent = 0
        for place, hit in enumerate(hits):
            for text in (hit.text, _window(hit.text, hit.start, hit.best)):
                cost = await self._count(f"{marker(number, place)} {hit.filename}\n{text}\n\n")
                is_long = cost * 3 > budget and text != _window(hit.text, hit.start, hit.best)
                if not is_long and spent + cost <= budget:
                    shown[place] = text
                    spent += cost
                    break
        return shown, spent


def _window(text: str, start: int, best: Candidate) -> str:
    return text[max(0, best.start - start) : max(0, best.end - start)] or text


def _query(arguments: str) -> str:
    try:
        given = json.loads(arguments)
    except ValueError:
        return ""
    if not isinstance(given, dict):
        return ""
    query = given.get("query", given.get("queries"))
    if isinstance(query, list):
        query = " ".join(part for part in query if isinstance(part, str))
    return mended(query) if isinstance(query, str) else ""


def _traced(candidate: Candidate) -> JsonObject:
    return {
        "file_id": candidate.file_id,
        "start": candidate.start,
        "end": candidate.end,
        "dense": candidate.dense,
        "keyword": candidate.keyword,
        "score": candidate.score,
    }
