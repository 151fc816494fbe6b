"""What the database is asked for health and metrics: at most once at a time, and not for long."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from assistants_api.domain.errors import DatabaseAway
from assistants_api.store.database import Database

PATIENCE_SECONDS = 5.0  # less than monitors have


@dataclass(frozen=True, slots=True)
class Counts:
    """What is under way; `waiting` and `ages` (seconds) are of jobs that nobody has taken, by kind."""

    runs: Mapping[str, int]
    waiting: Mapping[str, int]
    ages: Mapping[str, float]
    completions: int


class Counting:
    """Counts what is under way in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._task: asyncio.Task[Counts] | None = None

    async def read(self) -> Counts:
        """As it is now; `Unavailable` when the database is away, or says nothing.

        A question without an answer yet is left open: who asks meanwhile gets its answer, and takes no other
        connection.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read())
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        task = self._task
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        if not task.done():
            raise DatabaseAway("The database does not answer.")
        return task.result()

    async def _read(self) -> Counts:
        async with self._db.read() as tx:
            runs = {str(status): number for status, number in (await tx.runs.count_active()).items()}
            return Counts(
                runs, await tx.jobs.depths(), await tx.jobs.ages(), await tx.completions.count_open()
            )
