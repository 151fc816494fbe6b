"""Files and uploads on the wire."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field, ValidationError, field_validator

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.file import MAX_NAME, NewFile, plain_name
from assistants_api.domain.upload import MAX_UPLOAD_BYTES, NewUpload
from assistants_api.wire.base import Page, Reply, Request, Timestamp
from assistants_api.wire.problems import problem_of

UploadPurpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
Purpose = Literal[
    "assistants",
    "assistants_output",
    "batch",
    "batch_output",
    "fine-tune",
    "fine-tune-results",
    "vision",
    "user_data",
    "evals",
]
FORM_FIELDS = ("purpose", "expires_after", "expires_after[anchor]", "expires_after[seconds]")


class FileExpirationAfter(Request):
    """When a file goes by itself."""

    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=2_592_000)


class CreateFileRequest(Request):
    """The form of createFile, without its file."""

    purpose: UploadPurpose
    expires_after: FileExpirationAfter | None = None

    @classmethod
    def of_form(cls, fields: Mapping[str, str]) -> Self:
        """The checked fields of a form: nested names are bracketed, or their object is one part, as JSON."""
        value: dict[str, Any] = {}
        expiry: dict[str, object] = {}
        for name, text in fields.items():
            if name == "expires_after[seconds]":
                try:
                    expiry["seconds"] = int(text)
                except ValueError:
                    expiry["seconds"] = text
            elif name == "expires_after[anchor]":
                expiry["anchor"] = text
            elif name == "expires_after":
                value[name] = _json_or_text(text)
            else:
                value[name] = text
        if expiry and "expires_after" in value:
            raise InvalidRequest(
                "The form gives 'expires_after' twice.", param="expires_after", code="invalid_value"
            )
        if expiry:
            value["expires_after"] = expiry
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise problem_of(error.errors(include_url=False)[0], value) from error

    def to_new_file(self, filename: str) -> NewFile:
        """What the domain makes a file of."""
        return NewFile(_checked_name(filename, "file"), self.purpose, _lifetime(self.expires_after))


class CreateUploadRequest(Request):
    """The body of createUpload."""

    filename: str = Field(min_length=1, max_length=MAX_NAME)
    purpose: UploadPurpose
    bytes: int = Field(ge=0, le=MAX_UPLOAD_BYTES)
    mime_type: str = Field(max_length=256)
    expires_after: FileExpirationAfter | None = None

    def to_new_upload(self) -> NewUpload:
        """What the domain makes an upload of."""
        return NewUpload(
            filename=_checked_name(self.filename, "filename"),
            purpose=self.purpose,
            bytes=self.bytes,
            mime_type=self.mime_type,
            expires_after=_lifetime(self.expires_after),
        )


class CompleteUploadRequest(Request):
    """The body of completeUpload."""

    part_ids: list[str] = Field(min_length=1, max_length=10_000)
    md5: str | None = None

    @field_validator("md5")
    @classmethod
    def _blank_is_absent(cls, value: str | None) -> str | None:
        return value or None


class OpenAIFile(Reply):
    """A file."""

    KIND: ClassVar[str] = "file"

    id: str
    object: Literal["file"]
    bytes: int
    created_at: Timestamp
    expires_at: Timestamp | None
    filename: str
    purpose: Purpose
    status: Literal["uploaded", "processed", "error"]
    status_details: str | None


class ListFilesResponse(Page):
    """A page of files."""

    object: Literal["list"]
    data: list[OpenAIFile]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeleteFileResponse(Reply):
    """The file is gone; the service calls this object `file`."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]


class Upload(Reply):
    """An upload; `file` is there once it is complete."""

    KIND: ClassVar[str] = "upload"

    id: str
    object: Literal["upload"]
    bytes: int
    created_at: Timestamp
    expires_at: Timestamp
    filename: str
    purpose: UploadPurpose
    status: Literal["pending", "completed", "cancelled", "expired"]
    file: OpenAIFile | None

    @classmethod
    def of(cls, made: Any) -> Self:
        """The upload and its file."""
        upload, file = made.upload, made.file
        return cls.showing(
            id=upload.id,
            bytes=upload.bytes,
            created_at=upload.created_at,
            expires_at=upload.expires_at,
            filename=upload.filename,
            purpose=upload.purpose,
            status=upload.status,
            file=None if file is None else OpenAIFile.of(file),
        )


class UploadPart(Reply):
    """A part of an upload."""

    KIND: ClassVar[str] = "upload.part"

    id: str
    object: Literal["upload.part"]
    created_at: Timestamp
    upload_id: str


class FileForm(BaseModel):
    """The form of createFile, for the document."""

    file: str = Field(json_schema_extra={"format": "binary"})
    purpose: UploadPurpose
    expires_after: FileExpirationAfter | None = None


class PartForm(BaseModel):
    """The form of addUploadPart, for the document."""

    data: str = Field(json_schema_extra={"format": "binary"})


def _json_or_text(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _checked_name(filename: str, param: str) -> str:
    name = plain_name(filename)
    if len(name) > MAX_NAME:
        raise InvalidRequest(
            f"The file's name has {len(name)} characters; {MAX_NAME} are allowed.",
            param=param,
            code="string_above_max_length",
        )
    return name


def _lifetime(expiry: FileExpirationAfter | None) -> timedelta | None:
    return None if expiry is None else timedelta(seconds=expiry.seconds)
