"""`POST /assist` over HTTP: one question, one answer."""

from collections.abc import AsyncIterator
from datetime import datetime
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from assistants_api.api import errors, page
from assistants_api.api.given import Given, Now, read_body, read_bytes
from assistants_api.api.parts import Parts
from assistants_api.api.replies import stream
from assistants_api.api.routing import StrictRoute, streams, takes
from assistants_api.domain import ids
from assistants_api.domain.errors import EngineFailed, InvalidRequest, Problem
from assistants_api.domain.event import LogEntry, MessageMoved, RunMoved
from assistants_api.domain.message import MessageStatus
from assistants_api.domain.run import Run, RunStatus
from assistants_api.services import assist as service
from assistants_api.wire.assist import AssistRequest, AssistResponse
from assistants_api.wire.runs import UsageObject

_FORM = "application/x-www-form-urlencoded"

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
    if request.headers.get("content-type", "").startswith(_FORM):
        return await _plain_answer(request, given, now)
    body = await read_body(request, AssistRequest)
    run = await _ask(body, given, now)
    entries = given.log.follow(run.id)
    if body.stream:
        return stream(entries)
    answer = await _answer(run, entries, given)
    return Response(answer.model_dump_json(), media_type="application/json")


async def _plain_answer(request: Request, given: Parts, now: datetime) -> Response:
    """The form of the plain page: an answer, or what went wrong, as a page again."""
    fields = parse_qs((await read_bytes(request)).decode("utf-8", "replace"))
    question, thread_id = (fields.get(name, [""])[0].strip() for name in ("question", "thread_id"))
    if not question:
        return page.plain(problem="Please write a question.", thread_id=thread_id, status=400)
    try:
        body = AssistRequest(question=question, thread_id=thread_id or None)
        run = await _ask(body, given, now)
        answer = await _answer(run, given.log.follow(run.id), given)
    except ValidationError:
        return page.plain(question=question, problem="This question is too long.", status=400)
    except Problem as problem:
        return page.plain(
            question=question,
            problem=problem.message,
            thread_id=thread_id,
            status=errors.answer(problem).status_code,
        )
    return page.plain(question=question, answer=answer.response, thread_id=answer.thread_id)


async def _ask(body: AssistRequest, given: Parts, now: datetime) -> Run:
    if body.thread_id is not None:
        ids.check("thread_id", body.thread_id)
    if body.assistant_id is not None:
        ids.check("assistant_id", body.assistant_id)
    return await service.ask(
        given.db,
        body.question,
        body.thread_id,
        body.assistant_id,
        given.catalogue,
        given.engine.describe(),
        given.limits,
        now,
    )


async def _answer(run: Run, entries: AsyncIterator[LogEntry], given: Parts) -> AssistResponse:
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
        raise InvalidRequest(
            f"Run {run.id} waits for the output of a function, which /assist cannot give:"
            " submit it to the run on its thread.",
            param="assistant_id",
        )
    return AssistResponse(
        response=text,
        thread_id=run.thread_id,
        run_id=run.id,
        model=given.catalogue.resolve(run.model),
        usage=UsageObject.model_validate(run.usage),
    )
