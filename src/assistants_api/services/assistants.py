"""What can be done with assistants."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from assistants_api.domain import ids
from assistants_api.domain.assistant import Assistant, NewAssistant
from assistants_api.domain.model import Catalogue
from assistants_api.domain.page import Page, PageQuery
from assistants_api.services.tool_resources import changed, settled
from assistants_api.store.database import Database


async def create_assistant(db: Database, new: NewAssistant, catalogue: Catalogue, now: datetime) -> Assistant:
    """A new assistant; its model keeps the name that the caller gave, which must be a served one."""
    catalogue.resolve(new.model)
    given = {field.name: getattr(new, field.name) for field in fields(new)}
    async with db.begin() as tx:
        given["tool_resources"] = await settled(tx, new.tool_resources, now)
        assistant = Assistant(id=ids.new("asst"), created_at=now, **given)
        await tx.assistants.add(assistant)
    return assistant


async def list_assistants(db: Database, query: PageQuery) -> Page[Assistant]:
    """Assistants by creation."""
    async with db.read() as tx:
        return await tx.assistants.page(query)


async def get_assistant(db: Database, assistant_id: str) -> Assistant:
    """One assistant."""
    async with db.read() as tx:
        return await tx.assistants.get(assistant_id)


async def modify_assistant(
    db: Database, assistant_id: str, changes: Mapping[str, Any], catalogue: Catalogue, now: datetime
) -> Assistant:
    """The assistant with the given fields replaced; runs that exist keep their snapshot."""
    if "model" in changes:
        catalogue.resolve(changes["model"])
    async with db.begin() as tx:
        assistant = await tx.assistants.hold(assistant_id)
        if "tool_resources" in changes:
            resources = await changed(tx, assistant.tool_resources, changes["tool_resources"])
            changes = {**changes, "tool_resources": resources}
        assistant = replace(assistant, **changes)
        await tx.assistants.save(assistant)
    return assistant


async def delete_assistant(db: Database, assistant_id: str) -> None:
    """Remove the assistant; its runs, messages and threads stay."""
    async with db.begin() as tx:
        await tx.assistants.remove(assistant_id)
