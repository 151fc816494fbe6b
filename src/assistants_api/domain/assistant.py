"""The assistant: a model, instructions and tools under a name."""

from dataclasses import dataclass, field
from datetime import datetime

from assistants_api.domain.json import JsonObject, Metadata

# The resources of tools that have nothing to work on.
NO_RESOURCES: dict[str, JsonObject] = {
    "code_interpreter": {"file_ids": []},
    "file_search": {"vector_store_ids": []},
}


@dataclass(frozen=True, slots=True)
class NewAssistant:
    """What a caller gives to make an assistant."""

    model: str
    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    tools: tuple[JsonObject, ...] = ()
    tool_resources: JsonObject = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    response_format: str | JsonObject = "auto"
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class Assistant:
    """An assistant as stored."""

    id: str
    created_at: datetime
    model: str
    name: str | None
    description: str | None
    instructions: str | None
    tools: tuple[JsonObject, ...]
    tool_resources: JsonObject
    metadata: Metadata
    temperature: float | None
    top_p: float | None
    response_format: str | JsonObject
    reasoning_effort: str | None = None
