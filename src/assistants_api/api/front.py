"""The outermost layer: request ids, times, keys, the beta header, and the last word on our own mistakes."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Collection
from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistants_api.api.auth import KeyRing, is_foreign
from assistants_api.api.errors import answer, server_fault
from assistants_api.api.metrics import Metrics
from assistants_api.domain.errors import Problem, Unavailable
from assistants_api.wire.problems import error_body

logger = logging.getLogger(__name__)

_NEEDS_BETA = re.compile(r"^/v1/(assistants|threads)(/|$)")
_EVENTS = re.compile(r"^/v1/threads/[^/]+/runs/[^/]+/events$")
_NEEDS_KEY = re.compile(r"^/(v1|openai|assist|metrics)(/|$)")
_BASE = re.compile(r"^/+(?:openai/+)?(?:v1/+)?")
_ROOTS = ("/openai/v1", "/openai", "/v1")
_METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"})
_BETA_MISSING = (
    "You must provide the 'OpenAI-Beta' header to access the Assistants API."
    " Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
)
_BETA_V1 = (
    "The v1 Assistants API has been deprecated."
    " Please try again by setting the header 'OpenAI-Beta: assistants=v2'. See the migration guide for"
    " more information: https://platform.openai.com/docs/assistants/migration."
)
_FOREIGN = (
    "A page of another host asks, and this server has no API key: set ASSISTANTS_API_KEYS, or name the page's"
    " origin in ASSISTANTS_CORS_ORIGINS."
)
_AZURE_DENIED = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key"
    " for an active subscription and use a correct regional API endpoint for your resource."
)


class Front:
    """Wraps the application; pure ASGI, because every request pays for it."""

    def __init__(
        self,
        app: ASGIApp,
        keys: KeyRing,
        metrics: Metrics,
        stopping: asyncio.Event,
        origins: Collection[str] = (),
    ) -> None:
        """`origins` are those of the pages that may ask though they are another host's."""
        self._app = app
        self._keys = keys
        self._origins = origins
        self._metrics = metrics
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = "req_" + secrets.token_hex(16)
        scope["path"] = _tidy(scope["path"])
        path: str = scope["path"]
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                spent = time.perf_counter() - began
                headers = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"openai-processing-ms", str(int(spent * 1000)).encode()),
                ]
                if self._stopping.is_set():
                    # No connection that a balancer keeps may be cut under its next request.
                    headers.append((b"connection", b"close"))
                if path.startswith(("/v1", "/openai")):
                    headers.append((b"openai-organization", b"assistants-api"))
                    if status < 500:
                        headers.append((b"openai-version", b"2020-10-01"))
                message = {**message, "headers": headers}
                route = _label(scope, path)
                # A label for every word that a caller may make up would never be freed.
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._metrics.seconds.labels(method, route).observe(spent)
                self._metrics.requests.labels(method, route, status).inc()
            await send(message)

        self._metrics.open.inc()
        try:
            refusal = await self._refuse(scope, path)
            if refusal is not None:
                await refusal(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        except Exception as error:
            if isinstance(error, Unavailable):
                logger.warning("request %s was refused: %s", request_id, error.message)
            else:
                logger.exception("request %s failed", request_id)
            if status == 0:
                fault = (
                    answer(error) if isinstance(error, Problem) else server_fault(request_id, scope["method"])
                )
                await fault(scope, receive, sending)
        finally:
            self._metrics.open.dec()

    async def _refuse(self, scope: Scope, path: str) -> JSONResponse | None:
        if "\x00" in path or b"%00" in scope["query_string"]:
            return JSONResponse(error_body("The URL holds a NUL character."), 400)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        is_preflight = scope["method"] == "OPTIONS" and b"access-control-request-method" in headers
        if not _NEEDS_KEY.match(path) or is_preflight:
            return None
        refused = await self._keys.refusal(headers)
        if refused is not None:
            return _denied(path, *refused)
        if self._keys.is_open and is_foreign(headers, self._origins):
            return JSONResponse(error_body(_FOREIGN, code="foreign_page"), 403)
        if _NEEDS_BETA.match(path) and not _EVENTS.match(path):
            lines = [value for name, value in scope["headers"] if name == b"openai-beta"]
            return _beta_problem(b",".join(lines).decode("latin-1"))
        return None


def _label(scope: Scope, path: str) -> str:
    """The route's template under its root; never the path itself, which would be a label per object."""
    template: str | None = getattr(scope.get("route"), "path", None)
    if template is None:
        return "unmatched"
    root = next((root for root in _ROOTS if path.startswith(root + "/")), "")
    return template if template.startswith(root) and root else root + template


def _denied(path: str, message: str, code: str | None) -> JSONResponse:
    if path.startswith("/openai"):
        body: dict[str, Any] = {"error": {"code": "401", "message": _AZURE_DENIED}}
        return JSONResponse(body, 401)
    # A browser without JavaScript gives its key as the password of basic authentication.
    ways = 'Basic realm="assistants-api", Bearer' if path == "/assist" else "Bearer"
    return JSONResponse(error_body(message, code=code), 401, {"www-authenticate": ways})


def _beta_problem(value: str) -> JSONResponse | None:
    named = {part.strip() for part in value.split(",")}
    if "assistants=v2" in named:
        return None
    message = _BETA_V1 if "assistants=v1" in named else _BETA_MISSING
    return JSONResponse(error_body(message, code="invalid_beta"), 400)


def _tidy(path: str) -> str:
    """One slash where a client joined its base and a path, none at the end.

    Two in the middle are left: there an id is empty, and `/threads//runs` is not `/threads/runs`.
    """
    if "//" in path:
        path = _BASE.sub(lambda base: re.sub(r"/{2,}", "/", base[0]), path)
    return path.rstrip("/") or "/"
