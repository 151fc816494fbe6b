"""What is asked all the time costs the same however much is stored: SQLite finds an index for it."""

import re
from typing import Any

from sqlalchemy import event

from assistants_api.domain.job import Lease
from assistants_api.services.sweeping import expire_files, sweep
from assistants_api.store.sqlite import _raw
from tests.worker.conftest import NO_BLOBS

# A scan of a whole table, of those that grow; one of an index that has only what is open is none.
WHOLE = re.compile(r"SCAN (runs|jobs|completions|events|files|uploads|replies|messages|threads)(_\d+)?")


async def test_what_is_asked_all_the_time_reads_nothing_that_is_over(sqlite_db):
    """SQLite takes an index of some rows only where a statement has that index's condition word for word."""
    asked: dict[str, Any] = {}
    event.listen(sqlite_db._engine, "before_cursor_execute", lambda *given: asked.setdefault(*given[2:4]))
    await sweep(sqlite_db)
    await expire_files(sqlite_db, NO_BLOBS)
    async with sqlite_db.begin() as tx:
        await tx.jobs.claim("w", "run", 1)
        await tx.jobs.renew([Lease("j", 1, "w")])
        await tx.jobs.cancelling(["j"])
        await tx.jobs.depths()
        await tx.jobs.ages()
        await tx.runs.count_active()
        await tx.runs.active_on("t")
        await tx.completions.count_open()
        await tx.events.remove_old()
        raw = _raw(sqlite_db._writer)
        plans = {
            statement: [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            for statement, values in asked.items()
        }

    steps = [step for plan in plans.values() for step in plan]
    assert {step for step in steps if WHOLE.fullmatch(step)} == set()
    assert any("runs USING INDEX uq_runs_active_thread" in step for step in steps)
    assert any("runs USING INDEX ix_runs_active_deadline (deadline<?)" in step for step in steps)
