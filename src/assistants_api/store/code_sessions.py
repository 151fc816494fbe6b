"""Code sessions: which worker holds a thread's session, and which generation it is."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, case, insert, update

from assistants_api.store import tables
from assistants_api.store.columns import db_now
from assistants_api.store.session import Session


class CodeSessions:
    """The table of code sessions, one row per thread on which code was run.

    A session is the worker's that runs the code. When another one takes the thread up, or somebody resets it,
    the thread's state begins anew: its `generation` counts how often it did.
    """

    table = tables.code_sessions

    def __init__(self, session: Session) -> None:
        self.session = session

    async def take(self, thread_id: str, owner: str, seconds: float) -> int:
        """The thread's session is at `owner`, who keeps it for so long; its generation."""
        c = self.table.c
        statement = (
            update(self.table)
            .where(c.thread_id == thread_id)
            .values(
                owner=owner,
                generation=case((c.owner == owner, c.generation), else_=c.generation + 1),
                alive_until=db_now() + seconds,
            )
            .returning(c.generation)
        )
        found = (await self.session.execute(statement)).scalar_one_or_none()
        if found is not None:
            return int(found)
        values = {"thread_id": thread_id, "owner": owner, "generation": 1, "alive_until": db_now() + seconds}
        await self.session.execute(insert(self.table).values(values))
        return 1

    async def keep(self, owner: str, thread_ids: Collection[str], seconds: float) -> set[str]:
        """Prolong those of the threads' sessions that are still at `owner`, and name them."""
        c = self.table.c
        statement = (
            update(self.table)
            .where(c.owner == owner, c.thread_id.in_(thread_ids))
            .values(alive_until=db_now() + seconds)
            .returning(c.thread_id)
        )
        return {row[0] for row in await self.session.execute(statement)}

    async def reset(self, thread_id: str) -> None:
        """The next code on the thread begins anew."""
        await self._leave(self.table.c.thread_id == thread_id)

    async def release(self, owner: str) -> None:
        """No session is at `owner` any more."""
        await self._leave(self.table.c.owner == owner)

    async def _leave(self, condition: ColumnElement[bool]) -> None:
        await self.session.execute(update(self.table).where(condition).values(owner=None, alive_until=None))
