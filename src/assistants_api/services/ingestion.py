"""Asks for files to be indexed, and settles what nobody will index any more."""

from collections.abc import Iterable
from datetime import datetime

from assistants_api.domain import ids
from assistants_api.domain.job import MAX_ATTEMPTS, Job, JobKind
from assistants_api.domain.vector_store import Document, StoreFileStatus
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx

_FILES_PER_WRITE = 100
_BEGUN = "begun: "


def begun_by(embedder: str) -> str:
    """What is written as a document's embedder until `embedder` has done all of it: only it may go on."""
    return f"{_BEGUN}{embedder}"


def is_whole(document: Document) -> bool:
    """Whether every window of the document is there; where nobody is named, nobody knows who began."""
    return document.embedder is not None and not document.embedder.startswith(_BEGUN)


async def want_indexed(tx: Tx, file_ids: Iterable[str], now: datetime) -> None:
    """See to it that a worker indexes these files for every store that waits for them.

    One open job serves all stores that wait for a file. It looks again before it ends, and whoever ends it
    holds the file before looking: nobody takes a job for open that is about to end.
    """
    wanted = sorted(set(file_ids))
    await tx.files.all_of(wanted, for_update=True)
    for file_id in wanted:
        if not await tx.jobs.is_open(file_id):
            await tx.jobs.add(Job(ids.new("job"), JobKind.INGESTION, file_id, now))


async def want_renewed(db: Database, embedder: str, now: datetime) -> int:
    """See to it that every searchable file that another embedder has indexed is indexed by this one.

    Returns how many there are. One file at a time is not found by meaning, and for a moment not at all.
    """
    async with db.read() as tx:
        outdated = await tx.documents.embedded_otherwise(embedder)
    for first in range(0, len(outdated), _FILES_PER_WRITE):
        async with db.begin() as tx:
            there = await tx.files.existing(outdated[first : first + _FILES_PER_WRITE])
            await want_indexed(tx, [file.id for file in there], now)
    return len(outdated)


async def end_abandoned_file(db: Database, file_id: str) -> bool:
    """Fail a file that several workers were lost over, in every store that still waits for it."""
    async with db.begin() as tx:
        await tx.jobs.hold_of(file_id)
        if await tx.jobs.is_held(file_id):
            return False
        await tx.files.find(file_id, for_update=True)
        message = f"The file was given up: {MAX_ATTEMPTS} workers in turn were lost while they read it."
        waiting = await tx.store_files.waiting(file_id)
        await tx.store_files.end(
            [place.id for place in waiting],
            StoreFileStatus.FAILED,
            last_error={"code": "server_error", "message": message},
        )
        await tx.jobs.revoke(file_id)
    return True
