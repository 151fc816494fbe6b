"""Operations of the API that this version does not serve yet: refused by name, never pretended."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from assistants_api.wire.problems import error_body

LATER: tuple[tuple[str, str, str], ...] = (
    ("POST", "/audio/speech", "createSpeech"),
    ("POST", "/audio/transcriptions", "createTranscription"),
    ("POST", "/completions", "createCompletion"),
    ("POST", "/conversations/{conversation_id}/items", "createConversationItems"),
    ("GET", "/conversations/{conversation_id}/items", "listConversationItems"),
    ("GET", "/conversations/{conversation_id}/items/{item_id}", "getConversationItem"),
    ("DELETE", "/conversations/{conversation_id}/items/{item_id}", "deleteConversationItem"),
    ("POST", "/fine_tuning/jobs", "createFineTuningJob"),
    ("GET", "/fine_tuning/jobs", "listPaginatedFineTuningJobs"),
    ("GET", "/fine_tuning/jobs/{fine_tuning_job_id}", "retrieveFineTuningJob"),
    ("POST", "/fine_tuning/jobs/{fine_tuning_job_id}/cancel", "cancelFineTuningJob"),
    ("GET", "/fine_tuning/jobs/{fine_tuning_job_id}/checkpoints", "listFineTuningJobCheckpoints"),
    ("GET", "/fine_tuning/jobs/{fine_tuning_job_id}/events", "listFineTuningEvents"),
    ("POST", "/fine_tuning/jobs/{fine_tuning_job_id}/pause", "pauseFineTuningJob"),
    ("POST", "/fine_tuning/jobs/{fine_tuning_job_id}/resume", "resumeFineTuningJob"),
    ("POST", "/moderations", "createModeration"),
    ("POST", "/responses", "createResponse"),
    ("GET", "/responses/{response_id}", "getResponse"),
    ("DELETE", "/responses/{response_id}", "deleteResponse"),
    ("POST", "/responses/{response_id}/cancel", "cancelResponse"),
    ("GET", "/responses/{response_id}/input_items", "listInputItems"),
    ("POST", "/conversations", "createConversation"),
    ("GET", "/conversations/{conversation_id}", "getConversation"),
    ("DELETE", "/conversations/{conversation_id}", "deleteConversation"),
    ("POST", "/conversations/{conversation_id}", "updateConversation"),
    ("POST", "/responses/input_tokens", "Getinputtokencounts"),
    ("POST", "/responses/compact", "Compactconversation"),
)


def router() -> APIRouter:
    """A route for each of them that answers 501."""
    made = APIRouter(include_in_schema=False)
    for method, path, operation in LATER:
        made.add_api_route(path, _refusal(operation), methods=[method], name=operation)
    return made


def _refusal(operation: str) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def refuse(request: Request) -> JSONResponse:
        message = f"This server does not serve {operation} yet ({request.method} {request.url.path})."
        body = error_body(message, type="server_error", code="not_implemented")
        return JSONResponse(body, 501, {"x-should-retry": "false"})

    return refuse
