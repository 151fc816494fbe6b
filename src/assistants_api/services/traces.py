"""What the model of a run was shown, and when; and how far a file of a vector store is."""

import asyncio

from assistants_api.domain.json import JsonObject
from assistants_api.knowledge.chunking import windows
from assistants_api.services.ingestion import is_whole
from assistants_api.services.runs import run_of
from assistants_api.store.database import Database


async def get_trace(db: Database, thread_id: str, run_id: str) -> JsonObject:
    """The trace of a run: one entry per model call, with the exact prompt where the engine tells it."""
    async with db.read() as tx:
        run = await run_of(tx, thread_id, run_id)
        turns = await tx.traces.find(run_id)
    ended_at = run.completed_at or run.failed_at or run.cancelled_at
    if ended_at is None and run.is_final:
        ended_at = run.expires_at
    return {
        "object": "thread.run.trace",
        "run_id": run.id,
        "thread_id": run.thread_id,
        "request_received_at": run.created_at.timestamp(),
        "ended_at": None if ended_at is None else ended_at.timestamp(),
        "turns": [] if turns is None else turns["turns"],
    }


async def get_file_trace(db: Database, store_id: str, file_id: str) -> JsonObject:
    """How far a file of a vector store is: what was read of it, what of that is indexed, who is at it."""
    async with db.read(is_long=True) as tx:
        await tx.vector_stores.get(store_id)
        place = await tx.store_files.of(store_id, file_id)
        document = await tx.documents.find(file_id)
        done = await tx.documents.count_windows(file_id)
        job = await tx.jobs.open_of(file_id)
        now = await tx.now()
    total: int | None = None
    embedder: str | None = None
    if document is not None and is_whole(document):
        total, embedder = done, document.embedder
    elif document is not None:
        total = len(await asyncio.to_thread(windows, document.text))
    is_held = job is not None and job.lease_until is not None and job.lease_until > now
    return {
        "object": "vector_store.file.trace",
        "file_id": file_id,
        "vector_store_id": store_id,
        "status": place.status.value,
        "last_error": place.last_error,
        "created_at": place.created_at.timestamp(),
        "stage": _stage(place.status.value, document is not None, is_held=is_held),
        "tokens": None if document is None else document.tokens,
        "windows": {"done": done, "total": total},
        "embedder": embedder,
        "attempt": None if job is None else job.attempt,
    }


def _stage(status: str, is_read: bool, *, is_held: bool) -> str:
    if status != "in_progress":
        return status
    if not is_held:
        return "waiting"
    return "indexing" if is_read else "reading"
