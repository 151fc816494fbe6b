"""Run steps over HTTP."""

from fastapi import APIRouter, Response

from assistants_api.api.given import Given, PageGiven, RunId, StepId, ThreadId, path_ids
from assistants_api.api.replies import reply
from assistants_api.api.routing import StrictRoute
from assistants_api.api.runs import IncludeGiven, IncludePlain
from assistants_api.services import steps
from assistants_api.wire.steps import ListRunStepsResponse, RunStepObject

router = APIRouter(
    prefix="/threads/{thread_id}/runs/{run_id}/steps", tags=["Run steps"], route_class=StrictRoute
)


@router.get(
    "",
    operation_id="listRunSteps",
    response_model=ListRunStepsResponse,
    openapi_extra=path_ids("thread_id", "run_id"),
)
async def list_run_steps(
    thread_id: ThreadId,
    run_id: RunId,
    given: Given,
    query: PageGiven,
    include: IncludeGiven = None,
    include_plain: IncludePlain = None,
) -> Response:
    """List the steps of a run."""
    page = await steps.list_run_steps(given.db, thread_id, run_id, query)
    shown = [RunStepObject.of(step, has_content=bool(include or include_plain)) for step in page.data]
    return reply(ListRunStepsResponse.over(shown, page.has_more))


@router.get(
    "/{step_id}",
    operation_id="getRunStep",
    response_model=RunStepObject,
    openapi_extra=path_ids("thread_id", "run_id", "step_id"),
)
async def get_run_step(
    thread_id: ThreadId,
    run_id: RunId,
    step_id: StepId,
    given: Given,
    include: IncludeGiven = None,
    include_plain: IncludePlain = None,
) -> Response:
    """Retrieve a step of a run."""
    step = await steps.get_run_step(given.db, thread_id, run_id, step_id)
    return reply(RunStepObject.of(step, has_content=bool(include or include_plain)))
