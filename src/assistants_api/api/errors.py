"""From what went wrong to a status and the envelope: one short table, and nothing else ever leaves."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from assistants_api.api.given import MAX_BODY_BYTES, BodyCut, BodyTooLarge
from assistants_api.domain.errors import (
    EngineFailed,
    InvalidRequest,
    KeyInUse,
    KeyReused,
    NotFound,
    Problem,
    TooManyRequests,
    Unavailable,
)
from assistants_api.wire.problems import error_body, problem_of

logger = logging.getLogger(__name__)

STATUS: dict[type[Problem], tuple[int, str]] = {
    InvalidRequest: (400, "invalid_request_error"),
    NotFound: (404, "invalid_request_error"),
    KeyInUse: (409, "invalid_request_error"),
    KeyReused: (422, "invalid_request_error"),
    TooManyRequests: (429, "requests"),
    Unavailable: (503, "server_error"),
    EngineFailed: (502, "server_error"),
}


def install(app: FastAPI) -> None:
    """Answer every error with the envelope."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(BodyTooLarge, _too_large)
    app.add_exception_handler(BodyCut, _cut)


def body_of(problem: Problem) -> tuple[int, dict[str, Any]]:
    """The status and the envelope that say `problem`."""
    status, type_ = next(found for kind, found in STATUS.items() if isinstance(problem, kind))
    return status, error_body(problem.message, type=type_, param=problem.param, code=problem.code)


def answer(problem: Problem) -> JSONResponse:
    """The response that says `problem`."""
    status, body = body_of(problem)
    headers: dict[str, str] = {}
    if isinstance(problem, TooManyRequests):
        headers["retry-after"] = str(problem.retry_after)
    if isinstance(problem, EngineFailed):
        headers["x-should-retry"] = "false"
    if isinstance(problem, Unavailable | KeyInUse):
        headers["retry-after"] = "1"
    return JSONResponse(body, status, headers)


def server_fault(request_id: str, method: str) -> JSONResponse:
    """The answer to our own mistakes: no traceback, but the id to find it by.

    SDKs send a request again after a 500; what may have had an effect must not be sent twice.
    """
    message = (
        "The server had an error processing your request. Sorry about that! If it happens again, please"
        f" report it with the request id {request_id}."
    )
    headers = None if method == "GET" else {"x-should-retry": "false"}
    return JSONResponse(error_body(message, type="server_error"), 500, headers)


def unknown_url(method: str, path: str) -> JSONResponse:
    """There is no such route."""
    if path.startswith(("/v1/", "/openai/")):
        return JSONResponse(error_body(f"Invalid URL ({method} {path})"), 404)
    message = (
        f"Unknown request URL: {method} {path}. Please check the URL for typos, or see the docs at"
        " https://platform.openai.com/docs/api-reference/."
    )
    return JSONResponse(error_body(message, code="unknown_url"), 404)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return answer(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = dict(error.errors()[0])
    first["loc"] = first["loc"][1:]
    return answer(problem_of(first, dict(request.query_params)))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    if error.status_code == 404:
        return unknown_url(request.method, path)
    if error.status_code == 405:
        body = error_body(f"Invalid method for URL ({request.method} {path})")
        return JSONResponse(body, 405, headers={"allow": ", ".join(_methods_of(request))})
    return JSONResponse(error_body(str(error.detail)), error.status_code, headers=dict(error.headers or {}))


def _methods_of(request: Request) -> list[str]:
    """The methods that the request's path has, which may be those of several routes."""
    return [
        method
        for method in ("DELETE", "GET", "POST")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


async def _too_large(request: Request, error: Exception) -> JSONResponse:
    message = f"The body of your request is larger than {MAX_BODY_BYTES} bytes."
    # What is left of the body is not read, so the connection cannot be used again.
    return JSONResponse(error_body(message, code="request_too_large"), 413, {"connection": "close"})


async def _cut(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(error_body("The request ended before its body."), 400)
