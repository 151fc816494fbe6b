"""Assistants."""

from sqlalchemy import literal

from assistants_api.domain.assistant import Assistant
from assistants_api.domain.page import Page, PageQuery
from assistants_api.store import tables
from assistants_api.store.columns import json_text
from assistants_api.store.tool_resources import HasToolResources


class Assistants(HasToolResources[Assistant]):
    """The table of assistants."""

    table = tables.assistants
    kind = Assistant
    noun = "assistant"

    async def page(self, query: PageQuery) -> Page[Assistant]:
        """Assistants by creation."""
        return await self._page(query)

    async def named(self, metadata_key: str, metadata_value: str) -> Assistant | None:
        """The oldest assistant whose metadata has this pair."""
        statement = (
            self._select()
            .where(json_text(self.table.c.metadata, literal(metadata_key)) == metadata_value)
            .order_by(self.table.c.ord)
            .limit(1)
        )
        row = (await self.session.execute(statement)).first()
        return None if row is None else self.thing(row)
