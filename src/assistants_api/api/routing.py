"""Our router: refuses unknown query parameters by name, and documents bodies that routes read themselves."""

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic import BaseModel

from assistants_api.api import idempotency
from assistants_api.domain.errors import InvalidRequest
from assistants_api.wire.problems import ErrorResponse

# Azure clients send the first on every call, some older clients the second.
_TOLERATED = frozenset({"api-version", "beta"})
_NUMBERED = re.compile(rb"(?:\[|%5B)\d+(?:\]|%5D)=", re.IGNORECASE)  # PHP's way to write lists in a query

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": words}
    for status, words in {
        400: "The request is wrong; the error names the parameter.",
        401: "The API key is missing or wrong.",
        403: "A page of another host asks, and this server has no API key.",
        404: "There is no such object.",
        409: "A request with this `Idempotency-Key` is still being answered.",
        413: "The body is too large.",
        422: "The `Idempotency-Key` stands for another request.",
        429: "Too much work is waiting; `retry-after` says when to try again.",
        500: "The server made a mistake; the error names the request id.",
        502: "The model gave no answer.",
        503: "A part that is needed is away for now.",
    }.items()
}

BYTES: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
METADATA_FILTER: dict[str, Any] = {
    "x-query-prefix": "metadata[",
    "parameters": [
        {
            "name": "metadata",
            "in": "query",
            "required": False,
            "description": "Only those whose metadata has all of these pairs.",
            "style": "deepObject",
            "explode": True,
            "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    ],
}


class StrictRoute(APIRoute):
    """A route that knows its query parameters and accepts no other."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        fields = get_flat_params(self.dependant)
        known = {field.alias for field in fields if isinstance(field.field_info, params.Query)} | _TOLERATED
        accepts = self.openapi_extra.get("x-query-prefix") if self.openapi_extra else None

        lists = any(name.endswith("[]") for name in known)

        async def strict(request: Request) -> Response:
            if request.scope["query_string"]:
                if lists:
                    request.scope["query_string"] = _NUMBERED.sub(b"[]=", request.scope["query_string"])
                for name in request.query_params:
                    if name not in known and not (accepts and name.startswith(accepts)):
                        raise InvalidRequest(
                            f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
                        )
            key = request.headers.get("idempotency-key")
            if key is None or request.method != "POST":
                return await handle(request)
            return await idempotency.once(request, key, self.operation_id or "", handle)

        return strict


def takes(model: type[BaseModel], *, is_required: bool = True) -> dict[str, Any]:
    """The document's words for a JSON body; `api.document` adds the schema itself."""
    ref = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": is_required, "content": {"application/json": {"schema": ref}}}}


def takes_form(model: type[BaseModel]) -> dict[str, Any]:
    """The document's words for a multipart form."""
    ref = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": ref}}}}


def streams(description: str) -> dict[int | str, dict[str, Any]]:
    """The document's words for a reply that is an object or, with `stream: true`, a stream of events."""
    ref = {"$ref": "#/components/schemas/AssistantStreamEvent"}
    return {200: {"description": description, "content": {"text/event-stream": {"schema": ref}}}}


def both(*extras: dict[str, Any]) -> dict[str, Any]:
    """Several pieces of `openapi_extra` as one."""
    return {key: value for extra in extras for key, value in extra.items()}
