"""What tools work on: ids are checked, stores that are asked for are made, files are attached."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from assistants_api.domain.assistant import NO_RESOURCES
from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.file import File, refuse_unsearchable
from assistants_api.domain.json import JsonObject
from assistants_api.domain.message import NewMessage
from assistants_api.domain.thread import Thread
from assistants_api.domain.vector_store import (
    THREAD_STORE_EXPIRY,
    NewStoreFile,
    NewVectorStore,
    VectorStore,
)
from assistants_api.services.vector_stores import add_files, add_store
from assistants_api.store.transaction import Tx

MAX_CODE_FILES = 20


async def settled(
    tx: Tx, resources: JsonObject, now: datetime, *, expiry: JsonObject | None = None
) -> JsonObject:
    """`tool_resources` as they are stored: every id checked, every `vector_stores` helper made a store.

    `expiry` is the `expires_after` of stores that are made.
    """
    stored: dict[str, Any] = {
        name: {**NO_RESOURCES[name], **{key: given for key, given in value.items() if given is not None}}
        for name, value in resources.items()
    }
    await _check(tx, stored)
    helpers: Sequence[NewVectorStore] = stored.get("file_search", {}).pop("vector_stores", None) or ()
    if helpers:
        made = [await add_store(tx, replace(helper, expires_after=expiry), now) for helper in helpers]
        stored["file_search"]["vector_store_ids"] = [store.id for store in made]
    return stored


async def changed(tx: Tx, before: JsonObject, changes: Mapping[str, Any] | None) -> JsonObject:
    """`tool_resources` after a change: lists that are given replace the old ones; null takes them away."""
    if changes is None:
        return {}
    given = {
        name: {key: ids or [] for key, ids in value.items()}
        for name, value in changes.items()
        if value is not None
    }
    await _check(tx, given)
    kept = {name: value for name, value in before.items() if changes.get(name, value) is not None}
    return kept | {
        name: {**NO_RESOURCES[name], **before.get(name, {}), **value} for name, value in given.items()
    }


async def _check(tx: Tx, resources: Mapping[str, Any]) -> None:
    """`NotFound` when a file or a store is not there."""
    if files := resources.get("code_interpreter", {}).get("file_ids"):
        await tx.files.all_of(files)
    if stores := resources.get("file_search", {}).get("vector_store_ids"):
        await tx.vector_stores.all_of(stores)


async def check_attachments(tx: Tx, messages: Sequence[NewMessage]) -> None:
    """`NotFound` or `InvalidRequest` when a file that messages name is not there, or not for its tool."""
    attachments = [attachment for message in messages for attachment in message.attachments]
    ids = [attachment["file_id"] for attachment in attachments if attachment.get("file_id")]
    _by_tool(attachments, await tx.files.all_of([*ids, *_images(messages)]))


async def attach(tx: Tx, thread: Thread, messages: Sequence[NewMessage], now: datetime) -> Thread:
    """The thread with the messages' attachments in its tools: the store is made if there is none."""
    attachments = [attachment for message in messages for attachment in message.attachments]
    if images := _images(messages):
        await tx.files.all_of(images)
    if not attachments:
        return thread
    ids = [attachment["file_id"] for attachment in attachments if attachment.get("file_id")]
    files = await tx.files.all_of(ids)
    searched, coded = _by_tool(attachments, files)
    resources: dict[str, Any] = {name: dict(value) for name, value in thread.tool_resources.items()}
    if coded:
        code = resources.setdefault("code_interpreter", {})
        code["file_ids"] = list(dict.fromkeys([*code.get("file_ids", ()), *coded]))
        if len(code["file_ids"]) > MAX_CODE_FILES:
            raise InvalidRequest(
                f"A thread's code interpreter takes at most {MAX_CODE_FILES} files.",
                param="attachments",
                code="array_above_max_length",
            )
    if searched:
        new = [NewStoreFile(file_id) for file_id in searched]
        search = resources.setdefault("file_search", {})
        store = await _store_of(tx, search)
        if store is None:
            made = await add_store(
                tx, NewVectorStore(files=tuple(new), expires_after=THREAD_STORE_EXPIRY), now
            )
            search["vector_store_ids"] = [made.id]
        else:
            store.must_be_alive(now)
            known = [each for each in new if await tx.store_files.find_in(store.id, each.file_id) is None]
            await add_files(tx, store.id, known, now)
    changed = replace(thread, tool_resources=resources)
    if changed != thread:
        await tx.threads.save(changed)
    return changed


async def touch_stores(tx: Tx, ids: Sequence[str], now: datetime) -> None:
    """These stores are in use: their expiry is counted from now."""
    alive = [store.id for store in await tx.vector_stores.existing(ids) if not store.is_expired(now)]
    if alive:
        await tx.vector_stores.use(alive, now)


def _images(messages: Sequence[NewMessage]) -> list[str]:
    """The files that messages show as images."""
    parts = [part for message in messages for part in message.content if part["type"] == "image_file"]
    return [part["image_file"]["file_id"] for part in parts]


async def _store_of(tx: Tx, search: JsonObject) -> VectorStore | None:
    for id in search.get("vector_store_ids") or ():
        store = await tx.vector_stores.find(id, for_update=True)
        if store is not None:
            return store
    return None


def _by_tool(attachments: Sequence[JsonObject], files: dict[str, File]) -> tuple[list[str], list[str]]:
    """The file ids for file search and for the code interpreter, each once."""
    searched: dict[str, None] = {}
    coded: dict[str, None] = {}
    for attachment in attachments:
        for tool in attachment.get("tools") or ():
            wanted = coded if tool["type"] == "code_interpreter" else searched
            wanted[attachment["file_id"]] = None
    refuse_unsearchable((files[id] for id in searched), "attachments")
    return list(searched), list(coded)
