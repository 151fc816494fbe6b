"""Messages over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from assistants_api.api.given import Given, MessageId, Now, PageGiven, ThreadId, path_ids, read_body
from assistants_api.api.replies import page_reply, reply
from assistants_api.api.routing import StrictRoute, both, takes
from assistants_api.services import messages
from assistants_api.wire.messages import (
    CreateMessageRequest,
    DeleteMessageResponse,
    ListMessagesResponse,
    MessageObject,
    ModifyMessageRequest,
)

router = APIRouter(prefix="/threads/{thread_id}/messages", tags=["Messages"], route_class=StrictRoute)
_THREAD = path_ids("thread_id")
_ID = path_ids("thread_id", "message_id")


@router.post(
    "",
    operation_id="createMessage",
    response_model=MessageObject,
    openapi_extra=both(_THREAD, takes(CreateMessageRequest)),
)
async def create_message(thread_id: ThreadId, request: Request, given: Given, now: Now) -> Response:
    """Add a message to a thread."""
    body = await read_body(request, CreateMessageRequest)
    new = body.to_new_message()
    return reply(MessageObject.of(await messages.create_message(given.db, thread_id, new, now)))


@router.get("", operation_id="listMessages", response_model=ListMessagesResponse, openapi_extra=_THREAD)
async def list_messages(
    thread_id: ThreadId,
    given: Given,
    query: PageGiven,
    run_id: Annotated[str | None, Query(description="Only messages that this run wrote.")] = None,
) -> Response:
    """List the messages of a thread."""
    page = await messages.list_messages(given.db, thread_id, query, run_id)
    return page_reply(ListMessagesResponse, MessageObject, page)


@router.get("/{message_id}", operation_id="getMessage", response_model=MessageObject, openapi_extra=_ID)
async def get_message(thread_id: ThreadId, message_id: MessageId, given: Given) -> Response:
    """Retrieve a message."""
    return reply(MessageObject.of(await messages.get_message(given.db, thread_id, message_id)))


@router.post(
    "/{message_id}",
    operation_id="modifyMessage",
    response_model=MessageObject,
    openapi_extra=both(_ID, takes(ModifyMessageRequest)),
)
async def modify_message(
    thread_id: ThreadId, message_id: MessageId, request: Request, given: Given
) -> Response:
    """Change the metadata of a message."""
    body = await read_body(request, ModifyMessageRequest, may_be_absent=True)
    changed = await messages.modify_message(given.db, thread_id, message_id, body.changes())
    return reply(MessageObject.of(changed))


@router.delete(
    "/{message_id}",
    operation_id="deleteMessage",
    response_model=DeleteMessageResponse,
    openapi_extra=_ID,
)
async def delete_message(thread_id: ThreadId, message_id: MessageId, given: Given) -> Response:
    """Delete a message."""
    await messages.delete_message(given.db, thread_id, message_id)
    return reply(DeleteMessageResponse(id=message_id, object="thread.message.deleted", deleted=True))
