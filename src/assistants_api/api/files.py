"""Files over HTTP."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from assistants_api.api.forms import read_form
from assistants_api.api.given import FileId, Given, Now, path_ids
from assistants_api.api.replies import page_reply, reply
from assistants_api.api.routing import BYTES, StrictRoute, takes_form
from assistants_api.domain.errors import NotFound
from assistants_api.domain.file import MAX_FILE_BYTES
from assistants_api.domain.page import PageQuery
from assistants_api.services import files
from assistants_api.wire.files import (
    FORM_FIELDS,
    CreateFileRequest,
    DeleteFileResponse,
    FileForm,
    ListFilesResponse,
    OpenAIFile,
)

router = APIRouter(prefix="/files", tags=["Files"], route_class=StrictRoute)
_ID = path_ids("file_id")


@router.post("", operation_id="createFile", response_model=OpenAIFile, openapi_extra=takes_form(FileForm))
async def create_file(request: Request, given: Given, now: Now) -> Response:
    """Upload a file of at most 512 MB."""
    form = await read_form(request, "file", FORM_FIELDS, given.blobs, MAX_FILE_BYTES)
    try:
        new = CreateFileRequest.of_form(form.fields).to_new_file(form.filename)
    except BaseException:
        await given.blobs.remove([form.blob])
        raise
    file = await files.create_file(given.db, given.blobs, new, form.blob, form.size, now)
    return reply(OpenAIFile.of(file))


@router.get("", operation_id="listFiles", response_model=ListFilesResponse)
async def list_files(
    given: Given,
    purpose: Annotated[str | None, Query(description="Only files of this purpose.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="How many to return.")] = 10_000,
    order: Annotated[Literal["asc", "desc"], Query(description="By creation.")] = "desc",
    after: Annotated[str | None, Query(description="The id after which the page begins.")] = None,
) -> Response:
    """List files."""
    page = await files.list_files(given.db, PageQuery(limit, order, after or None), purpose)
    return page_reply(ListFilesResponse, OpenAIFile, page)


@router.get("/{file_id}", operation_id="retrieveFile", response_model=OpenAIFile, openapi_extra=_ID)
async def retrieve_file(file_id: FileId, given: Given) -> Response:
    """Retrieve a file's description."""
    return reply(OpenAIFile.of(await files.get_file(given.db, file_id)))


@router.delete("/{file_id}", operation_id="deleteFile", response_model=DeleteFileResponse, openapi_extra=_ID)
async def delete_file(file_id: FileId, given: Given) -> Response:
    """Delete a file, and remove it from every vector store and code interpreter list."""
    await files.delete_file(given.db, given.blobs, file_id)
    return reply(DeleteFileResponse(id=file_id, object="file", deleted=True))


@router.get(
    "/{file_id}/content",
    operation_id="downloadFile",
    response_class=StreamingResponse,
    responses={200: {"description": "The bytes.", "content": BYTES}},
    openapi_extra=_ID,
)
async def download_file(file_id: FileId, given: Given) -> Response:
    """The bytes of a file; those of uploaded files too, which are yours."""
    file, pieces = await files.read_file(given.db, given.blobs, file_id)
    try:
        first = await anext(aiter(pieces), b"")
    except FileNotFoundError as error:
        raise NotFound(f"The bytes of file '{file_id}' are gone.") from error

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    # A browser must never show what somebody uploaded as a page of ours.
    headers = {
        "content-disposition": _disposition(file.filename),
        "content-length": str(file.bytes),
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(body(), media_type="application/octet-stream", headers=headers)


def _disposition(filename: str) -> str:
    """An attachment by this name, in the form that every client reads where it can (RFC 6266)."""
    if filename.isascii() and not set(filename) & set('"\\%'):
        return f'attachment; filename="{filename}"'
    return f"attachment; filename*=UTF-8''{quote(filename)}"
