"""The application: every router under every root, behind the front."""

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from assistants_api.api import (
    assist,
    assistants,
    completions,
    document,
    errors,
    front,
    health,
    later,
    messages,
    models,
    runs,
    steps,
    threads,
)
from assistants_api.api.auth import KeyRing
from assistants_api.api.metrics import Metrics
from assistants_api.api.parts import Parts
from assistants_api.api.routing import ERRORS

_DESCRIPTION = """\
The OpenAI Assistants API v2, served by yourself. Point any official SDK's `base_url` at `/v1`.

Operations that are not part of that API are marked as extensions.
"""


def create_app(parts: Parts) -> FastAPI:
    """The application over these parts."""
    app = FastAPI(
        title="assistants-api",
        version=parts.version,
        summary="The Assistants API v2 on your own machine, with your own model.",
        description=_DESCRIPTION,
        docs_url="/docs",
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.parts = parts
    app.state.metrics = metrics = Metrics()
    errors.install(app)
    document.install(app)
    app.include_router(health.router)
    # Each router is included by itself: every level of nesting is searched again for every request.
    for part in _protocol():
        app.include_router(part, prefix="/v1", responses=ERRORS)
    # Azure-style clients: the same operations with `api-version` and `api-key`, and no beta header.
    for root in ("/openai", "/openai/v1"):
        for part in _protocol():
            app.include_router(part, prefix=root, include_in_schema=False)
        app.include_router(completions.deployments, prefix=root)
    app.include_router(assist.router, responses=ERRORS)
    app.include_router(assist.router, prefix="/v1", include_in_schema=False)
    app.add_middleware(front.Front, keys=KeyRing(parts.db, parts.api_keys), metrics=metrics)
    if parts.cors_origins:  # outermost, so that a browser may read refusals too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(parts.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "openai-poll-after-ms", "retry-after"],
        )
    return app


def _protocol() -> tuple[APIRouter, ...]:
    # Runs come before threads: `/threads/runs` would be taken for the thread named "runs".
    parts = (assistants, runs, threads, steps, messages, completions, models)
    return (*(part.router for part in parts), later.router())
