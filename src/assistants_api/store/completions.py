"""Chat completions: open ones, those that are to be kept, and briefly the others."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, literal, select, update

from assistants_api.domain.completion import Completion, CompletionStatus
from assistants_api.domain.errors import Conflict
from assistants_api.domain.page import Page, PageQuery
from assistants_api.store import tables
from assistants_api.store.columns import db_now, json_text
from assistants_api.store.repository import Repository

_AT_ONCE = 500


class Completions(Repository[Completion]):
    """The table of completions."""

    table = tables.completions
    kind = Completion
    noun = "chat completion"

    async def finish(self, ended: Completion) -> None:
        """Write the end of a completion that is open; else `Conflict`."""
        values = self.values(ended)
        changed = (
            "status",
            "ended_at",
            "is_stored",
            "choices",
            "spent",
            "cached_tokens",
            "reasoning_tokens",
            "error",
        )
        c = self.table.c
        result = await self.session.execute(
            update(self.table).where(c.id == ended.id, c.status == CompletionStatus.OPEN),
            {name: values[name] for name in changed},
        )
        if result.rowcount == 0:
            raise Conflict(f"completion {ended.id} is no longer open")

    async def kept(self, id: str) -> Completion:
        """A whole completion that its caller asked to keep; else `NotFound`."""
        found = await self.find(id)
        if found is None or not found.is_stored or found.status is not CompletionStatus.COMPLETED:
            raise self.missing(id)
        return found

    async def page(
        self, query: PageQuery, model: str | None, metadata: Mapping[str, str]
    ) -> Page[Completion]:
        """Kept completions by creation; those of `model` and with every given pair of metadata."""
        conditions: list[Any] = [
            json_text(self.table.c.metadata, literal(key)) == value for key, value in metadata.items()
        ]
        equals: dict[str, Any] = {"is_stored": True, "status": CompletionStatus.COMPLETED}
        if model is not None:
            equals["model"] = model
        return await self._page(query, *conditions, **equals)

    async def overdue(self) -> list[str]:
        """Open completions whose deadline has passed, by the database's clock."""
        c = self.table.c
        statement = select(c.id).where(c.status == CompletionStatus.OPEN, c.deadline < db_now())
        return [row[0] for row in await self.session.execute(statement)]

    async def count_open(self) -> int:
        """How many are being answered, or wait for it."""
        statement = select(func.count()).where(self.table.c.status == CompletionStatus.OPEN)
        return int((await self.session.execute(statement)).scalar_one())

    async def passed(self, older_than_seconds: float) -> list[str]:
        """Completions that ended so long ago and are not kept: not asked for, or not whole."""
        c = self.table.c
        statement = (
            select(c.id)
            .where(c.is_stored.is_(False), c.ended_at < db_now() - older_than_seconds)
            .limit(_AT_ONCE)
        )
        return [row[0] for row in await self.session.execute(statement)]

    async def forget(self, ids: list[str]) -> None:
        """Remove these."""
        await self.session.execute(delete(self.table).where(self.table.c.id.in_(ids)))
