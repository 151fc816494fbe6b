"""Operations of the API that this version does not serve yet: refused by name, never pretended."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from assistants_api.wire.problems import error_body

LATER: tuple[tuple[str, str, str], ...] = (
    ("POST", "/audio/speech", "createSpeech"),
    ("POST", "/audio/transcriptions", "createTranscription"),
    ("POST", "/conversations/{conversation_id}/items", "createConversationItems"),
    ("GET", "/conversations/{conversation_id}/items", "listConversationItems"),
    ("GET", "/conversations/{conversation_id}/items/{item_id}", "getConversationItem"),
    ("DELETE", "/conversations/{conversation_id}/items/{item_id}", "deleteConversationItem"),
    ("POST", "/embeddings", "createEmbedding"),
    ("GET", "/files", "listFiles"),
    ("POST", "/files", "createFile"),
    ("DELETE", "/files/{file_id}", "deleteFile"),
    ("GET", "/files/{file_id}", "retrieveFile"),
    ("GET", "/files/{file_id}/content", "downloadFile"),
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
    ("POST", "/uploads", "createUpload"),
    ("POST", "/uploads/{upload_id}/cancel", "cancelUpload"),
    ("POST", "/uploads/{upload_id}/complete", "completeUpload"),
    ("POST", "/uploads/{upload_id}/parts", "addUploadPart"),
    ("GET", "/vector_stores", "listVectorStores"),
    ("POST", "/vector_stores", "createVectorStore"),
    ("GET", "/vector_stores/{vector_store_id}", "getVectorStore"),
    ("POST", "/vector_stores/{vector_store_id}", "modifyVectorStore"),
    ("DELETE", "/vector_stores/{vector_store_id}", "deleteVectorStore"),
    ("POST", "/vector_stores/{vector_store_id}/file_batches", "createVectorStoreFileBatch"),
    ("GET", "/vector_stores/{vector_store_id}/file_batches/{batch_id}", "getVectorStoreFileBatch"),
    ("POST", "/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel", "cancelVectorStoreFileBatch"),
    ("GET", "/vector_stores/{vector_store_id}/file_batches/{batch_id}/files", "listFilesInVectorStoreBatch"),
    ("GET", "/vector_stores/{vector_store_id}/files", "listVectorStoreFiles"),
    ("POST", "/vector_stores/{vector_store_id}/files", "createVectorStoreFile"),
    ("GET", "/vector_stores/{vector_store_id}/files/{file_id}", "getVectorStoreFile"),
    ("DELETE", "/vector_stores/{vector_store_id}/files/{file_id}", "deleteVectorStoreFile"),
    ("POST", "/vector_stores/{vector_store_id}/files/{file_id}", "updateVectorStoreFileAttributes"),
    ("GET", "/vector_stores/{vector_store_id}/files/{file_id}/content", "retrieveVectorStoreFileContent"),
    ("POST", "/vector_stores/{vector_store_id}/search", "searchVectorStore"),
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
