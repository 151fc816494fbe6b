"""Embeddings over HTTP."""

from fastapi import APIRouter, Request, Response

from assistants_api.api.given import Given, read_body
from assistants_api.api.parts import Parts
from assistants_api.api.replies import reply
from assistants_api.api.routing import StrictRoute, takes
from assistants_api.domain.errors import InvalidRequest
from assistants_api.wire.embeddings import (
    CreateEmbeddingRequest,
    CreateEmbeddingResponse,
    DeploymentEmbeddingRequest,
    shortened,
)

router = APIRouter(tags=["Embeddings"], route_class=StrictRoute)
# Azure clients name the model in the path.
deployments = APIRouter(prefix="/deployments", route_class=StrictRoute)


@router.post(
    "/embeddings",
    operation_id="createEmbedding",
    response_model=CreateEmbeddingResponse,
    openapi_extra=takes(CreateEmbeddingRequest),
)
async def create_embedding(request: Request, given: Given) -> Response:
    """Embed texts with the model that file search uses."""
    return await _embedded(await read_body(request, CreateEmbeddingRequest), given)


@deployments.post("/{deployment:path}/embeddings", include_in_schema=False)
async def create_embedding_at(deployment: str, request: Request, given: Given) -> Response:
    """The same, with the model named in the path."""
    return await _embedded(await read_body(request, DeploymentEmbeddingRequest), given)


async def _embedded(body: DeploymentEmbeddingRequest, given: Parts) -> Response:
    texts = body.texts()
    vectors = await given.embedder.embed(texts)
    if body.dimensions is not None and body.dimensions > len(vectors[0]):
        raise InvalidRequest(
            f"Invalid 'dimensions': the embedder '{given.embedder.name}' has {len(vectors[0])}.",
            param="dimensions",
            code="invalid_value",
        )
    if body.dimensions is not None:
        vectors = [shortened(vector, body.dimensions) for vector in vectors]
    tokens = await given.embedder.count(texts)
    return reply(CreateEmbeddingResponse.over(vectors, given.embedder.name, tokens, body.encoding_format))
