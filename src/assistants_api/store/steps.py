"""Run steps."""

from collections.abc import Sequence

from sqlalchemy import Text, select

from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.step import RunStep, StepStatus
from assistants_api.store import tables
from assistants_api.store.repository import Repository


class Steps(Repository[RunStep]):
    """The table of run steps."""

    table = tables.run_steps
    kind = RunStep
    noun = "run step"

    async def page(self, run_id: str, query: PageQuery) -> Page[RunStep]:
        """Steps of a run by creation."""
        return await self._page(query, run_id=run_id)

    async def of_run(self, run_id: str) -> list[RunStep]:
        """All steps of a run, oldest first."""
        statement = self._select().where(self.table.c.run_id == run_id).order_by(self.table.c.ord)
        return [self.thing(row) for row in await self.session.execute(statement)]

    async def of_runs(self, run_ids: Sequence[str]) -> list[RunStep]:
        """All steps of these runs, oldest first."""
        statement = self._select().where(self.table.c.run_id.in_(run_ids)).order_by(self.table.c.ord)
        return [self.thing(row) for row in await self.session.execute(statement)]

    async def open_of(self, run_id: str) -> RunStep | None:
        """The step that a run is in."""
        c = self.table.c
        statement = self._select().where(c.run_id == run_id, c.status == StepStatus.IN_PROGRESS)
        row = (await self.session.execute(statement)).first()
        return None if row is None else self.thing(row)

    async def has_code(self, thread_id: str) -> bool:
        """Whether code was run on a thread before."""
        c, runs = self.table.c, tables.runs.c
        of_thread = select(runs.id).where(runs.thread_id == thread_id)
        statement = (
            select(c.id)
            .where(
                c.run_id.in_(of_thread),
                c.status == StepStatus.COMPLETED,
                c.step_details.cast(Text).contains('"code_interpreter":{"input":'),
            )
            .limit(1)
        )
        return (await self.session.execute(statement)).first() is not None
