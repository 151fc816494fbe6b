"""`POST /assist` over HTTP: one question, one answer."""

from fastapi import APIRouter, Request, Response

from assistants_api.api.given import Given, Now, read_body
from assistants_api.api.replies import stream
from assistants_api.api.routing import StrictRoute, streams, takes
from assistants_api.domain import ids
from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.event import MessageMoved, RunMoved
from assistants_api.domain.message import MessageStatus
from assistants_api.domain.run import RunStatus
from assistants_api.services import assist as service
from assistants_api.wire.assist import AssistRequest, AssistResponse
from assistants_api.wire.runs import UsageObject

router = APIRouter(tags=["Extensions"], route_class=StrictRoute)


@router.post(
    "/assist",
    operation_id="assist",
    response_model=AssistResponse,
    responses=streams("The answer, or with `stream: true` the run's events."),
    openapi_extra=takes(AssistRequest),
)
async def assist(request: Request, given: Given, now: Now) -> Response:
    """Ask one question; the answer and the thread it is kept on come back. An extension."""
    body = await read_body(request, AssistRequest)
    if body.thread_id is not None:
        ids.check("thread_id", body.thread_id)
    if body.assistant_id is not None:
        ids.check("assistant_id", body.assistant_id)
    run = await service.ask(
        given.db,
        body.question,
        body.thread_id,
        body.assistant_id,
        given.catalogue,
        given.engine.describe(),
        given.limits,
        now,
    )
    entries = given.log.follow(run.id)
    if body.stream:
        return stream(entries)
    text = ""
    async for entry in entries:
        match entry.event:
            case RunMoved(moved):
                run = moved
            case MessageMoved(message) if message.status is not MessageStatus.IN_PROGRESS:
                text += message.text
    if run.status in (RunStatus.FAILED, RunStatus.EXPIRED, RunStatus.CANCELLED):
        reason = (run.last_error or {}).get("message", f"the run ended {run.status}")
        raise EngineFailed(f"Run {run.id} gave no answer: {reason}")
    if run.status is RunStatus.REQUIRES_ACTION:
        raise EngineFailed(
            f"Run {run.id} waits for the output of a function, which /assist cannot give:"
            " submit it to the run on its thread."
        )
    answer = AssistResponse(
        response=text,
        thread_id=run.thread_id,
        run_id=run.id,
        model=given.catalogue.resolve(run.model),
        usage=UsageObject.model_validate(run.usage),
    )
    return Response(answer.model_dump_json(), media_type="application/json")
