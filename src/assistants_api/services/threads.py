"""What can be done with threads."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from assistants_api.domain import ids
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.run import Run
from assistants_api.domain.thread import NewThread, Thread
from assistants_api.domain.vector_store import THREAD_STORE_EXPIRY
from assistants_api.services.endings import Overtaken, in_order
from assistants_api.services.messages import add_messages
from assistants_api.services.tool_resources import changed, settled
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx
from assistants_api.store.wake import channel_topic


async def create_thread(db: Database, new: NewThread, now: datetime) -> Thread:
    """A new thread with its first messages."""
    async with db.begin() as tx:
        return await add_thread(tx, new, now)


async def add_thread(tx: Tx, new: NewThread, now: datetime) -> Thread:
    """Add a thread and its messages inside a transaction."""
    resources = await settled(tx, new.tool_resources, now, expiry=THREAD_STORE_EXPIRY)
    thread = Thread(ids.new("thread"), now, resources, new.metadata)
    await tx.threads.add(thread)
    _, thread = await add_messages(tx, thread, new.messages, now)
    return thread


async def list_threads(db: Database, query: PageQuery, metadata: Mapping[str, str]) -> Page[Thread]:
    """Threads by creation whose metadata has every given pair (an extension)."""
    async with db.read() as tx:
        return await tx.threads.page(query, metadata)


async def get_thread(db: Database, thread_id: str) -> Thread:
    """One thread."""
    async with db.read() as tx:
        return await tx.threads.get(thread_id)


async def modify_thread(db: Database, thread_id: str, changes: Mapping[str, Any], now: datetime) -> Thread:
    """The thread with the given fields replaced."""
    async with db.begin() as tx:
        thread = await tx.threads.hold(thread_id)
        if "tool_resources" in changes:
            resources = await changed(tx, thread.tool_resources, changes["tool_resources"])
            changes = {**changes, "tool_resources": resources}
        thread = replace(thread, **changes)
        await tx.threads.save(thread)
    return thread


async def delete_thread(db: Database, thread_id: str) -> None:
    """Remove the thread with its messages, runs, steps and logs; a run in progress is stopped."""
    async with db.begin() as tx:

        async def hold() -> Run | None:
            before = await tx.runs.active_on(thread_id)
            held = set() if before is None else await tx.jobs.hold_of(before.id)
            await tx.threads.hold(thread_id)
            active = await tx.runs.active_on(thread_id)
            if active is not None and await tx.jobs.has_others(active.id, held):
                raise Overtaken
            return active

        active = await in_order(tx, hold)
        await tx.events.remove_of_thread(thread_id)
        if active is not None:
            await tx.jobs.revoke(active.id)
            tx.after_commit(lambda: tx.wake.send(channel_topic(active.id)))
        await tx.threads.remove(thread_id)


async def reset_code_session(db: Database, thread_id: str) -> None:
    """The next code that runs on the thread finds no variables and no files of earlier code.

    Code that is running ends in the session in which it began.
    """
    async with db.begin() as tx:
        await tx.threads.get(thread_id)
        await tx.code_sessions.reset(thread_id)
