"""Runs: compare-and-swap on their status, so that of two enders exactly one wins."""

from dataclasses import fields
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import IntegrityError

from assistants_api.domain.errors import Conflict
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.run import ACTIVE, Run, RunStatus
from assistants_api.store import tables
from assistants_api.store.columns import db_now
from assistants_api.store.repository import Repository


class Runs(Repository[Run]):
    """The table of runs."""

    table = tables.runs
    kind = Run
    noun = "run"

    async def add(self, thing: Run) -> None:
        """Insert; `Conflict` when the thread has an active run already."""
        try:
            await super().add(thing)
        except IntegrityError as error:
            raise Conflict(f"thread {thing.thread_id} has an active run") from error

    async def page(self, thread_id: str, query: PageQuery) -> Page[Run]:
        """Runs of a thread by creation."""
        return await self._page(query, thread_id=thread_id)

    async def hold(self, id: str) -> Run:
        """The run, its row held until the transaction ends."""
        found = await self.find(id, for_update=True)
        if found is None:
            raise self.missing(id)
        return found

    async def move(self, before: Run, after: Run) -> None:
        """Write `after` if the row still has the status of `before`; else `Conflict`."""
        values = self.values(after)
        c = self.table.c
        result = await self.session.execute(
            update(self.table).where(c.id == values.pop("id"), c.status == before.status), values
        )
        if result.rowcount == 0:
            raise Conflict(f"run {before.id} is no longer {before.status}")

    async def active_on(self, thread_id: str) -> Run | None:
        """The run that holds the thread."""
        row = (await self.session.execute(_ACTIVE_ON, {"wanted": thread_id})).first()
        return None if row is None else self.thing(row)

    async def overdue(self) -> list[str]:
        """Active runs whose deadline has passed, by the database's clock."""
        c = self.table.c
        statement = select(c.id).where(c.status.in_(sorted(ACTIVE)), c.deadline < db_now())
        return [row[0] for row in await self.session.execute(statement)]

    async def count_active(self) -> dict[RunStatus, int]:
        """How many runs are in each active status."""
        c = self.table.c
        statement = select(c.status, func.count()).where(c.status.in_(sorted(ACTIVE))).group_by(c.status)
        rows: list[Any] = list(await self.session.execute(statement))
        return {row[0]: row[1] for row in rows}


# Built once: every message and every run asks for it.
_ACTIVE_ON = select(*(tables.runs.c[field.name] for field in fields(Run))).where(
    tables.runs.c.thread_id == bindparam("wanted"), tables.runs.c.status.in_(sorted(ACTIVE))
)
