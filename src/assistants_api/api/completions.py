"""Chat completions over HTTP, each as an object or as a stream, and the stored ones."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from assistants_api.api.following import followed
from assistants_api.api.given import Given, Now, metadata_wanted, read_body
from assistants_api.api.parts import Parts
from assistants_api.api.replies import reply
from assistants_api.api.routing import METADATA_FILTER, StrictRoute, takes
from assistants_api.domain.errors import NotFound
from assistants_api.domain.page import Page, PageQuery
from assistants_api.services import completions
from assistants_api.wire.chat_requests import (
    CreateChatCompletionRequest,
    DeploymentChatCompletionRequest,
    UpdateChatCompletionRequest,
)
from assistants_api.wire.completions import (
    ChatCompletionObject,
    DeleteChatCompletionResponse,
    ListChatCompletionMessagesResponse,
    ListChatCompletionsResponse,
    StoredMessage,
)

router = APIRouter(prefix="/chat/completions", tags=["Chat"], route_class=StrictRoute)
# Azure clients name the model in the path of those operations that ask one.
deployments = APIRouter(prefix="/deployments", route_class=StrictRoute)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The completion, or with `stream: true` its chunks; `ErrorResponse` if it breaks.",
        "content": {
            "text/event-stream": {
                "schema": {"$ref": "#/components/schemas/CreateChatCompletionStreamResponse"}
            }
        },
    }
}

Limit = Annotated[int, Query(ge=1, le=100, description="How many to return.")]
Order = Annotated[Literal["asc", "desc"], Query(description="By creation.")]
After = Annotated[str | None, Query(description="The id after which the page begins.")]


@router.post(
    "",
    operation_id="createChatCompletion",
    response_model=ChatCompletionObject,
    responses=_STREAM,
    openapi_extra=takes(CreateChatCompletionRequest),
)
async def create_chat_completion(request: Request, given: Given, now: Now) -> Response:
    """Answer messages."""
    body = await read_body(request, CreateChatCompletionRequest)
    return await _answer(request, given, now, body)


@deployments.post("/{deployment:path}/chat/completions", include_in_schema=False)
async def create_chat_completion_at(deployment: str, request: Request, given: Given, now: Now) -> Response:
    """The same, with the model named in the path."""
    body = await read_body(request, DeploymentChatCompletionRequest)
    return await _answer(request, given, now, body.model_copy(update={"model": deployment}))


@router.get(
    "",
    operation_id="listChatCompletions",
    response_model=ListChatCompletionsResponse,
    openapi_extra=METADATA_FILTER,
)
async def list_chat_completions(
    request: Request,
    given: Given,
    model: Annotated[str | None, Query(description="Only those of this model.")] = None,
    limit: Limit = 20,
    order: Order = "asc",
    after: After = None,
) -> Response:
    """List stored completions, those whose metadata has every `metadata[key]=value` given."""
    query = PageQuery(limit, order, after)
    page = await completions.list_completions(given.db, query, model, metadata_wanted(request))
    data = [ChatCompletionObject.stored(completion, given.fingerprint) for completion in page.data]
    return reply(ListChatCompletionsResponse.over(data, page.has_more))


@router.get("/{completion_id}", operation_id="getChatCompletion", response_model=ChatCompletionObject)
async def get_chat_completion(completion_id: str, given: Given) -> Response:
    """Retrieve a stored completion."""
    completion = await completions.get_completion(given.db, completion_id)
    return reply(ChatCompletionObject.stored(completion, given.fingerprint))


@router.post(
    "/{completion_id}",
    operation_id="updateChatCompletion",
    response_model=ChatCompletionObject,
    openapi_extra=takes(UpdateChatCompletionRequest),
)
async def update_chat_completion(completion_id: str, request: Request, given: Given) -> Response:
    """Change the metadata of a stored completion."""
    body = await read_body(request, UpdateChatCompletionRequest)
    changed = await completions.update_completion(given.db, completion_id, body.changes())
    return reply(ChatCompletionObject.stored(changed, given.fingerprint))


@router.delete(
    "/{completion_id}", operation_id="deleteChatCompletion", response_model=DeleteChatCompletionResponse
)
async def delete_chat_completion(completion_id: str, given: Given) -> Response:
    """Delete a stored completion."""
    await completions.delete_completion(given.db, completion_id)
    gone = DeleteChatCompletionResponse(id=completion_id, object="chat.completion.deleted", deleted=True)
    return reply(gone)


@router.get(
    "/{completion_id}/messages",
    operation_id="getChatCompletionMessages",
    response_model=ListChatCompletionMessagesResponse,
)
async def get_chat_completion_messages(
    completion_id: str, given: Given, limit: Limit = 20, order: Order = "asc", after: After = None
) -> Response:
    """List the messages that a stored completion answers."""
    completion = await completions.get_completion(given.db, completion_id)
    messages = [StoredMessage.at(completion, place) for place in range(len(completion.messages))]
    page = _page(messages, PageQuery(limit, order, after))
    return reply(ListChatCompletionMessagesResponse.over(page.data, page.has_more))


async def _answer(request: Request, given: Parts, now: Now, body: CreateChatCompletionRequest) -> Response:
    completion = await completions.create_completion(
        given.db,
        body.to_new_completion(),
        given.catalogue,
        given.engine.describe(),
        given.limits,
        now,
    )
    return await followed(
        request, given, completion, is_stream=bool(body.stream), shows_usage=body.shows_usage
    )


def _page(messages: list[StoredMessage], query: PageQuery) -> Page[StoredMessage]:
    if query.order == "desc":
        messages.reverse()
    start = 0
    if query.after is not None:
        places = [place for place, message in enumerate(messages) if message.id == query.after]
        if not places:
            raise NotFound(f"No message found with id '{query.after}'.", param="after")
        start = places[0] + 1
    end = start + query.limit
    return Page(messages[start:end], has_more=end < len(messages))
