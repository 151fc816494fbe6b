"""Models over HTTP."""

from fastapi import APIRouter

from assistants_api.api.given import Given
from assistants_api.api.routing import StrictRoute
from assistants_api.domain.errors import InvalidRequest, NotFound
from assistants_api.wire.models import ListModelsResponse, Model

router = APIRouter(prefix="/models", tags=["Models"], route_class=StrictRoute)


@router.get("", operation_id="listModels")
async def list_models(given: Given) -> ListModelsResponse:
    """List the served models and their aliases."""
    catalogue = given.catalogue
    models = [
        Model.named(name, catalogue.created_at, given.engine.describe(catalogue.resolve(name)))
        for name in catalogue.names
    ]
    return ListModelsResponse(object="list", data=models)


@router.get("/{model:path}", operation_id="retrieveModel")
async def retrieve_model(model: str, given: Given) -> Model:
    """Retrieve a model by any name under which it is served; names may hold slashes."""
    try:
        served = given.catalogue.resolve(model)
    except InvalidRequest as unknown:
        raise NotFound(
            f"The model '{model}' does not exist", param="model", code="model_not_found"
        ) from unknown
    return Model.named(model, given.catalogue.created_at, given.engine.describe(served))


@router.delete("/{model:path}", operation_id="deleteModel")
async def delete_model(model: str, given: Given) -> Model:
    """Models are served by setting, so none can be deleted: always refused."""
    await retrieve_model(model, given)
    raise InvalidRequest(
        f"The model '{model}' cannot be deleted: it is served because ASSISTANTS_MODEL says so.",
        param="model",
        code="unsupported_operation",
    )
