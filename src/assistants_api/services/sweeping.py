"""What must happen even if no worker lives: runs expire, and abandoned work is ended."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from assistants_api.domain.completion import CompletionStatus
from assistants_api.domain.errors import Conflict, NotFound, Unavailable
from assistants_api.domain.job import MAX_ATTEMPTS, JobKind
from assistants_api.domain.run import RunStatus
from assistants_api.domain.webhook import DeliveryStatus
from assistants_api.ports import Blobs
from assistants_api.services.completions import end_completion
from assistants_api.services.endings import cancel_now, end_run, hold_to_end, start_next
from assistants_api.services.files import delete_file
from assistants_api.services.ingestion import end_abandoned_file
from assistants_api.services.uploads import expire_upload
from assistants_api.store.database import Database

logger = logging.getLogger(__name__)

# How long a completion that is not to be stored can still be read by a client that lags behind.
PASSED_SECONDS = 300.0

# A blob is written before its row: only one that stays without a row was left behind by a crash.
_ORPHAN_SECONDS = 2 * 3600.0
_KEYS_PER_LOOK = 500


async def sweep(db: Database) -> int:
    """One pass over what runs and waits; how many things it ended. Any number of processes may sweep at once.

    What cannot be ended is left to the next pass, and keeps nothing else from its end.
    """
    async with db.read() as tx:
        overdue = await tx.runs.overdue()
        late = await tx.completions.overdue()
        passed = await tx.completions.passed(PASSED_SECONDS)
        abandoned = await tx.jobs.abandoned()
        now = await tx.now()
        stranded = await tx.runs.stranded()
    ended = 0
    for run_id in overdue:
        ended += await _try(db, run_id, expire_run)
    for completion_id in late:
        ended += await _try(db, completion_id, expire_completion)
    for thread_id in stranded:
        async with db.begin() as tx:
            await start_next(tx, thread_id, now)
    if passed:
        async with db.begin() as tx:
            await tx.events.remove_of(passed)
            await tx.completions.forget(passed)
    async with db.begin() as tx:
        await tx.replies.forget(now)
    for job in abandoned:
        ended += await _try(db, job.subject_id, _ENDS[JobKind(job.kind)])
    return ended


async def expire_files(db: Database, blobs: Blobs) -> None:
    """One pass over files and uploads whose time is over; it may take as long as their bytes' store does."""
    async with db.read() as tx:
        now = await tx.now()
        files = await tx.files.expired(now)
        uploads = await tx.uploads.overdue(now)
    for file_id in files:
        with suppress(NotFound):
            await delete_file(db, blobs, file_id)
    for upload_id in uploads:
        await expire_upload(db, blobs, upload_id, now)


async def expire_run(db: Database, run_id: str) -> bool:
    """End a run whose deadline has passed; a worker that still holds it is fenced out."""
    async with db.begin() as tx:
        run = await hold_to_end(tx, run_id)
        now = await tx.now()
        if run.is_final or run.deadline > now:
            return False
        _, events = await end_run(tx, run, RunStatus.EXPIRED, now)
        await tx.jobs.revoke(run_id)
        await tx.events.append(run_id, events)
    return True


async def end_abandoned(db: Database, run_id: str) -> bool:
    """End a run that no worker will take up again: cancelled if that was asked for, else failed."""
    async with db.begin() as tx:
        run = await hold_to_end(tx, run_id)
        if run.is_final or await tx.jobs.is_held(run_id):
            return False
        now = await tx.now()
        if run.status is RunStatus.CANCELLING:
            await cancel_now(tx, run, now)
            return True
        last_error = {
            "code": "server_error",
            "message": f"Sorry, something went wrong: the run was lost by {MAX_ATTEMPTS} workers in turn.",
        }
        _, events = await end_run(tx, run, RunStatus.FAILED, now, last_error=last_error)
        await tx.jobs.revoke(run_id)
        await tx.events.append(run_id, events)
    return True


async def expire_completion(db: Database, completion_id: str) -> bool:
    """End a completion whose deadline has passed; a worker that still holds it is fenced out."""
    async with db.begin() as tx:
        await tx.jobs.hold_of(completion_id)
        completion = await tx.completions.hold(completion_id)
        if completion.is_final or completion.deadline > await tx.now():
            return False
        message = "The completion did not end before its deadline."
        error = {"code": "deadline_exceeded", "message": message}
        await end_completion(tx, completion, CompletionStatus.FAILED, error)
    return True


async def end_abandoned_completion(db: Database, completion_id: str) -> bool:
    """End a completion that no worker will take up again."""
    async with db.begin() as tx:
        await tx.jobs.hold_of(completion_id)
        completion = await tx.completions.hold(completion_id)
        if completion.is_final or await tx.jobs.is_held(completion_id):
            return False
        message = f"Sorry, something went wrong: the completion was lost by {MAX_ATTEMPTS} workers in turn."
        error = {"code": "server_error", "message": message}
        await end_completion(tx, completion, CompletionStatus.FAILED, error)
    return True


async def end_abandoned_delivery(db: Database, delivery_id: str) -> bool:
    """Give up a webhook delivery that no worker will take up again."""
    async with db.begin() as tx:
        await tx.jobs.hold_of(delivery_id)
        delivery = await tx.deliveries.get(delivery_id)
        if delivery.status is not DeliveryStatus.PENDING or await tx.jobs.is_held(delivery_id):
            return False
        message = f"It was lost by {MAX_ATTEMPTS} workers in turn."
        await tx.deliveries.save(replace(delivery, status=DeliveryStatus.FAILED, last_error=message))
        await tx.jobs.revoke(delivery_id)
    return True


async def forget_old(db: Database, blobs: Blobs) -> None:
    """Remove logs and jobs that nobody may ask for any more, and bytes that no file names."""
    async with db.begin() as tx:
        await tx.events.remove_old()
        await tx.jobs.remove_done(24 * 3600.0)
        await tx.deliveries.remove_ended(24 * 3600.0)
        await tx.removed.forget_old(24 * 3600.0)
        own = await tx.identity.id()
    if await blobs.owner(own) != own:
        logger.warning("the stored files belong to another database: none of them is swept")
        return
    stale: list[str] = []
    async for key in blobs.older_than(_ORPHAN_SECONDS):
        stale.append(key)
        if len(stale) == _KEYS_PER_LOOK:
            await _remove_orphans(db, blobs, stale)
            stale = []
    await _remove_orphans(db, blobs, stale)


async def _remove_orphans(db: Database, blobs: Blobs, keys: list[str]) -> None:
    if not keys:
        return
    async with db.read() as tx:
        named = await tx.files.blobs(keys)
    await blobs.remove(key for key in keys if key not in named)


async def _try(db: Database, subject_id: str, end: Callable[[Database, str], Awaitable[bool]]) -> bool:
    try:
        return await end(db, subject_id)
    except (Conflict, NotFound):
        logger.debug("%s ended while it was being swept", subject_id)
    except Unavailable:
        raise
    except Exception:
        logger.exception("%s could not be ended; the next sweep tries again", subject_id)
    return False


_ENDS: dict[JobKind, Callable[[Database, str], Awaitable[bool]]] = {
    JobKind.RUN: end_abandoned,
    JobKind.COMPLETION: end_abandoned_completion,
    JobKind.INGESTION: end_abandoned_file,
    JobKind.WEBHOOK: end_abandoned_delivery,
}
