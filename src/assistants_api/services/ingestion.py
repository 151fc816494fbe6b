"""Asks for files to be indexed, and settles what nobody will index any more."""

from collections.abc import Iterable
from datetime import datetime

from assistants_api.domain import ids
from assistants_api.domain.job import MAX_ATTEMPTS, Job, JobKind
from assistants_api.domain.vector_store import StoreFileStatus
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx


async def want_indexed(tx: Tx, file_ids: Iterable[str], now: datetime) -> None:
    """See to it that a worker indexes these files for every store that waits for them.

    One open job serves all stores that wait for a file; it looks again before it ends.
    """
    for file_id in sorted(set(file_ids)):
        await tx.files.hold(file_id)
        if not await tx.jobs.is_open(file_id):
            await tx.jobs.add(Job(ids.new("job"), JobKind.INGESTION, file_id, now))


async def end_abandoned_file(db: Database, file_id: str) -> bool:
    """Fail a file that several workers were lost over, in every store that still waits for it."""
    async with db.begin() as tx:
        if await tx.jobs.is_held(file_id):
            return False
        message = f"The file was given up: {MAX_ATTEMPTS} workers in turn were lost while they read it."
        waiting = await tx.store_files.waiting(file_id)
        await tx.store_files.end(
            [place.id for place in waiting],
            StoreFileStatus.FAILED,
            last_error={"code": "server_error", "message": message},
        )
        await tx.jobs.revoke(file_id)
    return True
