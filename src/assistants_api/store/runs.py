"""Runs: compare-and-swap on their status, so that of two enders exactly one wins."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from assistants_api.domain.errors import Conflict
from assistants_api.domain.message import NewMessage
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.run import Run, RunStatus
from assistants_api.store import tables
from assistants_api.store.columns import db_now
from assistants_api.store.deliveries import Deliveries
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

    async def move(self, before: Run, after: Run) -> None:
        """Write `after` if the row still has the status of `before`; else `Conflict`. Ends are announced."""
        values = self.values(after)
        c = self.table.c
        try:
            result = await self.session.execute(
                update(self.table).where(c.id == values.pop("id"), c.status == before.status), values
            )
        except IntegrityError as error:
            raise Conflict(f"thread {after.thread_id} has an active run") from error
        if result.rowcount == 0:
            raise Conflict(f"run {before.id} is no longer {before.status}")
        if after.ends_stream and after.status is not before.status:
            await Deliveries(self.session).announce(
                f"thread.run.{after.status}",
                {
                    "id": after.id,
                    "object": "thread.run",
                    "thread_id": after.thread_id,
                    "assistant_id": after.assistant_id,
                    "status": after.status.value,
                    "metadata": after.metadata,
                },
                after.webhook_url,
            )

    async def active_on(self, thread_id: str) -> Run | None:
        """The run that holds the thread."""
        row = (await self.session.execute(_ACTIVE_ON, {"wanted": thread_id})).first()
        return None if row is None else self.thing(row)

    async def is_waited_for(self, thread_id: str) -> bool:
        """Whether a run waits for the thread."""
        c = self.table.c
        statement = select(exists().where(c.thread_id == thread_id, c.is_waiting.is_(True)))
        return bool((await self.session.execute(statement)).scalar_one())

    async def waiting_on(self, thread_id: str) -> list[Run]:
        """The runs that wait behind it, the first one first; their rows held until the transaction ends."""
        result = await self.session.execute(_WAITING_ON, {"wanted": thread_id})
        return [self.thing(row) for row in result]

    async def stranded(self) -> list[str]:
        """Threads on which runs wait although none holds them."""
        waiting, holding = tables.runs.alias(), tables.runs.alias()
        is_held = exists().where(
            holding.c.thread_id == waiting.c.thread_id,
            holding.c.is_waiting.is_(False),
            tables.is_active(holding),
        )
        statement = select(waiting.c.thread_id).where(waiting.c.is_waiting.is_(True), ~is_held).distinct()
        return [row[0] for row in await self.session.execute(statement)]

    async def put_waiting_messages(self, run_id: str, messages: Sequence[NewMessage]) -> None:
        """Keep the messages that a waiting run will add."""
        values = {"run_id": run_id, "messages": [asdict(message) for message in messages]}
        await self.session.execute(insert(tables.waiting_messages), values)

    async def take_waiting_messages(self, run_id: str) -> list[NewMessage]:
        """The messages of a run that waits no more, removed from where they were kept."""
        table = tables.waiting_messages
        row = (
            await self.session.execute(
                delete(table).where(table.c.run_id == run_id).returning(table.c.messages)
            )
        ).first()
        return [] if row is None else [_new_message(each) for each in row[0]]

    async def overdue(self) -> list[str]:
        """Active runs whose deadline has passed, by the database's clock."""
        c = self.table.c
        statement = select(c.id).where(tables.is_active(self.table), c.deadline < db_now())
        return [row[0] for row in await self.session.execute(statement)]

    async def count_active(self) -> dict[RunStatus, int]:
        """How many runs are in each active status."""
        c = self.table.c
        statement = select(c.status, func.count()).where(tables.is_active(self.table)).group_by(c.status)
        rows: list[Any] = list(await self.session.execute(statement))
        return {row[0]: row[1] for row in rows}


# Built once: every message and every run asks for it.
_ACTIVE_ON = select(*(tables.runs.c[field.name] for field in fields(Run))).where(
    tables.runs.c.thread_id == bindparam("wanted"),
    tables.is_active(tables.runs),
    tables.runs.c.is_waiting.is_(False),
)
_WAITING_ON = (
    select(*(tables.runs.c[field.name] for field in fields(Run)))
    .where(tables.runs.c.thread_id == bindparam("wanted"), tables.runs.c.is_waiting.is_(True))
    .order_by(tables.runs.c.ord)
    .with_for_update()
)


def _new_message(value: dict[str, Any]) -> NewMessage:
    return NewMessage(value["role"], tuple(value["content"]), tuple(value["attachments"]), value["metadata"])
