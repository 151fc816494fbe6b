"""Where deleted objects stood in their lists: who deletes while listing asks for what follows one of them."""

from collections.abc import Mapping

from sqlalchemy import delete, insert, select

from assistants_api.store.columns import db_now
from assistants_api.store.session import Session
from assistants_api.store.tables import removed


class Removed:
    """The table of deleted objects' places, whatever their kind."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def note(self, id: str, place: int) -> None:
        """An object is deleted that stood there."""
        await self._session.execute(insert(removed).values(id=id, ord=place, removed_at=db_now()))

    async def note_again(self, places: Mapping[str, int]) -> None:
        """Objects are deleted that stood there; what was noted of the same ones earlier is replaced."""
        if places:
            await self._session.execute(delete(removed).where(removed.c.id.in_(places)))
            rows = [{"id": id, "ord": place} for id, place in places.items()]
            await self._session.execute(insert(removed).values(removed_at=db_now()), rows)

    async def ord_of(self, id: str) -> int | None:
        """Where a deleted object stood, if it is still known."""
        statement = select(removed.c.ord).where(removed.c.id == id)
        found: int | None = (await self._session.execute(statement)).scalar_one_or_none()
        return found

    async def forget_old(self, older_than_seconds: float) -> None:
        """Forget what was deleted long ago."""
        statement = delete(removed).where(removed.c.removed_at < db_now() - older_than_seconds)
        await self._session.execute(statement)
