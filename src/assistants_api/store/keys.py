"""API keys: only their keyed digests are stored."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from assistants_api.domain.errors import NotFound
from assistants_api.store import tables
from assistants_api.store.repository import Repository


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as stored; `hint` is its visible beginning and end."""

    id: str
    name: str
    hint: str
    digest: str
    created_at: datetime
    revoked_at: datetime | None = None


class Keys(Repository[ApiKey]):
    """The table of API keys."""

    table = tables.api_keys
    kind = ApiKey
    noun = "key"

    async def all(self) -> list[ApiKey]:
        """Every key, oldest first, revoked ones too."""
        rows = await self.session.execute(self._select().order_by(self.table.c.ord))
        return [self.thing(row) for row in rows]

    async def digests(self) -> frozenset[str]:
        """Digests of the keys in force."""
        c = self.table.c
        rows = await self.session.execute(select(c.digest).where(c.revoked_at.is_(None)))
        return frozenset(row[0] for row in rows)

    async def were_made(self) -> bool:
        """Whether there ever was a key, in force or not."""
        return (await self.session.execute(select(self.table.c.id).limit(1))).first() is not None

    async def revoke(self, id: str) -> None:
        """A key that no longer opens anything."""
        c = self.table.c
        now = await self.session.now()
        result = await self.session.execute(
            update(self.table).where(c.id == id, c.revoked_at.is_(None)).values(revoked_at=now)
        )
        if result.rowcount == 0:
            raise NotFound(f"No key found with id '{id}'.")
