"""Vector stores over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from assistants_api.api.given import (
    BatchId,
    FileId,
    Given,
    Now,
    PageGiven,
    VectorStoreId,
    path_ids,
    read_body,
)
from assistants_api.api.replies import indexing_reply, page_reply, reply
from assistants_api.api.routing import StrictRoute, both, takes
from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.vector_store import StoreFileStatus
from assistants_api.services import searching, traces, vector_stores
from assistants_api.wire.searches import VectorStoreSearchRequest, VectorStoreSearchResultsPage
from assistants_api.wire.vector_stores import (
    CreateVectorStoreFileBatchRequest,
    CreateVectorStoreFileRequest,
    CreateVectorStoreRequest,
    DeleteVectorStoreFileResponse,
    DeleteVectorStoreResponse,
    ListVectorStoreFilesResponse,
    ListVectorStoresResponse,
    UpdateVectorStoreFileAttributesRequest,
    UpdateVectorStoreRequest,
    VectorStoreFileBatchObject,
    VectorStoreFileContentResponse,
    VectorStoreFileObject,
    VectorStoreObject,
)

router = APIRouter(prefix="/vector_stores", tags=["Vector stores"], route_class=StrictRoute)
_ID = path_ids("vector_store_id")
_FILE = path_ids("vector_store_id", "file_id")
_BATCH = path_ids("vector_store_id", "batch_id")
_CHUNKS_PER_PAGE = 5000  # the official SDKs read one page only: an ordinary file is in it, whole
_RESULTS = 10  # of a search that does not say how many

StatusFilter = Annotated[
    StoreFileStatus | None, Query(alias="filter", description="Only files with this status.")
]
PageToken = Annotated[str | None, Query(alias="page", description="The `next_page` of the page before.")]


@router.post(
    "",
    operation_id="createVectorStore",
    response_model=VectorStoreObject,
    openapi_extra=takes(CreateVectorStoreRequest, is_required=False),
)
async def create_vector_store(request: Request, given: Given, now: Now) -> Response:
    """Create a vector store; its files are read and indexed in the background."""
    body = await read_body(request, CreateVectorStoreRequest, may_be_absent=True)
    made = await vector_stores.create_vector_store(given.db, body.to_new_vector_store(), now)
    return reply(VectorStoreObject.of(made))


@router.get("", operation_id="listVectorStores", response_model=ListVectorStoresResponse)
async def list_vector_stores(given: Given, query: PageGiven, now: Now) -> Response:
    """List vector stores."""
    page = await vector_stores.list_vector_stores(given.db, query, now)
    return page_reply(ListVectorStoresResponse, VectorStoreObject, page)


@router.get(
    "/{vector_store_id}",
    operation_id="getVectorStore",
    response_model=VectorStoreObject,
    openapi_extra=_ID,
)
async def get_vector_store(vector_store_id: VectorStoreId, given: Given, now: Now) -> Response:
    """Retrieve a vector store."""
    found = await vector_stores.get_vector_store(given.db, vector_store_id, now)
    return reply(VectorStoreObject.of(found))


@router.post(
    "/{vector_store_id}",
    operation_id="modifyVectorStore",
    response_model=VectorStoreObject,
    openapi_extra=both(_ID, takes(UpdateVectorStoreRequest)),
)
async def modify_vector_store(
    vector_store_id: VectorStoreId, request: Request, given: Given, now: Now
) -> Response:
    """Change a store's name, expiry or metadata."""
    body = await read_body(request, UpdateVectorStoreRequest, may_be_absent=True)
    changed = await vector_stores.modify_vector_store(given.db, vector_store_id, body.changes(), now)
    return reply(VectorStoreObject.of(changed))


@router.delete(
    "/{vector_store_id}",
    operation_id="deleteVectorStore",
    response_model=DeleteVectorStoreResponse,
    openapi_extra=_ID,
)
async def delete_vector_store(vector_store_id: VectorStoreId, given: Given) -> Response:
    """Delete a vector store; its files stay."""
    await vector_stores.delete_vector_store(given.db, vector_store_id)
    return reply(DeleteVectorStoreResponse(id=vector_store_id, object="vector_store.deleted", deleted=True))


@router.post(
    "/{vector_store_id}/search",
    operation_id="searchVectorStore",
    response_model=VectorStoreSearchResultsPage,
    openapi_extra=both(_ID, takes(VectorStoreSearchRequest)),
)
async def search_vector_store(
    vector_store_id: VectorStoreId, request: Request, given: Given, now: Now
) -> Response:
    """Search a store by meaning and by words; chunks come best first, at most fifty."""
    body = await read_body(request, VectorStoreSearchRequest)
    options = body.ranking_options
    queries, hits = await searching.search_vector_store(
        given.db,
        given.searcher,
        vector_store_id,
        body.queries(),
        now,
        limit=body.max_num_results or _RESULTS,
        filter=body.filter(),
        score_threshold=0.0 if options is None else options.score_threshold,
        ranker="auto" if options is None else options.ranker,
        rewrites=bool(body.rewrite_query),
    )
    return reply(VectorStoreSearchResultsPage.over(queries, hits))


@router.post(
    "/{vector_store_id}/files",
    operation_id="createVectorStoreFile",
    response_model=VectorStoreFileObject,
    openapi_extra=both(_ID, takes(CreateVectorStoreFileRequest)),
)
async def create_vector_store_file(
    vector_store_id: VectorStoreId, request: Request, given: Given, now: Now
) -> Response:
    """Add a file to a store; it is read and indexed in the background."""
    body = await read_body(request, CreateVectorStoreFileRequest)
    added = await vector_stores.create_vector_store_file(
        given.db, vector_store_id, body.to_new_store_file(), now
    )
    return indexing_reply(VectorStoreFileObject.of(added), now)


@router.get(
    "/{vector_store_id}/files",
    operation_id="listVectorStoreFiles",
    response_model=ListVectorStoreFilesResponse,
    openapi_extra=_ID,
)
async def list_vector_store_files(
    vector_store_id: VectorStoreId, given: Given, query: PageGiven, status: StatusFilter = None
) -> Response:
    """List the files of a store."""
    page = await vector_stores.list_vector_store_files(given.db, vector_store_id, query, status)
    return page_reply(ListVectorStoreFilesResponse, VectorStoreFileObject, page)


@router.get(
    "/{vector_store_id}/files/{file_id}",
    operation_id="getVectorStoreFile",
    response_model=VectorStoreFileObject,
    openapi_extra=_FILE,
)
async def get_vector_store_file(
    vector_store_id: VectorStoreId, file_id: FileId, given: Given, now: Now
) -> Response:
    """Retrieve a file of a store: its status, and why it failed."""
    found = await vector_stores.get_vector_store_file(given.db, vector_store_id, file_id)
    return indexing_reply(VectorStoreFileObject.of(found), now)


@router.get(
    "/{vector_store_id}/files/{file_id}/trace",
    operation_id="getVectorStoreFileTrace",
    response_model=dict[str, Any],
    openapi_extra=_FILE,
)
async def get_vector_store_file_trace(vector_store_id: VectorStoreId, file_id: FileId, given: Given) -> Any:
    """How far the indexing of a file is. An extension."""
    return await traces.get_file_trace(given.db, vector_store_id, file_id)


@router.post(
    "/{vector_store_id}/files/{file_id}",
    operation_id="updateVectorStoreFileAttributes",
    response_model=VectorStoreFileObject,
    openapi_extra=both(_FILE, takes(UpdateVectorStoreFileAttributesRequest)),
)
async def update_vector_store_file(
    vector_store_id: VectorStoreId, file_id: FileId, request: Request, given: Given
) -> Response:
    """Replace the attributes of a file in a store."""
    body = await read_body(request, UpdateVectorStoreFileAttributesRequest)
    changed = await vector_stores.update_vector_store_file(
        given.db, vector_store_id, file_id, dict(body.attributes or {})
    )
    return reply(VectorStoreFileObject.of(changed))


@router.delete(
    "/{vector_store_id}/files/{file_id}",
    operation_id="deleteVectorStoreFile",
    response_model=DeleteVectorStoreFileResponse,
    openapi_extra=_FILE,
)
async def delete_vector_store_file(vector_store_id: VectorStoreId, file_id: FileId, given: Given) -> Response:
    """Take a file out of a store; the file itself stays."""
    await vector_stores.delete_vector_store_file(given.db, vector_store_id, file_id)
    return reply(DeleteVectorStoreFileResponse(id=file_id, object="vector_store.file.deleted", deleted=True))


@router.get(
    "/{vector_store_id}/files/{file_id}/content",
    operation_id="retrieveVectorStoreFileContent",
    response_model=VectorStoreFileContentResponse,
    openapi_extra=_FILE,
)
async def retrieve_vector_store_file_content(
    vector_store_id: VectorStoreId, file_id: FileId, given: Given, token: PageToken = None
) -> Response:
    """What was read out of a file, chunk by chunk; `page` is an extension."""
    first = _place(token)
    texts, has_more = await vector_stores.read_vector_store_file(
        given.db, vector_store_id, file_id, first, _CHUNKS_PER_PAGE
    )
    next_page = str(first + _CHUNKS_PER_PAGE) if has_more else None
    return reply(VectorStoreFileContentResponse.over(texts, next_page))


@router.post(
    "/{vector_store_id}/file_batches",
    operation_id="createVectorStoreFileBatch",
    response_model=VectorStoreFileBatchObject,
    openapi_extra=both(_ID, takes(CreateVectorStoreFileBatchRequest)),
)
async def create_file_batch(
    vector_store_id: VectorStoreId, request: Request, given: Given, now: Now
) -> Response:
    """Add many files to a store at once."""
    body = await read_body(request, CreateVectorStoreFileBatchRequest)
    made = await vector_stores.create_file_batch(given.db, vector_store_id, body.to_new_store_files(), now)
    return indexing_reply(VectorStoreFileBatchObject.of(made), now)


@router.get(
    "/{vector_store_id}/file_batches/{batch_id}",
    operation_id="getVectorStoreFileBatch",
    response_model=VectorStoreFileBatchObject,
    openapi_extra=_BATCH,
)
async def get_file_batch(
    vector_store_id: VectorStoreId, batch_id: BatchId, given: Given, now: Now
) -> Response:
    """Retrieve a batch."""
    found = await vector_stores.get_file_batch(given.db, vector_store_id, batch_id)
    return indexing_reply(VectorStoreFileBatchObject.of(found), now)


@router.post(
    "/{vector_store_id}/file_batches/{batch_id}/cancel",
    operation_id="cancelVectorStoreFileBatch",
    response_model=VectorStoreFileBatchObject,
    openapi_extra=_BATCH,
)
async def cancel_file_batch(vector_store_id: VectorStoreId, batch_id: BatchId, given: Given) -> Response:
    """Cancel what is not done yet."""
    cancelled = await vector_stores.cancel_file_batch(given.db, vector_store_id, batch_id)
    return reply(VectorStoreFileBatchObject.of(cancelled))


@router.get(
    "/{vector_store_id}/file_batches/{batch_id}/files",
    operation_id="listFilesInVectorStoreBatch",
    response_model=ListVectorStoreFilesResponse,
    openapi_extra=_BATCH,
)
async def list_batch_files(
    vector_store_id: VectorStoreId,
    batch_id: BatchId,
    given: Given,
    query: PageGiven,
    status: StatusFilter = None,
) -> Response:
    """List the files of a batch."""
    page = await vector_stores.list_vector_store_files(given.db, vector_store_id, query, status, batch_id)
    return page_reply(ListVectorStoreFilesResponse, VectorStoreFileObject, page)


def _place(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isascii() or not token.isdigit() or len(token) > 9:
        raise InvalidRequest(f"Invalid 'page': '{token[:40]}'.", param="page", code="invalid_value")
    return int(token)
