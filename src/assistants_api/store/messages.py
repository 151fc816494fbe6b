"""Messages."""

from sqlalchemy import exists, select

from assistants_api.domain.message import Message, MessageStatus
from assistants_api.domain.page import Page, PageQuery
from assistants_api.store import tables
from assistants_api.store.repository import Repository


class Messages(Repository[Message]):
    """The table of messages."""

    table = tables.messages
    kind = Message
    noun = "message"

    async def page(self, thread_id: str, query: PageQuery, run_id: str | None = None) -> Page[Message]:
        """Messages of a thread by creation, those of one run if asked."""
        if run_id is None:
            return await self._page(query, thread_id=thread_id)
        return await self._page(query, thread_id=thread_id, run_id=run_id)

    async def has_user_message(self, thread_id: str) -> bool:
        """Whether any user message is in the thread."""
        c = self.table.c
        statement = select(exists().where(c.thread_id == thread_id, c.role == "user"))
        return bool((await self.session.execute(statement)).scalar_one())

    async def newest(self, thread_id: str, *, limit: int, before: str | None = None) -> list[Message]:
        """Up to `limit` messages, newest first, older than `before` if given."""
        return list((await self._page(PageQuery(limit, "desc", after=before), thread_id=thread_id)).data)

    async def of_run(self, run_id: str) -> list[Message]:
        """What a run wrote, oldest first."""
        statement = self._select().where(self.table.c.run_id == run_id).order_by(self.table.c.ord)
        return [self.thing(row) for row in await self.session.execute(statement)]

    async def open_of(self, run_id: str, *, for_update: bool = False) -> Message | None:
        """The message that a run is writing; `for_update` holds its row until the transaction ends."""
        c = self.table.c
        statement = self._select().where(c.run_id == run_id, c.status == MessageStatus.IN_PROGRESS)
        if for_update:
            statement = statement.with_for_update()
        row = (await self.session.execute(statement)).first()
        return None if row is None else self.thing(row)
