"""What the tables of assistants and threads share: the files that their tools work on."""

from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Text

from assistants_api.store.repository import Repository

T = TypeVar("T")


class HasToolResources(Repository[T]):
    """A table with a column `tool_resources`."""

    async def drop_file(self, file_id: str) -> None:
        """Take a file out of every `tool_resources` of this table that names it."""
        c = self.table.c
        naming = self._select().where(c.tool_resources.cast(Text).contains(f'"{file_id}"'))
        for row in (await self.session.execute(naming)).all():
            thing: Any = self.thing(row)
            resources = {
                tool: {
                    name: [id for id in value if id != file_id] if name == "file_ids" else value
                    for name, value in resource.items()
                }
                for tool, resource in thing.tool_resources.items()
            }
            await self.save(replace(thing, tool_resources=resources))
