"""Run steps."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Text, and_, or_, select

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

    async def calling(self, run_ids: Collection[str], kinds: Collection[str]) -> set[str]:
        """Those of the runs that made calls of these types."""
        c = self.table.c
        statement = select(c.run_id).where(c.run_id.in_(run_ids), self._calls(kinds)).distinct()
        return {row[0] for row in await self.session.execute(statement)}

    async def of_runs(self, run_ids: Collection[str], kinds: Collection[str]) -> list[RunStep]:
        """The steps of these runs, oldest first, but those that have only calls of other types than these."""
        c = self.table.c
        wanted = or_(c.type != "tool_calls", self._calls(kinds))
        statement = self._select().where(c.run_id.in_(run_ids), wanted).order_by(c.ord)
        return [self.thing(row) for row in await self.session.execute(statement)]

    def _calls(self, kinds: Collection[str]) -> ColumnElement[bool]:
        # Quotes within texts are escaped, so that no text is taken for a call.
        c = self.table.c
        has_one = (c.step_details.cast(Text).contains(f'"type":"{kind}"') for kind in sorted(kinds))
        return and_(c.type == "tool_calls", or_(*has_one))

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
