"""Hybrid search: exact nearest vectors and keywords, fused, over the files of vector stores.

Vectors lie in the database. A store's are gathered in one float32 matrix when it is first searched and
kept until memory is wanted for another; the store's `revision` tells whether the matrix is still true, and
only files that are new since are read. Filters choose files before anything is scored, so a filtered
search misses nothing.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from assistants_api.domain.filters import predicate
from assistants_api.domain.json import JsonObject
from assistants_api.domain.vector_store import Candidate, Found, Hit, VectorStore
from assistants_api.knowledge.chunking import keywords
from assistants_api.knowledge.queries import is_mostly_latin, search_terms
from assistants_api.ports import Embedder, Vector
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx

# Reciprocal rank fusion: the constant of Cormack, Clarke and Büttcher (2009).
_RRF = 60
# What meaning counts beside words, and what it does where the embedder hardly reads the query's script.
_MEANING, _LITTLE_MEANING = 0.5, 0.02
_READ_LATIN = frozenset(("minilm",))
# Characters of a query that are embedded; most models read far fewer.
_MOST_QUERY = 32_000
# So many of a list's best count towards the order of what is found.
_DEPTH = 100
# Windows are cut in their second half, so that none but the last of a text has fewer tokens.
_LEAST_WINDOW = 100

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Place:
    """A file in a store."""

    store_file_id: str
    file_id: str
    filename: str
    attributes: JsonObject
    chunk_tokens: int


@dataclass(frozen=True, slots=True)
class _Index:
    """A store's windows: row by row its number, its file's number and its vector; numbers ascend."""

    revision: int
    places: tuple[_Place, ...]
    extents: dict[str, tuple[int, int]]
    ords: npt.NDArray[np.int64]
    owners: npt.NDArray[np.int32]
    vectors: Vector

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.vectors.nbytes + self.ords.nbytes + self.owners.nbytes

    @property
    def chunk_tokens(self) -> int:
        """How many tokens its largest chunks may have."""
        return max((place.chunk_tokens for place in self.places), default=0)


@dataclass(slots=True)
class _Scores:
    """What is known of one window."""

    store: VectorStore
    place: _Place
    start: int = 0
    end: int = 0
    dense: float = 0.0
    keyword: float | None = None
    fused: float = 0.0
    far: float = 0.0

    @property
    def score(self) -> float:
        """By its best rank alone if it is far down in every list: less than whatever is near in one."""
        return self.fused or self.far


class Searcher:
    """Searches stores; holds at most `cache_bytes` of vectors, and always the store in use."""

    def __init__(self, db: Database, embedder: Embedder, *, cache_bytes: int = 1 << 30) -> None:
        self._db = db
        self._embedder = embedder
        self._cache_bytes = cache_bytes
        self._indexes: OrderedDict[str, _Index] = OrderedDict()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def search(
        self,
        stores: Sequence[VectorStore],
        queries: Sequence[str],
        *,
        limit: int,
        filter: JsonObject | None = None,
        score_threshold: float = 0.0,
        uses_keywords: bool = True,
        uses_vectors: bool = True,
    ) -> Found:
        """Up to `limit` chunks of these stores, best first; several queries count as one search.

        Each list of results, by meaning and by words and for each query, ranks windows; ranks are fused, by
        words with more weight where the embedder hardly reads the query's script.
        Lists are so long that they reach `limit` chunks even if each chunk has all its windows in them.
        A chunk takes the score of its best window, and of overlapping chunks the one in which that window
        is most central is given.
        """
        scores: dict[tuple[str, int], _Scores] = {}
        read = [query[:_MOST_QUERY] for query in queries]
        vectors = await self._embedder.embed(read) if uses_vectors else [None] * len(read)
        passes = None if filter is None else predicate(filter)
        indexes = [(store, await self._index(store)) for store in stores]
        allowed = {
            store.id: None
            if passes is None
            else np.array([passes(place.attributes) for place in index.places], dtype=bool)
            for store, index in indexes
        }
        widest = max((index.chunk_tokens for _, index in indexes), default=0)
        depth = max(_DEPTH, limit * (widest // _LEAST_WINDOW + 2))
        for query, vector in zip(queries, vectors, strict=True):
            meaning = self._meaning(query) if uses_keywords else 1.0
            lists: list[tuple[float, list[tuple[float, tuple[str, int]]]]] = []
            if vector is not None:
                lists.append((meaning, await self._nearest(indexes, allowed, vector, depth, scores)))
            if uses_keywords:
                share = 1.0 if vector is None else 1.0 - meaning
                lists.append((share, await self._matching(indexes, allowed, query, vector, depth, scores)))
            for share, ranked in lists:
                ranked.sort(key=lambda pair: (-pair[0], pair[1]))
                for rank, (_, key) in enumerate(ranked[:depth]):
                    worth = (1 + _RRF) / (1 + _RRF + rank) * share / len(queries)
                    if rank < _DEPTH:
                        scores[key].fused += worth
                    else:
                        scores[key].far = max(scores[key].far, worth)
        terms = {term for query in queries for term in search_terms(query)}
        return await self._found(scores, terms, limit, depth, score_threshold)

    def _meaning(self, query: str) -> float:
        """What share of a window's score is its nearness, the rest being its words."""
        reads_it = self._embedder.name not in _READ_LATIN or is_mostly_latin(query)
        return _MEANING if reads_it else _LITTLE_MEANING

    async def _nearest(
        self,
        indexes: Sequence[tuple[VectorStore, _Index]],
        allowed: dict[str, npt.NDArray[np.bool_] | None],
        vector: Vector,
        depth: int,
        scores: dict[tuple[str, int], _Scores],
    ) -> list[tuple[float, tuple[str, int]]]:
        ranked = []
        for store, index in indexes:
            rows = await asyncio.to_thread(_top, index, allowed[store.id], vector, depth)
            for row, cosine in rows:
                key = (store.id, int(index.ords[row]))
                known = scores.setdefault(key, _Scores(store, index.places[index.owners[row]]))
                known.dense = max(known.dense, cosine)
                ranked.append((cosine, key))
        return ranked

    async def _matching(
        self,
        indexes: Sequence[tuple[VectorStore, _Index]],
        allowed: dict[str, npt.NDArray[np.bool_] | None],
        query: str,
        vector: Vector | None,
        depth: int,
        scores: dict[tuple[str, int], _Scores],
    ) -> list[tuple[float, tuple[str, int]]]:
        ranked = []
        terms = search_terms(query)
        for store, index in indexes:
            mask = allowed[store.id]
            files = (
                None
                if mask is None
                else [place.file_id for place, passes in zip(index.places, mask, strict=True) if passes]
            )
            async with self._db.read(is_long=True) as tx:
                matches = await tx.documents.match(terms, store.id, files, depth)
                spots = await tx.documents.windows([ord_ for ord_, _ in matches])
            by_file = {place.file_id: place for place in index.places}
            for ord_, relevance in matches:
                place = by_file.get(spots[ord_][0]) if ord_ in spots else None
                if place is None:  # it came, or went, since the matrix was made
                    continue
                key = (store.id, ord_)
                known = scores.setdefault(key, _Scores(store, place))
                known.keyword = max(known.keyword or 0.0, relevance)
                if vector is not None:
                    known.dense = max(known.dense, _cosine(index, ord_, vector))
                ranked.append((relevance, key))
        return ranked

    async def _found(
        self,
        scores: dict[tuple[str, int], _Scores],
        terms: set[str],
        limit: int,
        depth: int,
        threshold: float,
    ) -> Found:
        ranked = sorted(scores.items(), key=lambda pair: (-pair[1].score, pair[0]))[:depth]
        hits: list[Hit] = []
        candidates: list[Candidate] = []
        taken: defaultdict[str, set[Span]] = defaultdict(set)
        async with self._db.read() as tx:
            spots = await tx.documents.windows([ord_ for (_, ord_), _ in ranked])
            for (_, ord_), known in ranked:
                if ord_ not in spots:
                    continue
                file_id, start, end = spots[ord_]
                score = round(min(1.0, known.score), 6)
                if len(candidates) >= _DEPTH and (len(hits) >= limit or score < threshold):
                    break
                candidate = Candidate(file_id, start, end, round(known.dense, 6), known.keyword, score)
                candidates.append(candidate)
                if len(hits) >= limit or score < threshold:
                    continue
                place = known.place
                given = taken[place.file_id]  # another of the stores may have the file too
                chunk = await _best_chunk(tx, place, start, end, terms, given)
                if chunk is None or chunk in given:
                    continue
                given.add(chunk)
                hits.append(
                    Hit(
                        vector_store_id=known.store.id,
                        file_id=file_id,
                        filename=place.filename,
                        attributes=place.attributes,
                        score=score,
                        text=await tx.documents.slice(file_id, *chunk),
                        start=chunk[0],
                        end=chunk[1],
                        best=candidate,
                    )
                )
        return Found(tuple(hits), tuple(candidates))

    async def _index(self, store: VectorStore) -> _Index:
        async with self._locks[store.id]:
            old = self._indexes.get(store.id)
            async with self._db.read() as tx:
                current = await tx.vector_stores.get(store.id)
            if old is not None and old.revision == current.revision:
                self._indexes.move_to_end(store.id)
                return old
            async with self._db.read(is_long=True) as tx:
                current = await tx.vector_stores.get(store.id)
                places = tuple(_Place(*row) for row in await tx.store_files.searchable(store.id))
                ids = [place.file_id for place in places]
                extents = await tx.documents.extents(ids, self._embedder.name)
                known = {} if old is None else old.extents
                fresh = [id for id in ids if id in extents and known.get(id) != extents[id]]
                rows = await tx.documents.vectors(fresh, self._embedder.name)
            index = await asyncio.to_thread(_build, current.revision, places, extents, rows, old)
            self._keep(store.id, index)
            return index

    def _keep(self, store_id: str, index: _Index) -> None:
        self._indexes[store_id] = index
        self._indexes.move_to_end(store_id)
        while len(self._indexes) > 1 and sum(i.size for i in self._indexes.values()) > self._cache_bytes:
            gone, _ = self._indexes.popitem(last=False)
            if not self._locks[gone].locked():
                del self._locks[gone]

    def describe(self) -> dict[str, Any]:
        """What is held in memory."""
        return {
            "stores": len(self._indexes),
            "windows": sum(len(index.ords) for index in self._indexes.values()),
            "bytes": sum(index.size for index in self._indexes.values()),
        }


async def _best_chunk(
    tx: Tx, place: _Place, start: int, end: int, terms: set[str], given: set[Span]
) -> Span | None:
    """The chunk for a window: with most of the query's words, then most of the window, then most central.

    None, too, if every chunk that it could be was `given` already.
    """
    chunks = await tx.documents.chunks_over(place.store_file_id, start, end)
    if given.issuperset(chunks):
        return None
    if len(chunks) < 2:
        return chunks[0]
    first = min(chunk[0] for chunk in chunks)
    text = await tx.documents.slice(place.file_id, first, max(chunk[1] for chunk in chunks))

    def worth(chunk: Span) -> tuple[int, int, int]:
        inside = max(start, chunk[0]), min(end, chunk[1])
        words = set(keywords(text[inside[0] - first : inside[1] - first]).split())
        return len(words & terms), inside[1] - inside[0], -abs(chunk[0] + chunk[1] - start - end)

    return max(chunks, key=worth)


def _build(
    revision: int,
    places: tuple[_Place, ...],
    extents: dict[str, tuple[int, int]],
    rows: Sequence[tuple[int, str, bytes]],
    old: _Index | None,
) -> _Index:
    numbers = {place.file_id: number for number, place in enumerate(places)}
    fresh_ids = {file_id for _, file_id, _ in rows}
    ords = np.fromiter((ord_ for ord_, _, _ in rows), dtype=np.int64, count=len(rows))
    owners = np.fromiter((numbers[id] for _, id, _ in rows), dtype=np.int32, count=len(rows))
    raw = b"".join(vector for _, _, vector in rows)
    vectors = np.frombuffer(raw, dtype=np.float16).reshape(len(rows), -1 if rows else 0).astype(np.float32)
    if old is not None and len(old.ords):
        # The new number of each old file; -1 for one that is gone or was read anew.
        stays = np.array(
            [
                numbers[place.file_id]
                if place.file_id in numbers and place.file_id in extents and place.file_id not in fresh_ids
                else -1
                for place in old.places
            ],
            dtype=np.int32,
        )
        moved = stays[old.owners]
        kept = moved >= 0
        if not len(rows):
            vectors = vectors.reshape(0, old.vectors.shape[1])
        ords = np.concatenate([old.ords[kept], ords])
        owners = np.concatenate([moved[kept], owners])
        vectors = np.concatenate([old.vectors[kept], vectors])
        order = np.argsort(ords, kind="stable")
        if not np.array_equal(order, np.arange(len(order))):
            ords, owners, vectors = ords[order], owners[order], vectors[order]
    return _Index(revision, places, extents, ords, owners, vectors)


def _top(
    index: _Index, allowed: npt.NDArray[np.bool_] | None, vector: Vector, depth: int
) -> list[tuple[int, float]]:
    """The nearest rows, up to `depth`, with their cosines."""
    if not len(index.ords) or index.vectors.shape[1] != len(vector):
        return []
    rows = None
    if allowed is not None:
        rows = np.flatnonzero(allowed[index.owners])
        if not len(rows):
            return []
        # A few rows are gathered first; of many, all are scored, which costs no copy.
        is_few = len(rows) * 4 < len(index.ords)
        cosines = index.vectors[rows] @ vector if is_few else (index.vectors @ vector)[rows]
    else:
        cosines = index.vectors @ vector
    most = min(depth, len(cosines))
    best = np.argpartition(-cosines, most - 1)[:most] if most < len(cosines) else np.arange(most)
    return [
        (int(best_row if rows is None else rows[best_row]), float(cosines[best_row])) for best_row in best
    ]


def _cosine(index: _Index, ord_: int, vector: Vector) -> float:
    row = int(np.searchsorted(index.ords, ord_))
    if row >= len(index.ords) or index.ords[row] != ord_ or index.vectors.shape[1] != len(vector):
        return 0.0
    return float(index.vectors[row] @ vector)
