"""Traces: what the model of a run was shown, and when."""

from sqlalchemy import delete, insert, select

from assistants_api.domain.json import JsonObject
from assistants_api.store import tables
from assistants_api.store.session import Session


class Traces:
    """The table of traces, one per run."""

    table = tables.traces

    def __init__(self, session: Session) -> None:
        self.session = session

    async def find(self, run_id: str) -> JsonObject | None:
        """The trace of a run, if it has begun."""
        statement = select(self.table.c.data).where(self.table.c.run_id == run_id)
        row = (await self.session.execute(statement)).first()
        return None if row is None else row[0]

    async def put(self, run_id: str, data: JsonObject) -> None:
        """Write the trace of a run, in place of an earlier one."""
        await self.session.execute(delete(self.table).where(self.table.c.run_id == run_id))
        await self.session.execute(insert(self.table), {"run_id": run_id, "data": data})
