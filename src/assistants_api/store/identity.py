"""Who this database is: what it shares with others, such as a store of files, can tell it from them."""

from sqlalchemy import select

from assistants_api.store.session import Session
from assistants_api.store.tables import identity


class Identity:
    """The one row that every database is made with; a copy of a database has the same."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def id(self) -> str:
        """32 random hexadecimal digits."""
        found: str = (await self._session.execute(select(identity.c.id))).scalar_one()
        return found
