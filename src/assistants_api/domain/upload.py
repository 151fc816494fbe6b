"""The upload: a large file that arrives in parts."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.file import File

LIFETIME = timedelta(hours=1)
MAX_UPLOAD_BYTES = 8 * 1024**3
MAX_PART_BYTES = 64 * 1024**2


class UploadStatus(StrEnum):
    """The API's upload statuses; all but pending are final."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NewUpload:
    """What a caller announces."""

    filename: str
    purpose: str
    bytes: int
    mime_type: str
    expires_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as stored; `file_seconds` is the lifetime that its file will have."""

    id: str
    created_at: datetime
    expires_at: datetime
    filename: str
    purpose: str
    bytes: int
    mime_type: str
    status: UploadStatus = UploadStatus.PENDING
    file_seconds: int | None = None
    file_id: str | None = None

    def must_be_pending(self, now: datetime) -> None:
        """`InvalidRequest` once the upload is over."""
        status = self.at(now).status
        if status is not UploadStatus.PENDING:
            raise InvalidRequest(f"Upload '{self.id}' is {status} and takes no more changes.")

    def at(self, now: datetime) -> "Upload":
        """The upload as it stands at a time: a pending one expires by itself."""
        if self.status is UploadStatus.PENDING and now >= self.expires_at:
            return replace(self, status=UploadStatus.EXPIRED)
        return self


@dataclass(frozen=True, slots=True)
class UploadPart:
    """One part as stored."""

    id: str
    created_at: datetime
    upload_id: str
    bytes: int
    blob: str


@dataclass(frozen=True, slots=True)
class UploadWithFile:
    """An upload and, once it is complete, its file."""

    upload: Upload
    file: File | None = None
