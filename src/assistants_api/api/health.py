"""Is the server alive, is it ready, and what has it done."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from assistants_api.api.counts import Counting
from assistants_api.api.given import Given
from assistants_api.api.metrics import Metrics
from assistants_api.domain.errors import Unavailable
from assistants_api.domain.job import JobKind

router = APIRouter(tags=["Operations"], include_in_schema=False)


@router.api_route("/health/live", methods=["GET", "HEAD"])
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.api_route("/health/ready", methods=["GET", "HEAD"])
async def ready(request: Request, given: Given) -> JSONResponse:
    """The database answers and the model is loaded; 503 while that is not so, or while the server stops."""
    facts = given.engine.describe()
    database: dict[str, Any] = given.db.describe()
    runs: dict[str, int] = {}
    completions: dict[str, int] = {}
    counting: Counting = request.app.state.counting
    try:
        counts = await counting.read()
        runs = {**counts.runs, "waiting": counts.waiting.get(JobKind.RUN, 0)}
        completions = {
            "open": counts.completions,
            "waiting": counts.waiting.get(JobKind.COMPLETION, 0),
        }
        database["state"] = "ready"
    except Unavailable as error:
        database |= {"state": "failed", "reason": error.message}
    # A server without a worker has no model of its own to wait for.
    is_ready = database["state"] == "ready" and (facts.state == "ready" or not given.has_worker)
    is_stopping = given.stopping.is_set()
    is_ready = is_ready and not is_stopping
    body = {
        "status": "ready" if is_ready else "stopping" if is_stopping else "not ready",
        "version": given.version,
        "engine": asdict(facts),
        "database": database,
        "runs": runs,
        "completions": completions,
        "sandbox": None if given.sandbox is None else asdict(given.sandbox()),
        "embedder": given.embedder.describe(),
        "search": given.searcher.describe(),
        "blobs": given.blobs.describe(),
    }
    return JSONResponse(body, 200 if is_ready else 503)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Counters and histograms for Prometheus."""
    counted: Metrics = request.app.state.metrics
    await counted.read(request.app.state.counting)
    return Response(generate_latest(counted.registry), media_type=CONTENT_TYPE_LATEST)
