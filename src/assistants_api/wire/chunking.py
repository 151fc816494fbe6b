"""How files are cut, on the wire."""

from typing import Annotated, Literal

from pydantic import Field

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.vector_store import Chunking
from assistants_api.wire.base import Request


class AutoChunking(Request):
    """The default: 800 tokens, 400 of them shared with the next chunk."""

    type: Literal["auto"]


class StaticChunkingSizes(Request):
    """Sizes in tokens."""

    max_chunk_size_tokens: int = Field(ge=100, le=4096)
    chunk_overlap_tokens: int = Field(ge=0)


class StaticChunking(Request):
    """Sizes of one's own."""

    type: Literal["static"]
    static: StaticChunkingSizes


ChunkingField = Annotated[AutoChunking | StaticChunking, Field(discriminator="type")]


def chunking_of(strategy: AutoChunking | StaticChunking | None, path: str = "chunking_strategy") -> Chunking:
    """The chunking that was asked for; the overlap may be half of a chunk."""
    if not isinstance(strategy, StaticChunking):
        return Chunking()
    sizes = strategy.static
    if sizes.chunk_overlap_tokens * 2 > sizes.max_chunk_size_tokens:
        most = sizes.max_chunk_size_tokens // 2
        raise InvalidRequest(
            f"Invalid '{path}.static.chunk_overlap_tokens': integer above maximum value. Expected a value"
            f" <= {most} (half of max_chunk_size_tokens), but got {sizes.chunk_overlap_tokens} instead.",
            param=f"{path}.static.chunk_overlap_tokens",
            code="integer_above_max_value",
        )
    return Chunking(sizes.max_chunk_size_tokens, sizes.chunk_overlap_tokens)
