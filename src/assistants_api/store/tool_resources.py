"""What the tables of assistants and threads share: the files and stores that their tools work on."""

from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Text

from assistants_api.store.repository import Repository

T = TypeVar("T")


class HasToolResources(Repository[T]):
    """A table with a column `tool_resources`."""

    async def drop(self, id: str) -> None:
        """Take a file or a store that is no more out of every list of this table that names it."""
        c = self.table.c
        naming = self._select().where(c.tool_resources.cast(Text).contains(f'"{id}"')).order_by(c.ord)
        naming = naming.with_for_update(key_share=True)  # what others change meanwhile is kept
        for row in (await self.session.execute(naming)).all():
            thing: Any = self.thing(row)
            resources = {
                tool: {name: [each for each in ids or () if each != id] for name, ids in lists.items()}
                for tool, lists in thing.tool_resources.items()
            }
            await self.save(replace(thing, tool_resources=resources))
