"""Messages on the wire."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from assistants_api.domain.json import JsonObject
from assistants_api.domain.message import NewMessage, text_part
from assistants_api.wire.base import FileId, MetadataField, Page, Reply, Request, Timestamp, plain
from assistants_api.wire.shapes import CodeInterpreterTool, MetadataShown

MAX_TEXT = 256_000
Detail = Literal["auto", "low", "high"]


class MessageRequestContentTextObject(Request):
    """Text; a request holds it bare, a response as an object."""

    type: Literal["text"]
    text: str = Field(max_length=MAX_TEXT)


class ImageFile(Request):
    """An image by file."""

    file_id: FileId
    detail: Detail | None = None


class ImageUrl(Request):
    """An image by address."""

    url: str
    detail: Detail | None = None


class MessageContentImageFileObject(Request):
    """An image part by file."""

    type: Literal["image_file"]
    image_file: ImageFile


class MessageContentImageUrlObject(Request):
    """An image part by address."""

    type: Literal["image_url"]
    image_url: ImageUrl


class FileSearchOnly(Request):
    """File search, for an attachment."""

    type: Literal["file_search"]


AttachmentTools = list[Annotated[CodeInterpreterTool | FileSearchOnly, Field(discriminator="type")]]


class CreateMessageAttachment(Request):
    """A file, and the tools that it is for."""

    file_id: FileId
    tools: AttachmentTools


class MessageAttachment(BaseModel):
    """A file, and the tools that it was given to."""

    file_id: str | None = None
    tools: AttachmentTools | None = None


RequestPart = Annotated[
    MessageContentImageFileObject | MessageContentImageUrlObject | MessageRequestContentTextObject,
    Field(discriminator="type"),
]


def _text_or_parts(value: object) -> str | None:
    if isinstance(value, str):
        return "~text"
    return "~parts" if isinstance(value, list) else None


RequestContent = Annotated[
    Annotated[str, Field(max_length=MAX_TEXT), Tag("~text")]
    | Annotated[list[RequestPart], Field(min_length=1, max_length=500), Tag("~parts")],
    Discriminator(
        _text_or_parts,
        custom_error_type="string_or_array",
        custom_error_message="expected one of a string or array of objects",
    ),
]


class CreateMessageRequest(Request):
    """The body of createMessage."""

    role: Literal["user", "assistant"]
    content: RequestContent
    attachments: list[CreateMessageAttachment] | None = Field(None, max_length=500)
    metadata: MetadataField = None

    def to_new_message(self) -> NewMessage:
        """What the domain makes a message of."""
        content = (
            [text_part(self.content)] if isinstance(self.content, str) else [_stored(p) for p in self.content]
        )
        return NewMessage(
            role=self.role,
            content=tuple(content),
            attachments=tuple(plain(self.attachments or [])),
            metadata=self.metadata or {},
        )


class ModifyMessageRequest(Request):
    """The body of modifyMessage."""

    metadata: MetadataField = None

    def changes(self) -> dict[str, Any]:
        """The stored fields that change."""
        return {"metadata": self.metadata or {}} if "metadata" in self.model_fields_set else {}


def _stored(part: Any) -> JsonObject:
    if isinstance(part, MessageRequestContentTextObject):
        return text_part(part.text)
    stored: dict[str, Any] = plain(part)
    stored[part.type] = {"detail": "auto", **{k: v for k, v in stored[part.type].items() if v is not None}}
    return stored


class FileReference(BaseModel):
    """A file by id."""

    file_id: str


class FileCitation(BaseModel):
    """A citation of a file."""

    type: Literal["file_citation"]
    text: str
    file_citation: FileReference
    start_index: int
    end_index: int


class FilePath(BaseModel):
    """A path to a file that a tool made."""

    type: Literal["file_path"]
    text: str
    file_path: FileReference
    start_index: int
    end_index: int


class TextValue(BaseModel):
    """Text and what it points to."""

    value: str
    annotations: list[Annotated[FileCitation | FilePath, Field(discriminator="type")]]


class MessageContentTextObject(BaseModel):
    """A text part."""

    type: Literal["text"]
    text: TextValue


class MessageContentRefusalObject(BaseModel):
    """A refusal by the model."""

    type: Literal["refusal"]
    refusal: str


Part = Annotated[
    MessageContentTextObject
    | MessageContentImageFileObject
    | MessageContentImageUrlObject
    | MessageContentRefusalObject,
    Field(discriminator="type"),
]


class IncompleteMessage(BaseModel):
    """Why a message is incomplete."""

    reason: Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"]


class MessageObject(Reply):
    """A message."""

    KIND: ClassVar[str] = "thread.message"

    id: str
    object: Literal["thread.message"]
    created_at: Timestamp
    assistant_id: str | None
    thread_id: str
    run_id: str | None
    status: Literal["in_progress", "incomplete", "completed"]
    incomplete_details: IncompleteMessage | None
    incomplete_at: Timestamp | None
    completed_at: Timestamp | None
    role: Literal["user", "assistant"]
    content: list[Part]
    attachments: list[MessageAttachment] | None
    metadata: MetadataShown


class ListMessagesResponse(Page):
    """A page of messages."""

    object: Literal["list"]
    data: list[MessageObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeleteMessageResponse(Reply):
    """The message is gone."""

    id: str
    object: Literal["thread.message.deleted"]
    deleted: Literal[True]
