"""Threads."""

from collections.abc import Mapping

from sqlalchemy import literal

from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.thread import Thread
from assistants_api.store import tables
from assistants_api.store.columns import json_text
from assistants_api.store.tool_resources import HasToolResources


class Threads(HasToolResources[Thread]):
    """The table of threads."""

    table = tables.threads
    kind = Thread
    noun = "thread"

    async def page(self, query: PageQuery, metadata: Mapping[str, str]) -> Page[Thread]:
        """Threads by creation whose metadata has every given pair."""
        conditions = [
            json_text(self.table.c.metadata, literal(key)) == value for key, value in metadata.items()
        ]
        return await self._page(query, *conditions)
