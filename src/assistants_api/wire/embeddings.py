"""Embeddings on the wire."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, Field

from assistants_api.domain.errors import InvalidRequest
from assistants_api.ports import Vector
from assistants_api.wire.base import Reply, Request

_MOST_INPUTS = 2048
_INPUT: dict[str, Any] = {
    "oneOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "minItems": 1,
            "maxItems": _MOST_INPUTS,
        },
    ]
}


class DeploymentEmbeddingRequest(Request):
    """The body of createEmbedding where the path names the model."""

    input: Annotated[Any, Field(json_schema_extra=_INPUT)]
    model: str | None = Field(None, min_length=1, max_length=256)
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(None, ge=1)
    user: str | None = None

    def texts(self) -> list[str]:
        """The texts; tokens of another model's vocabulary are refused by name."""
        given = [self.input] if isinstance(self.input, str) else self.input
        if not isinstance(given, list) or not given or len(given) > _MOST_INPUTS:
            raise InvalidRequest(
                f"Invalid 'input': expected a string or an array of 1 to {_MOST_INPUTS} strings.",
                param="input",
                code="invalid_value",
            )
        if not all(isinstance(text, str) for text in given):
            raise InvalidRequest(
                "Invalid 'input': this server's embedder takes texts, not tokens of another vocabulary."
                " Send strings (in LangChain: check_embedding_ctx_length=False).",
                param="input",
                code="invalid_type",
            )
        if not all(given):
            raise InvalidRequest("Invalid 'input': a text is empty.", param="input", code="invalid_value")
        return list(given)


class CreateEmbeddingRequest(DeploymentEmbeddingRequest):
    """The body of createEmbedding; any `model` name is taken for the one embedder that is served."""

    model: str = Field(min_length=1, max_length=256)


def shortened(vector: Vector, dimensions: int) -> Vector:
    """The first so many dimensions, at length one."""
    first = vector[:dimensions]
    return first / max(float(np.linalg.norm(first)), 1e-12)


class Embedding(BaseModel):
    """One vector, as numbers or as base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Tokens as the embedder counts them."""

    prompt_tokens: int
    total_tokens: int


class CreateEmbeddingResponse(Reply):
    """Vectors in the order of the input."""

    KIND: ClassVar[str] = "list"

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage

    @classmethod
    def over(
        cls, vectors: Sequence[Vector], model: str, tokens: int, encoding: str | None
    ) -> "CreateEmbeddingResponse":
        """The vectors in the form that was asked for."""
        data = [
            {"object": "embedding", "index": index, "embedding": _encoded(vector, encoding)}
            for index, vector in enumerate(vectors)
        ]
        return cls.showing(data=data, model=model, usage={"prompt_tokens": tokens, "total_tokens": tokens})


def _encoded(vector: Vector, encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(np.round(number, 8)) for number in vector]
