"""Runs over HTTP, each creating route as an object or as a stream."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from assistants_api.api.given import Given, Now, PageGiven, RunId, ThreadId, path_ids, read_body
from assistants_api.api.parts import Parts
from assistants_api.api.replies import page_reply, run_reply, run_stream, stream
from assistants_api.api.routing import StrictRoute, both, streams, takes
from assistants_api.domain import ids
from assistants_api.domain.errors import Closing, InvalidRequest, NotFound
from assistants_api.domain.event import RunMoved
from assistants_api.domain.run import IfBusy, Run
from assistants_api.services import runs, traces
from assistants_api.wire.base import Request as _Wire
from assistants_api.wire.runs import (
    CreateRunRequest,
    CreateThreadAndRunRequest,
    ListRunsResponse,
    ModifyRunRequest,
    RunObject,
    SubmitToolOutputsRunRequest,
)

router = APIRouter(prefix="/threads", tags=["Runs"], route_class=StrictRoute)
_THREAD = path_ids("thread_id")
_ID = path_ids("thread_id", "run_id")

Include = Literal["step_details.tool_calls[*].file_search.results[*].content"]
IncludeGiven = Annotated[list[Include] | None, Query(alias="include[]", description="More to show in steps.")]
IncludePlain = Annotated[list[Include] | None, Query(alias="include", include_in_schema=False)]


@router.post(
    "/runs",
    operation_id="createThreadAndRun",
    response_model=RunObject,
    responses=streams("The run, or with `stream: true` its events."),
    openapi_extra=takes(CreateThreadAndRunRequest),
)
async def create_thread_and_run(request: Request, given: Given, now: Now) -> Response:
    """Create a thread and run it."""
    body = await read_body(request, CreateThreadAndRunRequest)
    ids.check("assistant_id", body.assistant_id)
    run = await runs.create_thread_and_run(
        given.db,
        body.to_new_thread(),
        body.to_new_run(),
        given.catalogue,
        given.engine.describe(),
        given.limits,
        now,
    )
    if not body.stream:
        return run_reply(run, now)
    return run_stream(given.log, run.id, on_leave=_leaving(given, run, body.cancel_on_disconnect))


@router.post(
    "/{thread_id}/runs",
    operation_id="createRun",
    response_model=RunObject,
    responses=streams("The run, or with `stream: true` its events."),
    openapi_extra=both(_THREAD, takes(CreateRunRequest)),
)
async def create_run(
    thread_id: ThreadId,
    request: Request,
    given: Given,
    now: Now,
    include: IncludeGiven = None,
    include_plain: IncludePlain = None,
    instead_of: Annotated[
        list[str] | None,
        Query(alias="instead_of[]", description="The newest messages, which go when the run begins."),
    ] = None,
) -> Response:
    """Run an assistant on a thread."""
    body = await read_body(request, CreateRunRequest)
    ids.check("assistant_id", body.assistant_id)
    run = await runs.create_run_in_turn(
        given.db,
        given.log,
        thread_id,
        body.to_new_run(),
        given.catalogue,
        given.engine.describe(),
        given.limits,
        now,
        IfBusy(body.if_busy or IfBusy.REJECT),
        instead_of or (),
    )
    if not body.stream:
        return run_reply(run, now)
    return run_stream(
        given.log,
        run.id,
        has_content=bool(include or include_plain),
        on_leave=_leaving(given, run, body.cancel_on_disconnect),
    )


@router.get(
    "/{thread_id}/runs",
    operation_id="listRuns",
    response_model=ListRunsResponse,
    openapi_extra=_THREAD,
)
async def list_runs(thread_id: ThreadId, given: Given, query: PageGiven) -> Response:
    """List the runs of a thread."""
    return page_reply(ListRunsResponse, RunObject, await runs.list_runs(given.db, thread_id, query))


@router.get("/{thread_id}/runs/{run_id}", operation_id="getRun", response_model=RunObject, openapi_extra=_ID)
async def get_run(
    thread_id: ThreadId,
    run_id: RunId,
    given: Given,
    now: Now,
    wait: Annotated[
        float | None,
        Query(
            ge=0, le=60, description="Answer when the run needs no more waiting, or after so many seconds."
        ),
    ] = None,
) -> Response:
    """Retrieve a run; with `wait` (an extension) once it ends or requires action, or the seconds are over."""
    run = await runs.get_run(given.db, thread_id, run_id)
    if wait and not run.ends_stream:
        following = given.log.follow(run_id, until_final=True)
        with suppress(TimeoutError, Closing):
            async with aclosing(following), asyncio.timeout(wait):
                async for entry in following:
                    # An action that was required earlier is among the entries: what counts is the run now.
                    if isinstance(entry.event, RunMoved) and entry.event.run.ends_stream:
                        run = await runs.get_run(given.db, thread_id, run_id)
                        if run.ends_stream:
                            break
        run = await runs.get_run(given.db, thread_id, run_id)
    return run_reply(run, now)


@router.post(
    "/{thread_id}/runs/{run_id}",
    operation_id="modifyRun",
    response_model=RunObject,
    openapi_extra=both(_ID, takes(ModifyRunRequest)),
)
async def modify_run(
    thread_id: ThreadId, run_id: RunId, request: Request, given: Given, now: Now
) -> Response:
    """Change the metadata of a run."""
    body = await read_body(request, ModifyRunRequest, may_be_absent=True)
    return run_reply(await runs.modify_run(given.db, thread_id, run_id, body.changes()), now)


@router.post(
    "/{thread_id}/runs/{run_id}/cancel",
    operation_id="cancelRun",
    response_model=RunObject,
    openapi_extra=_ID,
)
async def cancel_run(
    thread_id: ThreadId, run_id: RunId, request: Request, given: Given, now: Now
) -> Response:
    """Cancel a run that is not final."""
    await read_body(request, _Wire, may_be_absent=True)
    return run_reply(await runs.cancel_run(given.db, thread_id, run_id, now), now)


@router.post(
    "/{thread_id}/runs/{run_id}/submit_tool_outputs",
    operation_id="submitToolOuputsToRun",
    response_model=RunObject,
    responses=streams("The run, or with `stream: true` the events of its next leg."),
    openapi_extra=both(_ID, takes(SubmitToolOutputsRunRequest)),
)
async def submit_tool_outputs(
    thread_id: ThreadId, run_id: RunId, request: Request, given: Given, now: Now
) -> Response:
    """Give the outputs that a run waits for, all of them in one request."""
    body = await read_body(request, SubmitToolOutputsRunRequest)
    run, after = await runs.submit_tool_outputs(given.db, thread_id, run_id, body.outputs(), now)
    if not body.stream:
        return run_reply(run, now)
    return run_stream(given.log, run.id, after, on_leave=_leaving(given, run, body.cancel_on_disconnect))


@router.get(
    "/{thread_id}/runs/{run_id}/events",
    operation_id="streamRunEvents",
    response_class=Response,
    responses=streams("Every event of the run, whatever its status, until it is final."),
    openapi_extra=_ID,
)
async def stream_run_events(
    thread_id: ThreadId,
    run_id: RunId,
    given: Given,
    after: Annotated[int | None, Query(ge=0, le=2**53, description="Begin after this event.")] = None,
    last_event_id: Annotated[str | None, Header(description="Begin after this event.")] = None,
) -> Response:
    """Follow a run from its first event or from after a given one; any number may. An extension."""
    await runs.get_run(given.db, thread_id, run_id)
    seq = after if after is not None else _event_number(last_event_id)
    return stream(given.log.follow(run_id, seq, until_final=True))


@router.get(
    "/{thread_id}/runs/{run_id}/trace",
    operation_id="getRunTrace",
    response_model=dict[str, Any],
    openapi_extra=_ID,
)
async def get_run_trace(thread_id: ThreadId, run_id: RunId, given: Given) -> Any:
    """What the model of a run was shown, what was left out, and when each stage was reached. An extension."""
    return await traces.get_trace(given.db, thread_id, run_id)


def _leaving(given: Parts, run: Run, wanted: bool | None) -> Callable[[], Coroutine[Any, Any, None]] | None:
    """What happens when the client leaves the run's stream, if it asked for that."""
    if not wanted:
        return None

    async def cancel() -> None:
        # It may have ended, or been deleted, meanwhile. The log's database: the request's own is over.
        with suppress(InvalidRequest, NotFound):
            await runs.cancel_run(given.log.db, run.thread_id, run.id, datetime.now(UTC))

    return cancel


def _event_number(text: str | None) -> int:
    if text is None or text == "":
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidRequest(
            f"Invalid 'Last-Event-ID': '{text}' is not the id of an event.",
            param="Last-Event-ID",
            code="invalid_value",
        )
    return int(text)
