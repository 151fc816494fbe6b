"""What can be done with messages."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from assistants_api.domain import ids
from assistants_api.domain.errors import InvalidRequest, NotFound, ThreadBusy
from assistants_api.domain.message import Message, MessageStatus, NewMessage
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.thread import Thread
from assistants_api.services.tool_resources import attach
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx


async def create_message(db: Database, thread_id: str, new: NewMessage, now: datetime) -> Message:
    """Add a message; refused while a run is active on the thread."""
    async with db.begin() as tx:
        thread = await tx.threads.hold(thread_id)
        active = await tx.runs.active_on(thread_id)
        if active is not None:
            raise ThreadBusy(
                f"Can't add messages to {thread_id} while a run {active.id} is active. {active.holding(now)}",
                active.id,
            )
        [message], _ = await add_messages(tx, thread, [new], now)
    return message


async def add_messages(
    tx: Tx, thread: Thread, new: Sequence[NewMessage], now: datetime
) -> tuple[list[Message], Thread]:
    """Add messages in order inside a transaction, and give their attachments to the thread's tools."""
    messages = [
        Message(
            id=ids.new("msg"),
            created_at=now,
            thread_id=thread.id,
            role=each.role,
            content=each.content,
            attachments=each.attachments,
            metadata=each.metadata,
            completed_at=now if each.role == "assistant" else None,
        )
        for each in new
    ]
    for message in messages:
        await tx.messages.add(message)
    return messages, await attach(tx, thread, new, now)


async def list_messages(
    db: Database, thread_id: str, query: PageQuery, run_id: str | None = None
) -> Page[Message]:
    """Messages of a thread by creation, those of one run if asked."""
    async with db.read() as tx:
        await tx.threads.get(thread_id)
        return await tx.messages.page(thread_id, query, run_id)


async def get_message(db: Database, thread_id: str, message_id: str) -> Message:
    """One message of this thread."""
    async with db.read() as tx:
        return await _message_of(tx, thread_id, message_id)


async def modify_message(
    db: Database, thread_id: str, message_id: str, changes: Mapping[str, Any]
) -> Message:
    """The message with the given fields replaced."""
    async with db.begin() as tx:
        await tx.threads.hold(thread_id)
        message = replace(await _message_of(tx, thread_id, message_id, for_update=True), **changes)
        await tx.messages.save(message)
    return message


async def delete_message(db: Database, thread_id: str, message_id: str) -> None:
    """Remove a message; refused while a run writes it."""
    async with db.begin() as tx:
        await tx.threads.hold(thread_id)
        message = await _message_of(tx, thread_id, message_id)
        if message.status is MessageStatus.IN_PROGRESS:
            raise InvalidRequest(f"Can't delete message {message_id} while run {message.run_id} writes it.")
        await tx.messages.remove(message_id)


async def _message_of(tx: Tx, thread_id: str, message_id: str, *, for_update: bool = False) -> Message:
    await tx.threads.get(thread_id)
    message = await tx.messages.find(message_id, for_update=for_update)
    if message is None or message.thread_id != thread_id:
        raise NotFound(f"No message found with id '{message_id}'.")
    return message
