"""Our OpenAPI document: FastAPI's, with the bodies that routes read themselves and the stream's events."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import Route

from assistants_api.api.plain_schemas import plain
from assistants_api.wire.assist import AssistRequest
from assistants_api.wire.assistants import CreateAssistantRequest, ModifyAssistantRequest
from assistants_api.wire.chat_events import CreateChatCompletionStreamResponse
from assistants_api.wire.chat_requests import CreateChatCompletionRequest, UpdateChatCompletionRequest
from assistants_api.wire.embeddings import CreateEmbeddingRequest
from assistants_api.wire.files import CompleteUploadRequest, CreateUploadRequest, FileForm, PartForm
from assistants_api.wire.messages import CreateMessageRequest, ModifyMessageRequest
from assistants_api.wire.run_events import stream_event_schema
from assistants_api.wire.runs import (
    CreateRunRequest,
    CreateThreadAndRunRequest,
    ModifyRunRequest,
    SubmitToolOutputsRunRequest,
)
from assistants_api.wire.searches import VectorStoreSearchRequest
from assistants_api.wire.threads import CreateThreadRequest, ModifyThreadRequest
from assistants_api.wire.vector_stores import (
    CreateVectorStoreFileBatchRequest,
    CreateVectorStoreFileRequest,
    CreateVectorStoreRequest,
    UpdateVectorStoreFileAttributesRequest,
    UpdateVectorStoreRequest,
)

_BODIES = (
    AssistRequest,
    CompleteUploadRequest,
    CreateAssistantRequest,
    CreateChatCompletionRequest,
    CreateChatCompletionStreamResponse,
    CreateEmbeddingRequest,
    CreateMessageRequest,
    CreateRunRequest,
    CreateThreadAndRunRequest,
    CreateThreadRequest,
    CreateUploadRequest,
    CreateVectorStoreFileBatchRequest,
    CreateVectorStoreFileRequest,
    CreateVectorStoreRequest,
    FileForm,
    ModifyAssistantRequest,
    ModifyMessageRequest,
    ModifyRunRequest,
    ModifyThreadRequest,
    PartForm,
    SubmitToolOutputsRunRequest,
    UpdateChatCompletionRequest,
    UpdateVectorStoreFileAttributesRequest,
    UpdateVectorStoreRequest,
    VectorStoreSearchRequest,
)
_BETA_HEADER = {
    "name": "OpenAI-Beta",
    "in": "header",
    "required": False,
    "description": "`assistants=v2`; the operations on assistants and threads refuse to work without it.",
    "schema": {"type": "string", "enum": ["assistants=v2"], "default": "assistants=v2"},
}


def install(app: FastAPI) -> None:
    """Serve the finished document at /openapi.json."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _build(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
    routes = app.router.routes
    [own] = [each for each in routes if isinstance(each, Route) and each.path == app.openapi_url]

    async def served(request: Request) -> Response:
        await run_in_threadpool(document)  # the first time it takes half a second: nobody is to wait for that
        response: Response = await own.endpoint(request)
        return response

    routes[routes.index(own)] = Route(own.path, served, include_in_schema=False)


def _build(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    schemas: dict[str, Any] = document["components"]["schemas"]
    models: list[type[BaseModel]] = [*_BODIES, stream_event_schema()]
    _, extra = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    for name, schema in extra["$defs"].items():
        schemas.setdefault(name, schema)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "post":
                for status in ("409", "422"):
                    operation["responses"].pop(status, None)
            operation.pop("x-query-prefix", None)
            if path.startswith(("/v1/assistants", "/v1/threads")) and not path.endswith("/events"):
                operation.setdefault("parameters", []).append(_BETA_HEADER)
    document["components"]["securitySchemes"] = {"ApiKeyAuth": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"ApiKeyAuth": []}]
    return plain(document)
