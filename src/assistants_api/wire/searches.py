"""Searches of vector stores on the wire."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, Field

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.json import JsonObject
from assistants_api.domain.vector_store import Hit
from assistants_api.wire.base import Reply, Request, plain
from assistants_api.wire.vector_stores import AttributeValue, TextContent

_MAX_FILTER_DEPTH = 8


class ComparisonFilter(Request):
    """Compares one attribute."""

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: str
    value: str | bool | int | float | list[str | bool | int | float]


class CompoundFilter(Request):
    """Combines filters."""

    type: Literal["and", "or"]
    filters: list["Filter"] = Field(min_length=1)


Filter = Annotated[ComparisonFilter | CompoundFilter, Field(discriminator="type")]


class SearchRankingOptions(Request):
    """How results are ranked."""

    ranker: Literal["none", "auto", "default-2024-11-15"] = "auto"
    score_threshold: float = Field(0, ge=0, le=1)


class VectorStoreSearchRequest(Request):
    """The body of searchVectorStore."""

    query: str | list[str]
    rewrite_query: bool | None = None
    max_num_results: int | None = Field(None, ge=1, le=50, description="10 unless said.")
    filters: Filter | None = None
    ranking_options: SearchRankingOptions | None = None

    def queries(self) -> tuple[str, ...]:
        """What is looked for; none of it may be blank."""
        queries = (self.query,) if isinstance(self.query, str) else tuple(self.query)
        if not queries or len(queries) > 32 or not all(query.strip() for query in queries):
            raise InvalidRequest(
                "Invalid 'query': expected one to 32 texts that are not blank.",
                param="query",
                code="invalid_value",
            )
        return queries

    def filter(self) -> JsonObject | None:
        """The filter as the domain takes it."""
        if self.filters is None:
            return None
        _check_filter(self.filters, "filters", 1)
        value: JsonObject = plain(self.filters)
        return value


def _check_filter(filter: ComparisonFilter | CompoundFilter, path: str, depth: int) -> None:
    if depth > _MAX_FILTER_DEPTH:
        raise InvalidRequest(
            f"Filters are nested deeper than {_MAX_FILTER_DEPTH} levels.", param=path, code="invalid_value"
        )
    if isinstance(filter, CompoundFilter):
        for place, part in enumerate(filter.filters):
            _check_filter(part, f"{path}.filters[{place}]", depth + 1)
        return
    wants_list = filter.type in ("in", "nin")
    if wants_list is not isinstance(filter.value, list):
        expected = "an array" if wants_list else "a string, a number or a boolean"
        raise InvalidRequest(
            f"Invalid type for '{path}.value': expected {expected}.",
            param=f"{path}.value",
            code="invalid_type",
        )


class VectorStoreSearchResultItem(BaseModel):
    """A chunk that was found."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, AttributeValue] | None
    content: list[TextContent]


class VectorStoreSearchResultsPage(Reply):
    """What a search found, best first."""

    KIND: ClassVar[str] = "vector_store.search_results.page"

    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[VectorStoreSearchResultItem]
    has_more: bool
    next_page: str | None

    @classmethod
    def over(cls, queries: Sequence[str], hits: Sequence[Hit]) -> Self:
        """The one page of hits that there is: a search gives at most fifty."""
        return cls.showing(
            search_query=list(queries),
            data=[
                {
                    "file_id": hit.file_id,
                    "filename": hit.filename,
                    "score": hit.score,
                    "attributes": hit.attributes,
                    "content": [{"type": "text", "text": hit.text}],
                }
                for hit in hits
            ],
            has_more=False,
            next_page=None,
        )
