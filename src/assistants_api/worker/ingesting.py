"""Indexes one file for every vector store that waits for it, from wherever an earlier attempt stopped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from assistants_api.domain.errors import DatabaseAway, LostLease, NotFound, Unavailable
from assistants_api.domain.file import File
from assistants_api.domain.job import Job
from assistants_api.domain.json import JsonObject
from assistants_api.domain.vector_store import Document, StoreFile, StoreFileStatus, Window
from assistants_api.knowledge import chunking
from assistants_api.knowledge.parsed import Parsed, ParseFailed
from assistants_api.ports import Blobs, Embedder
from assistants_api.services.ingestion import begun_by
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx
from assistants_api.store.wake import indexed_topic
from assistants_api.worker.interrupts import StopSignal

logger = logging.getLogger(__name__)

# Reads the text out of a file at a path, by the name that its owner gave it; raises `ParseFailed`.
Read = Callable[[Path, str], Awaitable[Parsed]]

# What one file may hold (the service's limit for file search).
MAX_TOKENS = 5_000_000
_WINDOWS_PER_WRITE = 64


class FileCarrier:
    """Carries ingestion jobs; a job's subject is a file.

    Reading and embedding are done once for a file, whichever stores have it; cutting into chunks is done
    for each store. Every write is fenced by the job's lease, and what is written stays, so that the next
    attempt goes on with the window at which a lost one stopped, or begins anew if that had another embedder.
    """

    def __init__(self, db: Database, blobs: Blobs, embedder: Embedder, read: Read) -> None:
        self._db = db
        self._blobs = blobs
        self._embedder = embedder
        self._read = read

    async def carry(self, job: Job, stop: StopSignal) -> None:
        """Index until no store waits for the file any more."""
        try:
            while (file := await self._wanted(job)) is not None:
                try:
                    document = await self._indexed(job, file)
                    if document is not None:
                        await self._serve(job, document)
                except ParseFailed as failure:
                    await self._fail(job, {"code": failure.code, "message": failure.message})
                except DatabaseAway:
                    raise
                except Unavailable as failure:
                    await self._fail(job, {"code": "server_error", "message": failure.message})
        except (LostLease, NotFound):
            logger.info("file %s is no longer ours to index", job.subject_id)

    async def _wanted(self, job: Job) -> File | None:
        """The file, if it is still to be indexed; else the job is done."""
        async with self._db.begin() as tx:
            await _fence(tx, job)
            # Held: who adds it to a store meanwhile comes after, and sees that the job is done.
            file = await tx.files.find(job.subject_id, for_update=True)
            if file is not None:
                if await tx.store_files.waiting(file.id):
                    return file
                if await self._is_outdated(tx, file.id):
                    return file
            await tx.jobs.finish(job.lease)
        return None

    async def _is_outdated(self, tx: Tx, file_id: str) -> bool:
        document = await tx.documents.find(file_id)
        return (
            document is not None
            and document.embedder != self._embedder.name
            and await tx.store_files.is_wanted(file_id)
        )

    async def _indexed(self, job: Job, file: File) -> Document | None:
        """The file's document with all its windows; None when nobody waits for it any more."""
        async with self._db.read(is_long=True) as tx:
            document = await tx.documents.find(file.id)
        begun = begun_by(self._embedder.name)
        if document is None or document.embedder not in (begun, self._embedder.name):
            if document is not None:
                await self._embedder.embed(["Does it work?"])  # the old index goes only if a new one can come
            text = await self._text(file) if document is None else document.text
            spans = await asyncio.to_thread(chunking.tokenize, text)
            if not len(spans):
                raise ParseFailed("invalid_file", "The file contains no text that could be searched.")
            if len(spans) > MAX_TOKENS:
                raise ParseFailed(
                    "invalid_file",
                    "The file could not be parsed because it is too large:"
                    f" it has {len(spans)} tokens, {MAX_TOKENS} are allowed.",
                )
            document = Document(file.id, text, len(spans), begun)
            async with self._db.begin() as tx:
                await _fence(tx, job)
                await tx.documents.put(document)
        if document.embedder == begun and not await self._embed(job, document):
            return None
        return document

    async def _text(self, file: File) -> str:
        if not file.is_indexable:
            raise ParseFailed("unsupported_file", "The file type is not supported.")
        try:
            async with self._blobs.local(file.blob) as path:
                return (await self._read(path, file.filename)).text
        except FileNotFoundError as error:
            raise ParseFailed("server_error", "The bytes of the file are gone.") from error

    async def _embed(self, job: Job, document: Document) -> bool:
        """Write the windows that are missing; False when nobody waits for them any more."""
        text = document.text
        spans = await asyncio.to_thread(chunking.windows, text)
        async with self._db.read() as tx:
            done = await tx.documents.count_windows(document.file_id)
        for first in range(done, len(spans), _WINDOWS_PER_WRITE):
            pieces = spans[first : first + _WINDOWS_PER_WRITE]
            vectors = await self._embedder.embed([text[piece.start : piece.end] for piece in pieces])
            windows = [
                Window(
                    piece.start,
                    piece.end,
                    np.asarray(vector, dtype=np.float16).tobytes(),
                    chunking.keywords(text[piece.start : piece.end]),
                )
                for piece, vector in zip(pieces, vectors, strict=True)
            ]
            async with self._db.begin() as tx:
                await _fence(tx, job)
                await tx.documents.add_windows(document.file_id, windows)
                if not await tx.store_files.is_wanted(document.file_id):
                    return False
        async with self._db.begin() as tx:
            await _fence(tx, job)
            await tx.documents.indexed(document.file_id, self._embedder.name)
            await tx.vector_stores.changed(await tx.store_files.stores_of(document.file_id))
        return True

    async def _serve(self, job: Job, document: Document) -> None:
        """Cut the document for every store that waits, and complete the file there."""
        async with self._db.read(is_long=True) as tx:
            vectors = await tx.documents.vector_bytes(document.file_id)
            places = await tx.store_files.waiting(document.file_id, for_update=False)
        used = len(document.text.encode()) + vectors
        cut: dict[object, list[tuple[int, int]]] = {}
        for place in places:
            if place.chunking not in cut:
                cut[place.chunking] = await asyncio.to_thread(_cut, document.text, place)
        async with self._db.begin() as tx:
            await _fence(tx, job)
            # Stores before places, as everybody does who changes what a store has.
            await tx.vector_stores.hold_all({place.vector_store_id for place in places})
            for place in await tx.store_files.waiting(document.file_id):
                if place.chunking in cut:  # one that came since is served in the next round
                    await tx.documents.put_chunks(place.id, cut[place.chunking])
                    await tx.store_files.end([place.id], StoreFileStatus.COMPLETED, usage_bytes=used)
                    await tx.vector_stores.changed([place.vector_store_id])
                    tx.after_commit(partial(tx.wake.send, indexed_topic(place.vector_store_id)))

    async def _fail(self, job: Job, last_error: JsonObject) -> None:
        async with self._db.begin() as tx:
            await _fence(tx, job)
            await tx.files.find(job.subject_id, for_update=True)  # as in `_wanted`
            waiting: Sequence[StoreFile] = await tx.store_files.waiting(job.subject_id)
            ids = [place.id for place in waiting]
            await tx.store_files.end(ids, StoreFileStatus.FAILED, last_error=last_error)
            for place in waiting:
                tx.after_commit(partial(tx.wake.send, indexed_topic(place.vector_store_id)))
            if not ids:  # what failed was to renew an index: the old one stays
                await tx.jobs.finish(job.lease)
        if not ids:
            raise LostLease


def _cut(text: str, place: StoreFile) -> list[tuple[int, int]]:
    chunks = chunking.chunk(text, place.max_chunk_size_tokens, place.chunk_overlap_tokens)
    return [(chunk.start, chunk.end) for chunk in chunks]


async def _fence(tx: Tx, job: Job) -> None:
    """`LostLease` when another attempt, or nobody, has the job now."""
    if not await tx.jobs.held([job.lease]):
        raise LostLease
