"""Vector stores, their files and batches on the wire."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.vector_store import NewStoreFile, NewVectorStore
from assistants_api.wire.base import FileId, Key, MetadataField, Page, Reply, Request, Timestamp, plain
from assistants_api.wire.chunking import ChunkingField, StaticChunking, chunking_of
from assistants_api.wire.shapes import MetadataShown

AttributeValue = Annotated[str, Field(max_length=512)] | bool | int | float
AttributesField = Annotated[dict[Key, AttributeValue] | None, Field(max_length=16)]


class VectorStoreExpirationAfter(Request):
    """When a store that nobody uses goes."""

    anchor: Literal["last_active_at"]
    days: int = Field(ge=1, le=365)


Name = Annotated[str | None, Field(max_length=256)]


class CreateVectorStoreRequest(Request):
    """The body of createVectorStore; it may be absent."""

    file_ids: list[FileId] | None = Field(None, max_length=500)
    name: Name = None
    description: Annotated[str | None, Field(max_length=512)] = None
    expires_after: VectorStoreExpirationAfter | None = None
    chunking_strategy: ChunkingField | None = None
    metadata: MetadataField = None

    def to_new_vector_store(self) -> NewVectorStore:
        """What the domain makes a store of."""
        chunking = chunking_of(self.chunking_strategy)
        return NewVectorStore(
            name=self.name,
            description=self.description,
            files=tuple(NewStoreFile(file_id, chunking) for file_id in self.file_ids or ()),
            expires_after=plain(self.expires_after),
            metadata=self.metadata or {},
        )


class UpdateVectorStoreRequest(Request):
    """The body of modifyVectorStore: only what is given changes."""

    name: Name = None
    expires_after: VectorStoreExpirationAfter | None = None
    metadata: MetadataField = None

    def changes(self) -> dict[str, Any]:
        """The stored fields that change."""
        changes = self.given("name")
        if "expires_after" in self.model_fields_set:
            changes["expires_after"] = plain(self.expires_after)
        if "metadata" in self.model_fields_set:
            changes["metadata"] = self.metadata or {}
        return changes


class CreateVectorStoreFileRequest(Request):
    """The body of createVectorStoreFile."""

    file_id: FileId
    attributes: AttributesField = None
    chunking_strategy: ChunkingField | None = None

    def to_new_store_file(self, path: str = "") -> NewStoreFile:
        """What the domain adds to a store."""
        chunking = chunking_of(self.chunking_strategy, f"{path}chunking_strategy")
        return NewStoreFile(self.file_id, chunking, dict(self.attributes or {}))


class UpdateVectorStoreFileAttributesRequest(Request):
    """The body of updateVectorStoreFileAttributes."""

    attributes: AttributesField


class CreateVectorStoreFileBatchRequest(Request):
    """The body of createVectorStoreFileBatch: `file_ids`, or `files` with settings for each."""

    file_ids: list[FileId] | None = Field(None, min_length=1, max_length=2000)
    files: list[CreateVectorStoreFileRequest] | None = Field(None, min_length=1, max_length=2000)
    attributes: AttributesField = None
    chunking_strategy: ChunkingField | None = None

    def to_new_store_files(self) -> list[NewStoreFile]:
        """What the domain adds to a store; beside `files`, the settings for all are ignored."""
        if self.file_ids is not None and self.files is not None:
            raise InvalidRequest(
                "Mutually exclusive parameters: 'file_ids' and 'files'. Give one of them.",
                param="files",
                code="mutually_exclusive_parameters",
            )
        if self.files is not None:
            return [file.to_new_store_file(f"files[{place}].") for place, file in enumerate(self.files)]
        if self.file_ids is None:
            raise InvalidRequest(
                "Missing required parameter: 'file_ids'.",
                param="file_ids",
                code="missing_required_parameter",
            )
        chunking, attributes = chunking_of(self.chunking_strategy), dict(self.attributes or {})
        return [NewStoreFile(file_id, chunking, attributes) for file_id in self.file_ids]


class FileCountsObject(BaseModel):
    """How many files have which status."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class VectorStoreObject(Reply):
    """A vector store."""

    KIND: ClassVar[str] = "vector_store"

    id: str
    object: Literal["vector_store"]
    created_at: Timestamp
    name: str | None
    description: str | None
    usage_bytes: int
    file_counts: FileCountsObject
    status: Literal["expired", "in_progress", "completed"]
    expires_after: VectorStoreExpirationAfter | None
    expires_at: Timestamp | None
    last_active_at: Timestamp | None
    metadata: MetadataShown

    @classmethod
    def of(cls, thing: Any) -> Self:
        """The store and its counts."""
        store = thing.store
        return cls.showing(
            id=store.id,
            created_at=store.created_at,
            name=store.name,
            description=store.description,
            usage_bytes=thing.usage_bytes,
            file_counts=thing.file_counts.shown,
            status=thing.status,
            expires_after=store.expires_after,
            expires_at=store.expires_at,
            last_active_at=store.last_active_at,
            metadata=store.metadata,
        )


class ListVectorStoresResponse(Page):
    """A page of stores."""

    object: Literal["list"]
    data: list[VectorStoreObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeleteVectorStoreResponse(Reply):
    """The store is gone."""

    id: str
    object: Literal["vector_store.deleted"]
    deleted: Literal[True]


class StoreFileError(BaseModel):
    """Why a file could not be indexed."""

    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


class VectorStoreFileObject(Reply):
    """A file in a store."""

    KIND: ClassVar[str] = "vector_store.file"

    id: str
    object: Literal["vector_store.file"]
    usage_bytes: int
    created_at: Timestamp
    vector_store_id: str
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    last_error: StoreFileError | None
    chunking_strategy: StaticChunking
    attributes: dict[str, AttributeValue]

    @classmethod
    def of(cls, thing: Any) -> Self:
        """The file as clients know it: by its own id."""
        return cls.showing(
            id=thing.file_id,
            usage_bytes=thing.usage_bytes,
            created_at=thing.created_at,
            vector_store_id=thing.vector_store_id,
            status=thing.status,
            last_error=thing.last_error,
            chunking_strategy=thing.chunking.shown,
            attributes=thing.attributes,
        )


class ListVectorStoreFilesResponse(Page):
    """A page of files in a store."""

    object: Literal["list"]
    data: list[VectorStoreFileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeleteVectorStoreFileResponse(Reply):
    """The file is no longer in the store."""

    id: str
    object: Literal["vector_store.file.deleted"]
    deleted: Literal[True]


class VectorStoreFileBatchObject(Reply):
    """A batch of files.

    Its `object` is the one of the specification: openai-python in strict mode refuses the service's own,
    `vector_store.file_batch`.
    """

    KIND: ClassVar[str] = "vector_store.files_batch"

    id: str
    object: Literal["vector_store.files_batch"]
    created_at: Timestamp
    vector_store_id: str
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    file_counts: FileCountsObject

    @classmethod
    def of(cls, thing: Any) -> Self:
        """The batch and its counts."""
        batch = thing.batch
        return cls.showing(
            id=batch.id,
            created_at=batch.created_at,
            vector_store_id=batch.vector_store_id,
            status=thing.status,
            file_counts=thing.file_counts.shown,
        )


class TextContent(BaseModel):
    """A piece of text."""

    type: Literal["text"]
    text: str


class VectorStoreFileContentResponse(Reply):
    """What was read out of a file, chunk by chunk."""

    KIND: ClassVar[str] = "vector_store.file_content.page"

    object: Literal["vector_store.file_content.page"]
    data: list[TextContent]
    has_more: bool
    next_page: str | None

    @classmethod
    def over(cls, texts: Sequence[str], next_page: str | None) -> Self:
        """A page of texts."""
        return cls.showing(
            data=[{"type": "text", "text": text} for text in texts],
            has_more=next_page is not None,
            next_page=next_page,
        )
