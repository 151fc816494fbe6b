"""What can be done with uploads."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from assistants_api.blobs.refused import removed_if_refused
from assistants_api.domain import ids
from assistants_api.domain.errors import InvalidRequest, NotFound
from assistants_api.domain.file import NewFile
from assistants_api.domain.upload import LIFETIME, NewUpload, Upload, UploadPart, UploadStatus, UploadWithFile
from assistants_api.ports import Blobs
from assistants_api.services.files import add_file
from assistants_api.store.database import Database


async def create_upload(db: Database, new: NewUpload, now: datetime) -> UploadWithFile:
    """Announce a file that will come in parts."""
    upload = Upload(
        id=ids.new("upload"),
        created_at=now,
        expires_at=now + LIFETIME,
        filename=new.filename,
        purpose=new.purpose,
        bytes=new.bytes,
        mime_type=new.mime_type,
        file_seconds=None if new.expires_after is None else int(new.expires_after.total_seconds()),
    )
    async with db.begin() as tx:
        await tx.uploads.add(upload)
    return UploadWithFile(upload)


async def check_upload(db: Database, upload_id: str, now: datetime) -> None:
    """Refuse a part before its bytes are read, if the upload is over."""
    async with db.read() as tx:
        (await tx.uploads.get(upload_id)).must_be_pending(now)


async def add_upload_part(
    db: Database, blobs: Blobs, upload_id: str, blob: str, size: int, now: datetime
) -> UploadPart:
    """Add a part over a blob that was written; the order is given at the end, by `complete_upload`."""
    part = UploadPart(ids.new("part"), now, upload_id, size, blob)
    async with removed_if_refused(blobs, blob), db.begin() as tx:
        upload = await tx.uploads.hold(upload_id)
        upload.must_be_pending(now)
        await tx.upload_parts.add(part)
    return part


async def complete_upload(
    db: Database, blobs: Blobs, upload_id: str, part_ids: Sequence[str], md5: str | None, now: datetime
) -> UploadWithFile:
    """Put the parts together, in the order of `part_ids`, to a file; size and checksum must agree."""
    async with db.read() as tx:
        upload = await tx.uploads.get(upload_id)
        upload.must_be_pending(now)
        parts = {part.id: part for part in await tx.upload_parts.of_upload(upload_id)}
    chosen = [_part(parts, part_id, upload_id) for part_id in part_ids]
    if len(set(part_ids)) != len(part_ids):
        raise InvalidRequest("A part is named twice.", param="part_ids", code="invalid_value")
    total = sum(part.bytes for part in chosen)
    if total != upload.bytes:
        raise InvalidRequest(
            f"The parts hold {total} bytes, but the upload was announced with {upload.bytes}.",
            param="part_ids",
            code="invalid_value",
        )
    digest = hashlib.md5(usedforsecurity=False)

    async def pieces() -> AsyncIterator[bytes]:
        for part in chosen:
            async for piece in blobs.read(part.blob):
                digest.update(piece)
                yield piece

    blob = await blobs.write(pieces())
    async with removed_if_refused(blobs, blob):
        if md5 is not None and md5.lower() != digest.hexdigest():
            raise InvalidRequest(
                f"The checksum of the parts is '{digest.hexdigest()}', not '{md5}'.",
                param="md5",
                code="invalid_value",
            )
        seconds = upload.file_seconds
        lifetime = None if seconds is None else timedelta(seconds=seconds)
        async with db.begin() as tx:
            (await tx.uploads.hold(upload_id)).must_be_pending(now)
            file = await add_file(tx, NewFile(upload.filename, upload.purpose, lifetime), blob, total, now)
            await tx.uploads.end(upload_id, UploadStatus.COMPLETED, file.id)
            await tx.upload_parts.remove_of(upload_id)
    await blobs.remove(part.blob for part in parts.values())
    return UploadWithFile(replace(upload, status=UploadStatus.COMPLETED, file_id=file.id), file)


async def cancel_upload(db: Database, blobs: Blobs, upload_id: str, now: datetime) -> UploadWithFile:
    """Give the upload up; its parts are removed."""
    return UploadWithFile(await _end(db, blobs, upload_id, UploadStatus.CANCELLED, now))


async def expire_upload(db: Database, blobs: Blobs, upload_id: str, now: datetime) -> None:
    """End an upload whose hour is over, unless it has ended meanwhile."""
    await _end(db, blobs, upload_id, UploadStatus.EXPIRED, now)


async def _end(db: Database, blobs: Blobs, upload_id: str, status: UploadStatus, now: datetime) -> Upload:
    async with db.begin() as tx:
        upload = await tx.uploads.hold(upload_id)
        if status is UploadStatus.CANCELLED:
            upload.must_be_pending(now)
        elif upload.status is not UploadStatus.PENDING:
            return upload
        parts = await tx.upload_parts.of_upload(upload_id)
        await tx.uploads.end(upload_id, status)
        await tx.upload_parts.remove_of(upload_id)
    await blobs.remove(part.blob for part in parts)
    return replace(upload, status=status)


def _part(parts: dict[str, UploadPart], part_id: str, upload_id: str) -> UploadPart:
    found = parts.get(part_id)
    if found is None:
        raise NotFound(f"No part found with id '{part_id}' in upload '{upload_id}'.", param="part_ids")
    return found
