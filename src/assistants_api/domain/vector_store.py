"""The vector store: files that file search looks through, each cut and indexed in its own time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.json import JsonObject, Metadata

DEFAULT_CHUNK_TOKENS = 800
DEFAULT_OVERLAP_TOKENS = 400
# What a store that was made for one thread lives without being used (BEHAVIOUR §8).
THREAD_STORE_EXPIRY: JsonObject = {"anchor": "last_active_at", "days": 7}

Attributes = Mapping[str, str | float | bool]


class StoreFileStatus(StrEnum):
    """The API's statuses of a file in a store; all but in_progress are final."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Chunking:
    """How a file is cut, in tokens."""

    max_chunk_size_tokens: int = DEFAULT_CHUNK_TOKENS
    chunk_overlap_tokens: int = DEFAULT_OVERLAP_TOKENS

    @property
    def shown(self) -> JsonObject:
        """The API's `chunking_strategy`."""
        return {
            "type": "static",
            "static": {
                "max_chunk_size_tokens": self.max_chunk_size_tokens,
                "chunk_overlap_tokens": self.chunk_overlap_tokens,
            },
        }


@dataclass(frozen=True, slots=True)
class NewStoreFile:
    """A file that is to be added to a store."""

    file_id: str
    chunking: Chunking = Chunking()
    attributes: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewVectorStore:
    """What a caller gives to make a store."""

    name: str | None = None
    description: str | None = None
    files: tuple[NewStoreFile, ...] = ()
    expires_after: JsonObject | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileCounts:
    """How many files of a store or batch have which status."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.in_progress + self.completed + self.failed + self.cancelled

    @property
    def shown(self) -> JsonObject:
        """The API's `file_counts`."""
        return {
            "in_progress": self.in_progress,
            "completed": self.completed,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "total": self.total,
        }


@dataclass(frozen=True, slots=True)
class VectorStore:
    """A store as stored; `revision` counts every change of what a search may find in it."""

    id: str
    created_at: datetime
    name: str | None
    description: str | None
    metadata: Metadata
    expires_after: JsonObject | None
    last_active_at: datetime
    revision: int = 0

    @property
    def expires_at(self) -> datetime | None:
        """When the store expires if nobody uses it."""
        if self.expires_after is None:
            return None
        return self.last_active_at + timedelta(days=self.expires_after["days"])

    def is_expired(self, now: datetime) -> bool:
        """Whether nothing may be searched in it any more."""
        return self.expires_at is not None and self.expires_at <= now

    def must_be_alive(self, now: datetime) -> None:
        """`InvalidRequest` when the store has expired."""
        if self.is_expired(now):
            raise InvalidRequest(f"Vector store '{self.id}' has expired.")

    def used(self, now: datetime) -> "VectorStore":
        """The store, used just now."""
        return replace(self, last_active_at=max(now, self.last_active_at))


@dataclass(frozen=True, slots=True)
class CountedStore:
    """A store with what its files add up to, at one moment."""

    store: VectorStore
    file_counts: FileCounts
    usage_bytes: int
    at: datetime

    @property
    def status(self) -> str:
        """The API's status; a failed file does not fail the store."""
        if self.store.is_expired(self.at):
            return "expired"
        return "in_progress" if self.file_counts.in_progress else "completed"


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file in a store; `id` is ours, clients know it by `file_id`."""

    id: str
    created_at: datetime
    vector_store_id: str
    file_id: str
    status: StoreFileStatus = StoreFileStatus.IN_PROGRESS
    last_error: JsonObject | None = None
    usage_bytes: int = 0
    max_chunk_size_tokens: int = DEFAULT_CHUNK_TOKENS
    chunk_overlap_tokens: int = DEFAULT_OVERLAP_TOKENS
    attributes: JsonObject = field(default_factory=dict)

    @property
    def chunking(self) -> Chunking:
        """How it is cut."""
        return Chunking(self.max_chunk_size_tokens, self.chunk_overlap_tokens)


@dataclass(frozen=True, slots=True)
class FileBatch:
    """Files that were added to a store together."""

    id: str
    created_at: datetime
    vector_store_id: str
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class CountedBatch:
    """A batch with what its files add up to."""

    batch: FileBatch
    file_counts: FileCounts

    @property
    def status(self) -> str:
        """The API's status: cancelled if it was, else by its files."""
        if self.file_counts.in_progress:
            return "in_progress"
        if self.batch.is_cancelled:
            return "cancelled"
        return "completed"


@dataclass(frozen=True, slots=True)
class Document:
    """What was read out of a file, and which embedder its windows were embedded by (`services.ingestion`)."""

    file_id: str
    text: str
    tokens: int
    embedder: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a document's text that is found as one: `text[start:end]`, and its vector's bytes."""

    start: int
    end: int
    vector: bytes
    keywords: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A window that a search weighed: its cosine, its keyword relevance (None: not matched), its score."""

    file_id: str
    start: int
    end: int
    dense: float
    keyword: float | None
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found: `text` is `[start:end]` of its document, scores are 0–1."""

    vector_store_id: str
    file_id: str
    filename: str
    attributes: JsonObject
    score: float
    text: str
    start: int
    end: int
    best: Candidate


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: chunks, best first, and every window that was weighed."""

    hits: tuple[Hit, ...] = ()
    candidates: tuple[Candidate, ...] = ()


def store_ids(resources: JsonObject) -> list[str]:
    """The vector stores that `tool_resources` name for file search."""
    return list((resources.get("file_search") or {}).get("vector_store_ids") or [])
