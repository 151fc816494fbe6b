"""The thread: a conversation that runs work on, one run at a time."""

from dataclasses import dataclass, field
from datetime import datetime

from assistants_api.domain.json import JsonObject, Metadata
from assistants_api.domain.message import NewMessage


@dataclass(frozen=True, slots=True)
class NewThread:
    """What a caller gives to make a thread."""

    messages: tuple[NewMessage, ...] = ()
    tool_resources: JsonObject = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread as stored."""

    id: str
    created_at: datetime
    tool_resources: JsonObject
    metadata: Metadata
