"""Threads over HTTP."""

from fastapi import APIRouter, Request, Response

from assistants_api.api.given import (
    Given,
    Now,
    PageGiven,
    ThreadId,
    metadata_wanted,
    path_ids,
    read_body,
)
from assistants_api.api.replies import page_reply, reply
from assistants_api.api.routing import METADATA_FILTER, StrictRoute, both, takes
from assistants_api.services import threads
from assistants_api.wire.threads import (
    CreateThreadRequest,
    DeleteThreadResponse,
    ListThreadsResponse,
    ModifyThreadRequest,
    ResetCodeSessionResponse,
    ThreadObject,
)

router = APIRouter(prefix="/threads", tags=["Threads"], route_class=StrictRoute)
_ID = path_ids("thread_id")


@router.post(
    "",
    operation_id="createThread",
    response_model=ThreadObject,
    openapi_extra=takes(CreateThreadRequest, is_required=False),
)
async def create_thread(request: Request, given: Given, now: Now) -> Response:
    """Create a thread."""
    body = await read_body(request, CreateThreadRequest, may_be_absent=True)
    return reply(ThreadObject.of(await threads.create_thread(given.db, body.to_new_thread(), now)))


@router.get("", operation_id="listThreads", response_model=ListThreadsResponse, openapi_extra=METADATA_FILTER)
async def list_threads(request: Request, given: Given, query: PageGiven) -> Response:
    """List threads, those whose metadata has every `metadata[key]=value` given. An extension."""
    wanted = metadata_wanted(request)
    return page_reply(ListThreadsResponse, ThreadObject, await threads.list_threads(given.db, query, wanted))


@router.get("/{thread_id}", operation_id="getThread", response_model=ThreadObject, openapi_extra=_ID)
async def get_thread(thread_id: ThreadId, given: Given) -> Response:
    """Retrieve a thread."""
    return reply(ThreadObject.of(await threads.get_thread(given.db, thread_id)))


@router.post(
    "/{thread_id}",
    operation_id="modifyThread",
    response_model=ThreadObject,
    openapi_extra=both(_ID, takes(ModifyThreadRequest)),
)
async def modify_thread(thread_id: ThreadId, request: Request, given: Given, now: Now) -> Response:
    """Change the given fields of a thread."""
    body = await read_body(request, ModifyThreadRequest, may_be_absent=True)
    return reply(ThreadObject.of(await threads.modify_thread(given.db, thread_id, body.changes(), now)))


@router.delete(
    "/{thread_id}", operation_id="deleteThread", response_model=DeleteThreadResponse, openapi_extra=_ID
)
async def delete_thread(thread_id: ThreadId, given: Given) -> Response:
    """Delete a thread with its messages and runs."""
    await threads.delete_thread(given.db, thread_id)
    return reply(DeleteThreadResponse(id=thread_id, object="thread.deleted", deleted=True))


@router.delete(
    "/{thread_id}/code_session",
    operation_id="resetCodeSession",
    response_model=ResetCodeSessionResponse,
    openapi_extra=_ID,
)
async def reset_code_session(thread_id: ThreadId, given: Given) -> Response:
    """End the thread's code_interpreter session: its variables, imports and files. An extension."""
    await threads.reset_code_session(given.db, thread_id)
    return reply(ResetCodeSessionResponse(id=thread_id, object="thread.code_session.deleted", deleted=True))
