"""Fifty schemas, a model of random weights at a high temperature: every answer that ends is valid."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from assistants_api.domain.prompt import Prompt
from tests.engine.test_grammar import in_form
from tests.engine.test_scheduler import Loop, model

__all__ = ["model"]

pytestmark = pytest.mark.model


def word(most: int = 8, **more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": most, **more}


def number(low: float, high: float, kind: str = "integer", **more: Any) -> dict[str, Any]:
    return {"type": kind, "minimum": low, "maximum": high, **more}


def several(of: Any, low: int = 0, high: int = 3, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": low, "maxItems": high, **more}


def thing(optional: tuple[str, ...] = (), /, **properties: Any) -> dict[str, Any]:
    """An object that is closed; every property is required but the optional ones."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def shared(body: dict[str, Any], **defs: Any) -> dict[str, Any]:
    return {**body, "$defs": defs}


LEAF = thing(value=number(0, 9))
NODE = thing(value=number(0, 9), next={"anyOf": [{"$ref": "#/$defs/leaf"}, {"type": "null"}]})
YES = {"type": "boolean"}

SCHEMAS: dict[str, Any] = {
    "a boolean": thing(a=YES),
    "null": thing(a={"type": "null"}),
    "a short string": thing(a=word()),
    "an empty string": thing(a=word(0)),
    "a string of at least three": thing(a=word(9, minLength=3)),
    "a pattern": thing(a={"type": "string", "pattern": "^[a-c]{2,4}$"}),
    "a pattern with digits": thing(a={"type": "string", "pattern": "^\\d{3}-\\d{4}$"}),
    "a pattern with a choice": thing(a={"type": "string", "pattern": "^(cat|dog)s?$"}),
    "an enum of strings": thing(a={"enum": ["red", "green", "blue"]}),
    "an enum in Chinese": thing(颜色={"enum": ["红", "绿", "蓝"]}),
    "an enum of all kinds": thing(a={"enum": [1, "one", None, True]}),
    "an enum with a type": thing(a={"type": "string", "enum": ["x", "y"]}),
    "a const": thing(a={"const": "fixed"}),
    "a const number": thing(a={"const": 3.5}),
    "a const object": thing(a={"const": {"b": [1, 2]}}),
    "a date": thing(a={"type": "string", "format": "date"}),
    "a time of day": thing(a={"type": "string", "format": "date-time"}),
    "a uuid": thing(a={"type": "string", "format": "uuid"}),
    "an address of a host": thing(a={"type": "string", "format": "ipv4"}),
    "an integer": thing(a=number(0, 99)),
    "an integer below zero": thing(a=number(-20, -3)),
    "an integer beyond a bound": thing(a={"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 9}),
    "a multiple": thing(a=number(0, 40, multipleOf=5)),
    "a number": thing(a=number(0, 1, "number")),
    "a large number": thing(a=number(1e6, 2e6, "number")),
    "a list of integers": thing(a=several(number(0, 9))),
    "a list of at least two": thing(a=several(number(0, 9), 2)),
    "an empty list": thing(a=several(number(0, 9), 0, 0)),
    "a list of words": thing(a=several(word(4))),
    "a list of enums": thing(a=several({"enum": ["x", "y"]}, 1, 4)),
    "a list of lists": thing(a=several(several(YES, 1, 2), 1, 2)),
    "a list of objects": thing(a=several(LEAF, 1, 2)),
    "a tuple": thing(
        a={
            "type": "array",
            "prefixItems": [YES, number(0, 9)],
            "items": False,
            "minItems": 2,
            "maxItems": 2,
        }
    ),
    "two properties": thing(a=YES, b=number(0, 9)),
    "an optional property": thing(("b",), a=YES, b=number(0, 9)),
    "only optional properties": thing(("a", "b"), a=YES, b=YES),
    "no property": thing(),
    "a property with a space": thing(**{"two words": YES}),
    "a property with quotation marks": thing(**{'say "hi"': YES}),
    "an object in an object": thing(a=thing(b=thing(c=YES))),
    "many properties": thing(**{f"p{n}": number(0, 9) for n in range(12)}),
    "values of one kind": {
        "type": "object",
        "properties": {"a": YES},
        "required": ["a"],
        "additionalProperties": False,
    },
    "null or a string": thing(a={"type": ["string", "null"], "maxLength": 5}),
    "one of two kinds": thing(a={"anyOf": [YES, number(0, 9)]}),
    "one of two objects": thing(
        a={"anyOf": [thing(kind={"const": "x"}, x=YES), thing(kind={"const": "y"}, y=number(0, 9))]}
    ),
    "a definition": shared(thing(a={"$ref": "#/$defs/leaf"}, b={"$ref": "#/$defs/leaf"}), leaf=LEAF),
    "a definition of a definition": shared(thing(a={"$ref": "#/$defs/node"}), leaf=LEAF, node=NODE),
    "a tree": shared(
        thing(a={"$ref": "#/$defs/tree"}),
        tree=thing(v=YES, sub={"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 1}),
    ),
    "intent and entities": thing(
        intent={"enum": ["refund", "delivery", "other"]},
        entities=several(thing(name={"enum": ["order", "date"]}, value=word(6)), 0, 2),
        confidence=number(0, 1, "number"),
    ),
    "a product": thing(
        ("tags",),
        id={"type": "string", "pattern": "^[A-Z]{3}\\d{2}$"},
        price=number(0, 999, "number"),
        stock=number(0, 50),
        tags=several({"enum": ["new", "sale"]}, 0, 2),
    ),
}


def test_there_are_fifty() -> None:
    assert len(SCHEMAS) == 50
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_answer_is_valid(model: Any, name: str) -> None:
    schema = SCHEMAS[name]
    loop = Loop(model)
    for seed in range(3):
        loop.submit(seed, prompt_for(schema), seed=seed)
    loop.run()

    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    ended = 0
    assert loop.refused == {}
    for seed in range(3):
        if loop.stop(seed).reason == "stop":
            validator.validate(json.loads(loop.text(seed)))
            ended += 1
    # A tree of random depth, or a number of random length, may be cut by the limit; no other answer is.
    assert ended == 3 or name in ("a tree", "a number", "a large number", "intent and entities", "a product")


def prompt_for(schema: Any) -> Prompt:
    from dataclasses import replace

    prompt = in_form(schema)
    return replace(prompt, sampling=replace(prompt.sampling, max_tokens=300))
