"""The application: every router under every root, behind the front."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from assistants_api.api import (
    assist,
    assistants,
    completions,
    document,
    embeddings,
    errors,
    files,
    front,
    health,
    later,
    messages,
    models,
    page,
    runs,
    steps,
    threads,
    uploads,
    vector_stores,
)
from assistants_api.api.auth import KeyRing
from assistants_api.api.counts import Counting
from assistants_api.api.metrics import Metrics
from assistants_api.api.parts import Parts
from assistants_api.api.routing import ERRORS

_DESCRIPTION = """\
The OpenAI Assistants API v2, served by yourself. Point any official SDK's `base_url` at `/v1`.

Operations that are not part of that API are marked as extensions.
"""


# What the SDKs read: all of it must be named, or a browser hides it from them.
_EXPOSED = (
    "content-disposition",
    "openai-poll-after-ms",
    "retry-after",
    "retry-after-ms",
    "x-request-id",
    "x-should-retry",
)

# Runs come before threads: `/threads/runs` would be taken for the thread named "runs".
SERVED = (
    assistants,
    runs,
    threads,
    steps,
    messages,
    completions,
    files,
    vector_stores,
    uploads,
    embeddings,
    models,
)


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
    app.state.metrics = metrics = Metrics(parts.models)
    app.state.counting = Counting(parts.db)
    errors.install(app)
    document.install(app)
    app.include_router(health.router)
    # Each router is included by itself: every level of nesting is searched again for every request.
    protocol = (*(part.router for part in SERVED), later.router())
    for part in protocol:
        app.include_router(part, prefix="/v1", responses=ERRORS)
    # Azure-style clients: the same operations with `api-version` and `api-key`, and no beta header.
    for root in ("/openai", "/openai/v1"):
        for part in protocol:
            app.include_router(part, prefix=root, include_in_schema=False)
        for part in (completions, embeddings):
            app.include_router(part.deployments, prefix=root)
    app.include_router(assist.router, responses=ERRORS)
    app.include_router(assist.router, prefix="/v1", include_in_schema=False)
    page.install(app)
    app.add_middleware(
        front.Front,
        keys=KeyRing(parts.db, parts.api_keys),
        metrics=metrics,
        stopping=parts.stopping,
        origins=parts.cors_origins,
    )
    if parts.cors_origins:  # outermost, so that a browser may read refusals too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(parts.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=_EXPOSED,
        )
    return app
