"""The schemas of the document as generators of clients read them best; they say what pydantic says."""

from collections.abc import Iterator
from typing import Any

# Unions, by the names that clients have for them, and where each is found: they stand in other places too.
_UNIONS = {
    "Annotation": "TextValue/properties/annotations/items",
    "AttachmentTool": "MessageAttachment/properties/tools/anyOf/0/items",
    "AttributeValue": "VectorStoreFileObject/properties/attributes/additionalProperties",
    "ChatCompletionRequestAssistantMessageContentPart": (
        "ChatCompletionRequestAssistantMessage/properties/content/anyOf/0/anyOf/1/items"
    ),
    "ChatCompletionRequestMessage": "CreateChatCompletionRequest/properties/messages/items",
    "ChatCompletionRequestUserMessageContentPart": (
        "ChatCompletionRequestUserMessage/properties/content/anyOf/1/items"
    ),
    "ChatCompletionResponseFormat": "CreateChatCompletionRequest/properties/response_format/anyOf/0",
    "ChatCompletionTool": "CreateChatCompletionRequest/properties/tools/anyOf/0/items",
    "ChatCompletionToolChoice": "CreateChatCompletionRequest/properties/tool_choice/anyOf/0",
    "ChunkingStrategy": "CreateVectorStoreRequest/properties/chunking_strategy/anyOf/0",
    "CodeOutput": "CodeCall/properties/outputs/items",
    "Filter": "CompoundFilter/properties/filters/items",
    "FilterValue": "ComparisonFilter/properties/value/anyOf/3/items",
    "MessageContent": "MessageObject/properties/content/items",
    "MessageContentPart": "CreateMessageRequest/properties/content/anyOf/1/items",
    "MessageDeltaContent": "MessageDeltaBody/properties/content/items",
    "ResponseFormat": "AssistantObject/properties/response_format",
    "RunStepDetails": "RunStepObject/properties/step_details",
    "RunStepToolCall": "RunStepDetailsToolCallsObject/properties/tool_calls/items",
    "Tool": "AssistantObject/properties/tools/items",
    "ToolChoice": "RunObject/properties/tool_choice",
}
_WIDE = frozenset({"bytes", "parameters", "seed", "usage_bytes"})  # may be more than 32 bits hold


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """The document with plain schemas."""
    schemas: dict[str, Any] = _plain(document["components"]["schemas"])
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            for part in (field, *field.get("anyOf", ())) if name in _WIDE else ():
                if part.get("type") == "integer":
                    part["format"] = "int64"
    unions = {name: _found(schemas, place) for name, place in _UNIONS.items()}
    components = _named(schemas, unions)
    for name, union in unions.items():
        components[name] = {key: _named(part, unions) for key, part in union.items()}
    del components["Filter"]["discriminator"]  # it holds itself, and Zod's unions with one cannot
    for name, schema in components.items():
        schema["title"] = name  # so that no two are equal: openapi-generator takes one for the other then
    return {
        **document,
        "paths": _named(_plain(document["paths"]), unions),
        "components": {**document["components"], "schemas": dict(sorted(components.items()))},
    }


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, dict):
        return node
    made = {name: _plain(part) for name, part in node.items()}
    if made.get("default", ...) is None:
        del made["default"]  # says nothing; some generators take a field with a default for a required one
    if isinstance(made.get("title"), str):
        del made["title"]  # made of the field's name; generators would name its type by that alone
    if isinstance(made.get("const"), bool):
        del made["const"]  # openapi-generator's Python takes it for the word `true`
    if made.get("type") == "number":
        made["format"] = "double"  # where nothing is said, Go takes 32 bits and Java its decimals
    if "oneOf" in made or "anyOf" in made:
        _set_members(made)
    return made


def _set_members(union: dict[str, Any]) -> None:
    """Its members, none of which is a union itself unless it may be null.

    For a union in a union, and for an array of one, openapi-generator writes TypeScript that does not
    compile; of `anyOf` it makes no types where nothing but `oneOf` is needed to tell the members apart.
    """
    word = "oneOf" if "oneOf" in union else "anyOf"
    members = [part for member in union[word] for part in _members(member, word)]
    if any(member.get("type") == "number" for member in members):
        members = [member for member in members if member.get("type") != "integer"]
    types = [member.get("type") for member in members]
    if "discriminator" not in union and "null" not in types and len(set(types)) == len(types):
        del union[word]
        is_hard = any("oneOf" in member.get("items", {}) for member in members)
        word = "anyOf" if is_hard else "oneOf"
    union[word] = members


def _members(member: dict[str, Any], word: str) -> Iterator[Any]:
    if word == "oneOf" and "oneOf" in member:
        yield from member["oneOf"]
    else:
        yield member


def _found(schemas: dict[str, Any], place: str) -> Any:
    found: Any = schemas
    for step in place.split("/"):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


def _named(node: Any, unions: dict[str, Any]) -> Any:
    for name, union in unions.items():
        if node == union:
            return {"$ref": f"#/components/schemas/{name}"}
    if isinstance(node, list):
        return [_named(part, unions) for part in node]
    if isinstance(node, dict):
        return {key: _named(part, unions) for key, part in node.items()}
    return node
