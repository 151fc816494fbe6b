"""Assistants over HTTP."""

from fastapi import APIRouter, Request, Response

from assistants_api.api.given import AssistantId, Given, Now, PageGiven, path_ids, read_body
from assistants_api.api.replies import page_reply, reply
from assistants_api.api.routing import StrictRoute, both, takes
from assistants_api.services import assistants
from assistants_api.wire.assistants import (
    AssistantObject,
    CreateAssistantRequest,
    DeleteAssistantResponse,
    ListAssistantsResponse,
    ModifyAssistantRequest,
)

router = APIRouter(prefix="/assistants", tags=["Assistants"], route_class=StrictRoute)
_ID = path_ids("assistant_id")


@router.post(
    "",
    operation_id="createAssistant",
    response_model=AssistantObject,
    openapi_extra=takes(CreateAssistantRequest),
)
async def create_assistant(request: Request, given: Given, now: Now) -> Response:
    """Create an assistant."""
    body = await read_body(request, CreateAssistantRequest)
    new = body.to_new_assistant()
    return reply(AssistantObject.of(await assistants.create_assistant(given.db, new, given.catalogue, now)))


@router.get("", operation_id="listAssistants", response_model=ListAssistantsResponse)
async def list_assistants(given: Given, query: PageGiven) -> Response:
    """List assistants."""
    page = await assistants.list_assistants(given.db, query)
    return page_reply(ListAssistantsResponse, AssistantObject, page)


@router.get("/{assistant_id}", operation_id="getAssistant", response_model=AssistantObject, openapi_extra=_ID)
async def get_assistant(assistant_id: AssistantId, given: Given) -> Response:
    """Retrieve an assistant."""
    return reply(AssistantObject.of(await assistants.get_assistant(given.db, assistant_id)))


@router.post(
    "/{assistant_id}",
    operation_id="modifyAssistant",
    response_model=AssistantObject,
    openapi_extra=both(_ID, takes(ModifyAssistantRequest)),
)
async def modify_assistant(assistant_id: AssistantId, request: Request, given: Given, now: Now) -> Response:
    """Change the given fields of an assistant."""
    body = await read_body(request, ModifyAssistantRequest, may_be_absent=True)
    changed = await assistants.modify_assistant(given.db, assistant_id, body.changes(), given.catalogue, now)
    return reply(AssistantObject.of(changed))


@router.delete(
    "/{assistant_id}",
    operation_id="deleteAssistant",
    response_model=DeleteAssistantResponse,
    openapi_extra=_ID,
)
async def delete_assistant(assistant_id: AssistantId, given: Given) -> Response:
    """Delete an assistant; its threads and runs stay."""
    await assistants.delete_assistant(given.db, assistant_id)
    return reply(DeleteAssistantResponse(id=assistant_id, object="assistant.deleted", deleted=True))
