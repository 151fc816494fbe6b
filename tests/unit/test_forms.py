"""Schemas that would end the process that reads them are refused, whatever way they are deep."""

from typing import Any

import pytest

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.prompt import EngineFacts
from assistants_api.services.forms import refuse_forms

pytest.importorskip("llguidance")

ENGINE = EngineFacts("transformers", "m", "ready", 1024, has_structured_output=True, enforces_schemas=True)
STRING = {"type": "string"}


def linked(*links: Any) -> Any:
    """Definitions that each hold the next one in this way: `links` make them, the last is a string."""
    defs = {f"a{n}": link({"$ref": f"#/$defs/a{n + 1}"}) for n, link in enumerate(links)}
    return {"type": "object", "$ref": "#/$defs/a0", "$defs": {**defs, f"a{len(links)}": STRING}}


def plain(schema: Any) -> Any:
    return schema


def listed(schema: Any) -> Any:
    for _ in range(50):
        schema = {"type": "array", "items": schema}
    return schema


def named(schema: Any) -> Any:
    return {"type": "object", "properties": {"next": schema}}


def chosen(schema: Any) -> Any:
    return {"anyOf": [schema, {"type": "null"}]}


def nested(levels: int) -> Any:
    schema: Any = STRING
    for _ in range(levels):
        schema = named(schema)
    return schema


def back_and_forth(count: int) -> Any:
    """Each definition leads to all others."""
    defs = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{m}"} for m in range(count)]} for n in range(count)}
    return {"type": "object", "properties": {"a": {"$ref": "#/$defs/a0"}}, "$defs": defs}


def otherwise(levels: int, ref: str, **marks: str) -> Any:
    """A chain whose references are not of the usual kind."""
    defs = {
        f"a{n}": {"$ref": ref.format(n + 1), **{name: mark.format(n) for name, mark in marks.items()}}
        for n in range(levels)
    }
    return {"type": "object", "properties": {"a": {"$ref": ref.format(0)}}, "$defs": defs}


DEEP = {
    "a chain": linked(*[plain] * 2500),
    "a chain of objects": linked(*[named] * 900),
    "a chain of choices": linked(*[chosen] * 900),
    "a short chain of deep lists": linked(*[listed] * 40),
    "nested objects": nested(400),
    "many that lead to each other": back_and_forth(200),
    "by whole addresses": otherwise(2500, "json-schema:///#/$defs/a{}"),
    "by percent signs": otherwise(2500, "#/$defs/%61{}"),
    "by anchors": otherwise(2500, "#n{}", **{"$anchor": "n{}"}),
    "by names": otherwise(2500, "n{}", **{"$id": "n{}"}),
}
ORDINARY = {
    "a tree": {
        "type": "object",
        "properties": {name: {"$ref": "#"} for name in ("left", "right", *map(str, range(300)))},
    },
    "three hundred definitions": {
        "type": "object",
        "properties": {f"p{n}": {"$ref": f"#/$defs/d{n}"} for n in range(300)},
        "$defs": {f"d{n}": named({"$ref": "#/$defs/leaf"}) for n in range(300)} | {"leaf": STRING},
    },
    "forty that lead to each other": back_and_forth(40),
    "an anchor": otherwise(1, "#n{}", **{"$anchor": "n{}"}) | {"$anchor": "n1"},
    "a property of that name": {"type": "object", "properties": {"$ref": STRING, "$id": STRING}},
}


def refuse(schema: Any, *, strict: bool | None = None) -> None:
    """As the parameters of a function, or, where `strict` is None, as a response format."""
    if strict is None:
        refuse_forms({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}, [], ENGINE)
        return
    function = {"name": "f", "parameters": schema, "strict": strict}
    refuse_forms("auto", [{"type": "function", "function": function}], ENGINE)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("strict", [None, True, False])
def test_what_is_nested_too_deeply_is_refused_by_name(name: str, strict: bool | None) -> None:
    with pytest.raises(InvalidRequest, match="is nested too deeply") as caught:
        refuse(DEEP[name], strict=strict)

    assert caught.value.param == ("response_format" if strict is None else "tools[0].function.parameters")


@pytest.mark.parametrize("name", ORDINARY)
@pytest.mark.parametrize("strict", [None, False])
def test_what_is_only_large_or_in_a_circle_is_taken(name: str, strict: bool | None) -> None:
    refuse(ORDINARY[name], strict=strict)
