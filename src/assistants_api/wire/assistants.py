"""Assistants on the wire."""

from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field

from assistants_api.domain.assistant import NO_RESOURCES, NewAssistant
from assistants_api.wire.base import MetadataField, Page, Reply, Request, Timestamp, plain
from assistants_api.wire.shapes import (
    CreateToolResources,
    Instructions,
    MetadataShown,
    Reasoning,
    ResponseFormat,
    ResponseFormatShown,
    Temperature,
    Tool,
    ToolResources,
    ToolResourcesShown,
    ToolsShown,
    TopP,
    stored_format,
    stored_resources,
    stored_tools,
)

Name = Annotated[str | None, Field(max_length=256)]
Description = Annotated[str | None, Field(max_length=512)]
Tools = Annotated[list[Tool] | None, Field(max_length=128)]


class CreateAssistantRequest(Request):
    """The body of createAssistant."""

    model: str = Field(min_length=1, max_length=256)
    name: Name = None
    description: Description = None
    instructions: Instructions = None
    tools: Tools = None
    tool_resources: CreateToolResources | None = None
    metadata: MetadataField = None
    temperature: Temperature = None
    top_p: TopP = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Reasoning = None

    def to_new_assistant(self) -> NewAssistant:
        """What the domain makes an assistant of."""
        return NewAssistant(
            model=self.model,
            name=self.name,
            description=self.description,
            instructions=self.instructions,
            tools=stored_tools(self.tools),
            tool_resources=stored_resources(self.tool_resources),
            metadata=self.metadata or {},
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            response_format=stored_format(self.response_format),
            reasoning_effort=self.reasoning_effort,
        )


class ModifyAssistantRequest(Request):
    """The body of modifyAssistant: only what is given changes, and lists replace the old ones."""

    # A factory's value is in no document: generated clients would send it with every change, and be refused.
    model: str = Field(default_factory=str, min_length=1, max_length=256)
    name: Name = None
    description: Description = None
    instructions: Instructions = None
    tools: Tools = None
    tool_resources: ToolResources | None = None
    metadata: MetadataField = None
    temperature: Temperature = None
    top_p: TopP = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Reasoning = None

    def changes(self) -> dict[str, Any]:
        """The stored fields that change."""
        changes = self.given("model", "name", "description", "instructions", "reasoning_effort")
        given = self.model_fields_set
        if "tools" in given:
            changes["tools"] = stored_tools(self.tools)
        if "tool_resources" in given:
            changes["tool_resources"] = plain(self.tool_resources)
        if "metadata" in given:
            changes["metadata"] = self.metadata or {}
        if "temperature" in given:
            changes["temperature"] = 1.0 if self.temperature is None else self.temperature
        if "top_p" in given:
            changes["top_p"] = 1.0 if self.top_p is None else self.top_p
        if "response_format" in given:
            changes["response_format"] = stored_format(self.response_format)
        return changes


class AssistantObject(Reply):
    """An assistant."""

    KIND: ClassVar[str] = "assistant"

    id: str
    object: Literal["assistant"]
    created_at: Timestamp
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: ToolsShown
    tool_resources: ToolResourcesShown
    metadata: MetadataShown
    temperature: float | None
    top_p: float | None
    response_format: ResponseFormatShown

    @classmethod
    def of(cls, thing: Any) -> Self:
        """The assistant; each tool that works on something shows its list, an empty one too."""
        reply = super().of(thing)
        tools = {tool["type"] for tool in thing.tools}
        empty = {name: lists for name, lists in NO_RESOURCES.items() if name in tools}
        reply.tool_resources = cast(Any, {**empty, **thing.tool_resources})
        return reply


class ListAssistantsResponse(Page):
    """A page of assistants."""

    object: Literal["list"]
    data: list[AssistantObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeleteAssistantResponse(Reply):
    """The assistant is gone."""

    id: str
    object: Literal["assistant.deleted"]
    deleted: Literal[True]
