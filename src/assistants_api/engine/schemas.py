"""JSON schemas as the grammar takes them, and what is wrong with those that it does not; knows no torch."""

import json
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from assistants_api.engine.depth import depth

ANY_OBJECT = {"type": "object"}
_STYLE = {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "}


# A pattern that looks ahead, a format beside one: left out of schemas that are not strict, in this order.
_LEFT_OUT = (frozenset({"pattern"}), frozenset({"pattern", "format"}))
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_VALUES = frozenset({"const", "enum", "default", "examples"})
_DEEPEST = 256  # the grammar goes down on the stack, and a few thousand levels end the process


def rule(schema: Any, *, is_strict: bool) -> str:
    """The schema as a rule of a grammar; if not strict, what the grammar does not know is passed over.

    Schemas of which there is an `excess` are not for it.
    """
    whole = _rule(schema, is_strict=is_strict)
    if is_strict or not _problem(whole):
        return whole
    rules = (_rule(_without(schema, keywords), is_strict=False) for keywords in _LEFT_OUT)
    return next((found for found in rules if not _problem(found)), whole)


def _rule(schema: Any, *, is_strict: bool) -> str:
    if isinstance(schema, dict):
        schema = {**schema, "x-guidance": {**_STYLE, "lenient": not is_strict}}
    return f"%json {json.dumps(schema)}"


def _without(schema: Any, keywords: frozenset[str]) -> Any:
    """The schema without these keywords, wherever they stand for something."""
    if isinstance(schema, list):
        return [_without(each, keywords) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _VALUES:
            kept[name] = value
        elif name in _NAMED and isinstance(value, dict):
            kept[name] = {each: _without(part, keywords) for each, part in value.items()}
        elif name not in keywords:
            kept[name] = _without(value, keywords)
    return kept


def problem(schema: Any, *, is_strict: bool) -> str | None:
    """Why this schema cannot be enforced, in one line; None if it can, or if nothing here could tell."""
    if find_spec("llguidance") is None:
        return None
    return excess(schema) or _problem(rule(schema, is_strict=is_strict))


def excess(schema: Any) -> str | None:
    """Why no `rule` may be made of this schema, strict or not; None for nearly all."""
    if depth(schema) <= _DEEPEST:
        return None
    return f"it is nested too deeply: there are more than {_DEEPEST} levels, references included."


@lru_cache(maxsize=512)
def _problem(rule: str) -> str | None:
    from llguidance import LLMatcher

    found = LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(f"start: {rule}\n"))
    if not found:
        return None
    # The line and column are those of our grammar, and mean nothing to the caller.
    words = found.split("failed to compile JSON schema: ")[-1]
    return " ".join(words.split("\n   1 | start:")[0].split())[:300]


def of_function(function: Any) -> Any:
    """The schema of a function's arguments: an object, whatever it says of itself."""
    return {**(function.get("parameters") or {}), "type": "object"}
