"""The message: one turn of a thread, by a user or by an assistant."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from assistants_api.domain.errors import IllegalMove
from assistants_api.domain.json import JsonObject, Metadata


class MessageStatus(StrEnum):
    """Only a message that a run is writing is ever anything but completed."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What a caller gives to add a message; `content` parts have the API's response shape."""

    role: str
    content: tuple[JsonObject, ...]
    attachments: tuple[JsonObject, ...] = ()
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as stored; `content` holds parts in the API's response shape."""

    id: str
    created_at: datetime
    thread_id: str
    role: str
    content: tuple[JsonObject, ...]
    status: MessageStatus = MessageStatus.COMPLETED
    assistant_id: str | None = None
    run_id: str | None = None
    attachments: tuple[JsonObject, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    incomplete_reason: str | None = None
    incomplete_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def incomplete_details(self) -> JsonObject | None:
        """The API's `incomplete_details`."""
        return {"reason": self.incomplete_reason} if self.incomplete_reason else None

    @property
    def text(self) -> str:
        """All text parts, joined."""
        return "".join(part["text"]["value"] for part in self.content if part["type"] == "text")

    @property
    def annotations(self) -> tuple[JsonObject, ...]:
        """The annotations of the first text part."""
        parts = (part["text"]["annotations"] for part in self.content if part["type"] == "text")
        return tuple(next(parts, ()))

    @property
    def has_images(self) -> bool:
        """Whether any part is an image."""
        return any(part["type"] in ("image_file", "image_url") for part in self.content)

    def complete(self, shown: "Shown", now: datetime) -> "Message":
        """The finished message with all that was shown of it."""
        self._must_be_open()
        return replace(
            self,
            status=MessageStatus.COMPLETED,
            content=shown.parts,
            attachments=shown.attachments,
            completed_at=now,
        )

    def cut(self, shown: "Shown", reason: str, now: datetime) -> "Message":
        """The message as far as it came; `reason` is an API `incomplete_details.reason`."""
        self._must_be_open()
        content = shown.parts if shown.text or shown.images else ()
        return replace(
            self,
            status=MessageStatus.INCOMPLETE,
            content=content,
            attachments=shown.attachments,
            incomplete_reason=reason,
            incomplete_at=now,
        )

    def _must_be_open(self) -> None:
        if self.status is not MessageStatus.IN_PROGRESS:
            raise IllegalMove(f"message {self.id} is {self.status} already")


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown of a message that is being written: figures, then text.

    Each annotation has its `index` in the text part; `images` are file ids.
    """

    text: str = ""
    annotations: tuple[JsonObject, ...] = ()
    images: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[JsonObject, ...]:
        """The message's content; there annotations stand in a list, and need no index."""
        annotations = [
            {name: value for name, value in annotation.items() if name != "index"}
            for annotation in self.annotations
        ]
        return (*(image_part(file_id) for file_id in self.images), text_part(self.text, annotations))

    @property
    def attachments(self) -> tuple[JsonObject, ...]:
        """The files that code has made and that the text links to, each once."""
        links = (each["file_path"]["file_id"] for each in self.annotations if each["type"] == "file_path")
        tools = [{"type": "code_interpreter"}]
        return tuple({"file_id": file_id, "tools": tools} for file_id in dict.fromkeys(links))


def image_part(file_id: str) -> JsonObject:
    """An image content part as responses spell it."""
    return {"type": "image_file", "image_file": {"file_id": file_id, "detail": "auto"}}


def text_part(value: str, annotations: Sequence[JsonObject] = ()) -> JsonObject:
    """A text content part as responses spell it."""
    return {"type": "text", "text": {"value": value, "annotations": list(annotations)}}
