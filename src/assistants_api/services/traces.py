"""What the model of a run was shown, and when."""

from assistants_api.domain.json import JsonObject
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
