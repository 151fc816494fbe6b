"""Threads on the wire."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from assistants_api.domain.thread import NewThread
from assistants_api.wire.base import MetadataField, Page, Reply, Request, Timestamp, plain
from assistants_api.wire.messages import CreateMessageRequest
from assistants_api.wire.shapes import (
    CreateToolResources,
    MetadataShown,
    ToolResources,
    ToolResourcesShown,
    stored_resources,
)


class CreateThreadRequest(Request):
    """The body of createThread; it may be absent."""

    messages: list[CreateMessageRequest] | None = Field(None, max_length=10_000)
    tool_resources: CreateToolResources | None = None
    metadata: MetadataField = None

    def to_new_thread(self, path: str = "tool_resources") -> NewThread:
        """What the domain makes a thread of."""
        return NewThread(
            messages=tuple(message.to_new_message() for message in self.messages or ()),
            tool_resources=stored_resources(self.tool_resources, path),
            metadata=self.metadata or {},
        )


class ModifyThreadRequest(Request):
    """The body of modifyThread: only what is given changes."""

    tool_resources: ToolResources | None = None
    metadata: MetadataField = None

    def changes(self) -> dict[str, Any]:
        """The stored fields that change."""
        changes: dict[str, Any] = {}
        if "tool_resources" in self.model_fields_set:
            changes["tool_resources"] = plain(self.tool_resources)
        if "metadata" in self.model_fields_set:
            changes["metadata"] = self.metadata or {}
        return changes


class ThreadObject(Reply):
    """A thread."""

    KIND: ClassVar[str] = "thread"

    id: str
    object: Literal["thread"]
    created_at: Timestamp
    metadata: MetadataShown
    tool_resources: ToolResourcesShown


class ListThreadsResponse(Page):
    """A page of threads (an extension)."""

    object: Literal["list"]
    data: list[ThreadObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ResetCodeSessionResponse(Reply):
    """The thread's code session is over; the next one begins with the next code."""

    id: str
    object: Literal["thread.code_session.deleted"]
    deleted: Literal[True]


class DeleteThreadResponse(Reply):
    """The thread is gone."""

    id: str
    object: Literal["thread.deleted"]
    deleted: Literal[True]
