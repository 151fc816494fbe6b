"""What was read out of files: texts, windows with their vectors, keywords, and chunks."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import TextClause, bindparam, delete, exists, func, insert, or_, select, text, update

from assistants_api.domain.vector_store import Document, StoreFileStatus, Window
from assistants_api.store import tables
from assistants_api.store.session import Session

# One statement may not bind more values than either database takes.
_SLICE = 500
FEW_WINDOWS = 20_000
# Of a large table, so many windows of all stores are ranked first, and only these are looked up.
_BEST = 2_000


class Documents:
    """Documents by the id of their file, shared by every store that has the file."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def find(self, file_id: str) -> Document | None:
        """The document of a file, if it was read."""
        c = tables.documents.c
        statement = select(c.file_id, c.text, c.tokens, c.embedder).where(c.file_id == file_id)
        row: Any = (await self.session.execute(statement)).first()
        return None if row is None else Document(*row)

    async def put(self, document: Document) -> None:
        """Write the document anew, without windows."""
        await self.session.execute(
            delete(tables.documents).where(tables.documents.c.file_id == document.file_id)
        )
        await self.session.execute(
            insert(tables.documents),
            {
                "file_id": document.file_id,
                "text": document.text,
                "tokens": document.tokens,
                "embedder": document.embedder,
            },
        )

    async def indexed(self, file_id: str, embedder: str) -> None:
        """Every window of the document is there, embedded by `embedder`."""
        await self.session.execute(
            update(tables.documents).where(tables.documents.c.file_id == file_id).values(embedder=embedder)
        )

    async def embedded_otherwise(self, embedder: str) -> list[str]:
        """Ids of the searchable files that another embedder has indexed, or begun to index anew."""
        c, places = tables.documents.c, tables.store_files.c
        is_searched = exists().where(places.file_id == c.file_id, places.status == StoreFileStatus.COMPLETED)
        statement = select(c.file_id).where(or_(c.embedder.is_(None), c.embedder != embedder), is_searched)
        return [row[0] for row in await self.session.execute(statement)]

    async def add_windows(self, file_id: str, windows: Sequence[Window]) -> None:
        """More windows of a document, with their keywords."""
        rows = [
            {"file_id": file_id, "start": window.start, "end": window.end, "vector": window.vector}
            for window in windows
        ]
        statement = insert(tables.windows).returning(tables.windows.c.ord, sort_by_parameter_order=True)
        ords = [row[0] for row in await self.session.execute(statement, rows)]
        terms = [
            {"ord": ord_, "terms": self._terms(window.keywords)}
            for ord_, window in zip(ords, windows, strict=True)
        ]
        await self.session.execute(self._insert_terms, terms)

    async def count_windows(self, file_id: str) -> int:
        """How many windows a document has so far."""
        c = tables.windows.c
        statement = select(func.count()).where(c.file_id == file_id)
        return int((await self.session.execute(statement)).scalar_one())

    async def vector_bytes(self, file_id: str) -> int:
        """How many bytes the vectors of a document take, which all stores of its file share."""
        c = tables.windows.c
        statement = select(func.sum(func.length(c.vector))).where(c.file_id == file_id)
        return int((await self.session.execute(statement)).scalar_one() or 0)

    async def vectors(self, file_ids: Collection[str], embedder: str) -> list[tuple[int, str, bytes]]:
        """Number, file id and vector of every window of these files that `embedder` embedded."""
        c, documents = tables.windows.c, tables.documents.c
        found: list[tuple[int, str, bytes]] = []
        ids = list(file_ids)
        for first in range(0, len(ids), _SLICE):
            statement = (
                select(c.ord, c.file_id, c.vector)
                .join(tables.documents, documents.file_id == c.file_id)
                .where(c.file_id.in_(ids[first : first + _SLICE]), documents.embedder == embedder)
                .order_by(c.ord)
            )
            rows: Any = await self.session.execute(statement)
            found += [(ord_, file_id, vector) for ord_, file_id, vector in rows]
        return found

    async def extents(self, file_ids: Collection[str], embedder: str) -> dict[str, tuple[int, int]]:
        """First window's number and count of windows of each of these files that `embedder` embedded."""
        c, documents = tables.windows.c, tables.documents.c
        found: dict[str, tuple[int, int]] = {}
        ids = list(file_ids)
        for first in range(0, len(ids), _SLICE):
            statement = (
                select(c.file_id, func.min(c.ord), func.count())
                .join(tables.documents, documents.file_id == c.file_id)
                .where(c.file_id.in_(ids[first : first + _SLICE]), documents.embedder == embedder)
                .group_by(c.file_id)
            )
            rows: Any = await self.session.execute(statement)
            found |= {file_id: (ord_, count) for file_id, ord_, count in rows}
        return found

    async def match(
        self, terms: Sequence[str], store_id: str, file_ids: Collection[str] | None, limit: int
    ) -> list[tuple[int, float]]:
        """Windows of a store that have any of `terms`, best first: number and relevance (more is better).

        `terms` are words as `keywords` makes them. `file_ids` narrows the files of the store.
        """
        if not terms or (file_ids is not None and not file_ids):
            return []
        is_narrow = file_ids is not None
        values: dict[str, Any] = {"store": store_id, "most": limit}
        if file_ids is not None:
            values["files"] = list(file_ids)
        statement = _match(self.session.is_sqlite, is_narrow)
        if not self.session.is_sqlite:
            values["query"] = " | ".join(f"'{_ascii(term)}'" for term in terms)
            return await self._ranked(statement, values)
        newest = (await self.session.execute(_NEWEST)).scalar_one_or_none() or 0
        is_large = newest > FEW_WINDOWS
        if is_large:
            terms = await self._telling(terms, newest // 2)
        if not terms:
            return []
        values["query"] = " OR ".join(f'"{term}"' for term in terms)
        if is_large:
            ranked = await self._ranked(_match_best(is_narrow), {**values, "depth": _BEST})
            if len(ranked) == limit:
                return ranked
        return await self._ranked(statement, values)

    async def _ranked(self, statement: TextClause, values: dict[str, Any]) -> list[tuple[int, float]]:
        rows: Any = await self.session.execute(statement, values)
        return [(ord_, float(relevance)) for ord_, relevance in rows]

    async def _telling(self, terms: Sequence[str], most: int) -> list[str]:
        """The terms that at most `most` windows have, which is half of all.

        A more common word weighs a millionth in FTS5's BM25 (it gives no negative weights), yet ranking all
        its windows would take most of a search's time; counting them is cheap.
        """
        counts = {
            term: (await self.session.execute(_COUNT, {"query": f'"{term}"', "most": most + 1})).scalar_one()
            for term in terms
        }
        return [term for term, count in counts.items() if count <= most]

    async def windows(self, ords: Collection[int]) -> dict[int, tuple[str, int, int]]:
        """File id, start and end of these windows, by number."""
        c = tables.windows.c
        statement = select(c.ord, c.file_id, c.start, c.end).where(c.ord.in_(ords))
        rows: Any = await self.session.execute(statement)
        return {ord_: (file_id, start, end) for ord_, file_id, start, end in rows}

    async def slice(self, file_id: str, start: int, end: int) -> str:
        """`text[start:end]` of a document, cut by the database."""
        c = tables.documents.c
        statement = select(func.substr(c.text, start + 1, end - start)).where(c.file_id == file_id)
        return (await self.session.execute(statement)).scalar_one_or_none() or ""

    async def put_chunks(self, store_file_id: str, chunks: Sequence[tuple[int, int]]) -> None:
        """The chunks of a file in a store, in place of any that it had."""
        await self.session.execute(
            delete(tables.chunks).where(tables.chunks.c.store_file_id == store_file_id)
        )
        rows = [{"store_file_id": store_file_id, "start": start, "end": end} for start, end in chunks]
        for first in range(0, len(rows), _SLICE):
            await self.session.execute(insert(tables.chunks), rows[first : first + _SLICE])

    async def chunks_over(self, store_file_id: str, start: int, end: int) -> list[tuple[int, int]]:
        """The chunks that share anything with the stretch `start` to `end`, in the text's order."""
        c = tables.chunks.c
        statement = (
            select(c.start, c.end)
            .where(c.store_file_id == store_file_id, c.start < end, c.end > start)
            .order_by(c.start, c.ord)
        )
        rows: Any = await self.session.execute(statement)
        return [(first, last) for first, last in rows]

    async def chunks(self, store_file_id: str, first: int, limit: int) -> list[tuple[int, int]]:
        """Up to `limit` chunks of a file in a store, in the text's order, from place `first`."""
        c = tables.chunks.c
        statement = (
            select(c.start, c.end)
            .where(c.store_file_id == store_file_id)
            .order_by(c.start, c.ord)
            .offset(first)
            .limit(limit)
        )
        rows: Any = await self.session.execute(statement)
        return [(start, end) for start, end in rows]

    def _terms(self, keywords: str) -> str:
        if self.session.is_sqlite:
            return keywords
        return " ".join(_ascii(word) for word in keywords.split())

    @property
    def _insert_terms(self) -> TextClause:
        if self.session.is_sqlite:
            return text("INSERT INTO window_terms (rowid, terms) VALUES (:ord, :terms)")
        return text("INSERT INTO window_terms (ord, terms) VALUES (:ord, to_tsvector('simple', :terms))")


# Numbers are never reused: after deletions this is more than there are, and fewer words count as common.
_NEWEST = text("SELECT max(ord) FROM windows")
_COUNT = text("SELECT count(*) FROM (SELECT 1 FROM window_terms WHERE window_terms MATCH :query LIMIT :most)")
_SEARCHED = (
    "w.file_id IN (SELECT file_id FROM store_files WHERE vector_store_id = :store AND status = 'completed')"
)
_MATCH = {
    True: "SELECT w.ord, -bm25(window_terms) AS relevance FROM window_terms"
    f" JOIN windows w ON w.ord = window_terms.rowid WHERE window_terms MATCH :query AND {_SEARCHED}",
    False: "SELECT w.ord, ts_rank_cd(t.terms, q, 1) AS relevance FROM to_tsquery('simple', :query) q,"
    f" window_terms t JOIN windows w ON w.ord = t.ord WHERE t.terms @@ q AND {_SEARCHED}",
}


@cache
def _match(is_sqlite: bool, is_narrow: bool) -> TextClause:
    """Windows of a store by relevance, BM25 on SQLite, cover density on PostgreSQL."""
    narrow = " AND w.file_id IN :files" if is_narrow else ""
    statement = text(f"{_MATCH[is_sqlite]}{narrow} ORDER BY relevance DESC, w.ord LIMIT :most")
    return statement.bindparams(bindparam("files", expanding=True)) if is_narrow else statement


@cache
def _match_best(is_narrow: bool) -> TextClause:
    """The same on SQLite, but only among the best windows of all stores: a third of the time.

    It finds fewer where other stores' windows crowd these out.
    """
    narrow = " AND w.file_id IN :files" if is_narrow else ""
    best = (
        "SELECT rowid AS ord, -bm25(window_terms) AS relevance FROM window_terms"
        " WHERE window_terms MATCH :query ORDER BY relevance DESC, rowid LIMIT :depth"
    )
    statement = text(
        f"SELECT w.ord, m.relevance FROM ({best}) m JOIN windows w ON w.ord = m.ord"
        f" WHERE {_SEARCHED}{narrow} ORDER BY m.relevance DESC, w.ord LIMIT :most"
    )
    return statement.bindparams(bindparam("files", expanding=True)) if is_narrow else statement


def _ascii(word: str) -> str:
    """The word in letters that PostgreSQL's parser takes for one word in every locale."""
    return word if word.isascii() else "u" + word.encode("utf-8").hex()
