"""JSON shapes that several objects share: tools, tool resources, tool choice, response format."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.json import JsonObject
from assistants_api.domain.vector_store import NewStoreFile, NewVectorStore
from assistants_api.wire.base import FileId, MetadataField, Request, VectorStoreId, plain
from assistants_api.wire.chunking import ChunkingField, chunking_of

DEFAULT_RANKING = {"ranker": "default_2024_08_21", "score_threshold": 0.0}


class CodeInterpreterTool(Request):
    """Runs Python."""

    type: Literal["code_interpreter"]


class RankingOptions(Request):
    """How results are ranked."""

    ranker: Literal["auto", "default_2024_08_21"] | None = None
    score_threshold: float = Field(ge=0, le=1)


class FileSearchOptions(Request):
    """Overrides of the file search tool."""

    max_num_results: int | None = Field(None, ge=1, le=50)
    ranking_options: RankingOptions | None = None


class FileSearchTool(Request):
    """Searches files."""

    type: Literal["file_search"]
    file_search: FileSearchOptions | None = None


class FunctionDefinition(Request):
    """A function of the caller's."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Request):
    """A function that the caller runs."""

    type: Literal["function"]
    function: FunctionDefinition


Tool = Annotated[CodeInterpreterTool | FileSearchTool | FunctionTool, Field(discriminator="type")]


class CodeInterpreterResources(Request):
    """Files for the code interpreter."""

    file_ids: list[FileId] | None = Field(None, max_length=20)


class VectorStoreHelper(Request):
    """A vector store that is to be made for this object."""

    file_ids: list[FileId] | None = Field(None, max_length=10_000)
    chunking_strategy: ChunkingField | None = None
    metadata: MetadataField = None


class FileSearchResources(Request):
    """Vector stores for file search."""

    vector_store_ids: list[VectorStoreId] | None = Field(None, max_length=1)


class ToolResources(Request):
    """What tools work on."""

    code_interpreter: CodeInterpreterResources | None = None
    file_search: FileSearchResources | None = None


class CreateFileSearchResources(FileSearchResources):
    """Vector stores for file search: by id, or made here."""

    vector_stores: list[VectorStoreHelper] | None = Field(None, max_length=1)


class CreateToolResources(Request):
    """What tools of a new object work on."""

    code_interpreter: CodeInterpreterResources | None = None
    file_search: CreateFileSearchResources | None = None


class NamedFunction(Request):
    """A function by name."""

    name: str


class NamedToolChoice(Request):
    """Forces one tool."""

    type: Literal["function", "code_interpreter", "file_search"]
    function: NamedFunction | None = None


class PlainFormat(Request):
    """Plain text, or any JSON object."""

    type: Literal["text", "json_object"]


class JsonSchema(Request):
    """A named schema."""

    name: str = Field(max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class JsonSchemaFormat(Request):
    """JSON by a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


AnyFormat = Annotated[PlainFormat | JsonSchemaFormat, Field(discriminator="type")]


def _word_or_object(value: object) -> str:
    return "~object" if isinstance(value, dict | BaseModel) else "~word"


ResponseFormat = Annotated[
    Annotated[Literal["auto"], Tag("~word")] | Annotated[AnyFormat, Tag("~object")],
    Discriminator(_word_or_object),
]
ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("~word")] | Annotated[NamedToolChoice, Tag("~object")],
    Discriminator(_word_or_object),
]


class TruncationStrategy(Request):
    """How a long thread is cut for the model."""

    type: Literal["auto", "last_messages"]
    last_messages: int | None = Field(None, ge=1)


Temperature = Annotated[float | None, Field(ge=0, le=2)]
TopP = Annotated[float | None, Field(ge=0, le=1)]
Reasoning = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
Instructions = Annotated[str | None, Field(max_length=256_000)]

ToolsShown = list[Tool]
ToolResourcesShown = ToolResources | None
ResponseFormatShown = ResponseFormat
MetadataShown = dict[str, str]


def stored_tools(tools: list[Any] | None) -> tuple[JsonObject, ...]:
    """Tools as they are stored; file search gets the ranking that the service showed."""
    stored = []
    for tool in tools or ():
        value = plain(tool)
        if value["type"] == "file_search":
            given = value.get("file_search") or {}
            options = {name: option for name, option in given.items() if option is not None}
            value["file_search"] = {"ranking_options": DEFAULT_RANKING, **options}
        stored.append(value)
    return tuple(stored)


def stored_resources(
    resources: ToolResources | CreateToolResources | None, path: str = "tool_resources"
) -> JsonObject:
    """Tool resources as services take them: `vector_stores` helpers become the domain's new stores."""
    if resources is None:
        return {}
    stored: dict[str, Any] = {name: value for name, value in plain(resources).items() if value is not None}
    search = resources.file_search
    if isinstance(search, CreateFileSearchResources) and search.vector_stores is not None:
        where = f"{path}.file_search.vector_stores"
        if search.vector_store_ids:
            raise InvalidRequest(
                f"Mutually exclusive parameters: '{path}.file_search.vector_store_ids' and '{where}'.",
                param=where,
                code="mutually_exclusive_parameters",
            )
        stored["file_search"]["vector_stores"] = [
            _new_store(helper, f"{where}[{place}]") for place, helper in enumerate(search.vector_stores)
        ]
    return stored


def _new_store(helper: VectorStoreHelper, path: str) -> NewVectorStore:
    chunking = chunking_of(helper.chunking_strategy, f"{path}.chunking_strategy")
    files = tuple(NewStoreFile(file_id, chunking) for file_id in helper.file_ids or ())
    return NewVectorStore(files=files, metadata=helper.metadata or {})


def stored_format(value: Any) -> str | JsonObject:
    """A response format as it is stored."""
    if isinstance(value, BaseModel):
        dumped: JsonObject = value.model_dump(exclude_unset=True, by_alias=True)
        return dumped
    return "auto" if value is None else str(value)


def stored_choice(choice: Any, path: str = "tool_choice") -> str | JsonObject | None:
    """A tool choice as it is stored."""
    if isinstance(choice, NamedToolChoice):
        if choice.type == "function" and choice.function is None:
            raise InvalidRequest(
                f"Missing required parameter: '{path}.function'.",
                param=f"{path}.function",
                code="missing_required_parameter",
            )
        stored: JsonObject = plain(choice)
        return stored
    return None if choice is None else str(choice)


def stored_truncation(strategy: TruncationStrategy | None) -> JsonObject | None:
    """A truncation strategy as it is stored and shown."""
    if strategy is None:
        return None
    if strategy.type == "last_messages" and strategy.last_messages is None:
        raise InvalidRequest(
            "Missing required parameter: 'truncation_strategy.last_messages'.",
            param="truncation_strategy.last_messages",
            code="missing_required_parameter",
        )
    last = strategy.last_messages if strategy.type == "last_messages" else None
    return {"type": strategy.type, "last_messages": last}
