"""What was answered to requests that carried an idempotency key."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from assistants_api.store import tables
from assistants_api.store.session import Session

KEPT = timedelta(hours=24)
# A claim of a process that died before it could answer: longer than any request takes.
ABANDONED = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class KeptReply:
    """An answer: status and body, or a run's stream from an event on; without a status none yet."""

    owner: str
    key: str
    fingerprint: str
    created_at: datetime
    status: int | None = None
    body: str | None = None
    run_id: str | None = None
    after: int | None = None


class Replies:
    """The table of kept replies, by caller and key."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def claim(self, reply: KeptReply) -> KeptReply | None:
        """Insert; None when the key is new, else what it stands for. Waits for a claim in commit."""
        table = tables.replies
        now = reply.created_at
        await self.session.execute(
            delete(table).where(
                table.c.owner == reply.owner,
                table.c.key == reply.key,
                (table.c.created_at < now - KEPT)
                | (table.c.status.is_(None) & (table.c.created_at < now - ABANDONED)),
            )
        )
        insert = sqlite.insert if self.session.is_sqlite else postgresql.insert
        values = {name: getattr(reply, name) for name in ("owner", "key", "fingerprint", "created_at")}
        wanted = (table.c.owner == reply.owner) & (table.c.key == reply.key)
        while True:
            result = await self.session.execute(insert(table).values(values).on_conflict_do_nothing())
            if result.rowcount == 1:
                return None
            row = (await self.session.execute(select(table).where(wanted))).first()
            if row is not None:  # else the claim that was there is given up by now
                return KeptReply(**row._mapping)

    async def keep(self, reply: KeptReply) -> None:
        """Write the answer of a claim."""
        table = tables.replies
        await self.session.execute(
            update(table)
            .where(table.c.owner == reply.owner, table.c.key == reply.key)
            .values(status=reply.status, body=reply.body, run_id=reply.run_id, after=reply.after)
        )

    async def drop(self, owner: str, key: str) -> None:
        """Give a claim up: the request changed nothing."""
        table = tables.replies
        await self.session.execute(delete(table).where(table.c.owner == owner, table.c.key == key))

    async def forget(self, now: datetime) -> int:
        """Delete what is older than a day; how many."""
        result = await self.session.execute(
            delete(tables.replies).where(tables.replies.c.created_at < now - KEPT)
        )
        return result.rowcount
