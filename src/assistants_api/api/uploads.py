"""Uploads over HTTP."""

from fastapi import APIRouter, Request, Response

from assistants_api.api.forms import read_form
from assistants_api.api.given import Given, Now, UploadId, path_ids, read_body
from assistants_api.api.replies import reply
from assistants_api.api.routing import StrictRoute, both, takes, takes_form
from assistants_api.domain.upload import MAX_PART_BYTES
from assistants_api.services import uploads
from assistants_api.wire.files import CompleteUploadRequest, CreateUploadRequest, PartForm, Upload, UploadPart

router = APIRouter(prefix="/uploads", tags=["Uploads"], route_class=StrictRoute)
_ID = path_ids("upload_id")


@router.post("", operation_id="createUpload", response_model=Upload, openapi_extra=takes(CreateUploadRequest))
async def create_upload(request: Request, given: Given, now: Now) -> Response:
    """Announce a file that will come in parts, within the hour."""
    body = await read_body(request, CreateUploadRequest)
    return reply(Upload.of(await uploads.create_upload(given.db, body.to_new_upload(), now)))


@router.post(
    "/{upload_id}/parts",
    operation_id="addUploadPart",
    response_model=UploadPart,
    openapi_extra=both(_ID, takes_form(PartForm)),
)
async def add_upload_part(upload_id: UploadId, request: Request, given: Given, now: Now) -> Response:
    """Add a part of at most 64 MB; parts may come in any order, and at once."""
    await uploads.check_upload(given.db, upload_id, now)
    form = await read_form(request, "data", (), given.blobs, MAX_PART_BYTES)
    part = await uploads.add_upload_part(given.db, given.blobs, upload_id, form.blob, form.size, now)
    return reply(UploadPart.of(part))


@router.post(
    "/{upload_id}/complete",
    operation_id="completeUpload",
    response_model=Upload,
    openapi_extra=both(_ID, takes(CompleteUploadRequest)),
)
async def complete_upload(upload_id: UploadId, request: Request, given: Given, now: Now) -> Response:
    """Put the parts together, in the order that the body gives."""
    body = await read_body(request, CompleteUploadRequest)
    made = await uploads.complete_upload(given.db, given.blobs, upload_id, body.part_ids, body.md5, now)
    return reply(Upload.of(made))


@router.post("/{upload_id}/cancel", operation_id="cancelUpload", response_model=Upload, openapi_extra=_ID)
async def cancel_upload(upload_id: UploadId, given: Given, now: Now) -> Response:
    """Give an upload up."""
    return reply(Upload.of(await uploads.cancel_upload(given.db, given.blobs, upload_id, now)))
