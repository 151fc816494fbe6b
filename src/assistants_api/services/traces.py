"""What the model of a run was shown, and when."""

from assistants_api.domain.json import JsonObject
from assistants_api.services.runs import run_of
from assistants_api.store.database import Database


async def get_trace(db: Database, thread_id: str, run_id: str) -> JsonObject:
    """The trace of a run: one entry per model call, with the exact prompt where the engine tells it."""
    async with db.read() as tx:
        run = await run_of(tx, thread_id, run_id)
        turns = await tx.traces.find(run_id)
    return {
        "object": "thread.run.trace",
        "run_id": run.id,
        "thread_id": run.thread_id,
        "request_received_at": run.created_at.timestamp(),
        "turns": [] if turns is None else turns["turns"],
    }
