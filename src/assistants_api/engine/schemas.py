"""JSON schemas as the grammar takes them, and what is wrong with those that it does not; knows no torch."""

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

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
    if _depth(schema) <= _DEEPEST:
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


def _depth(schema: Any) -> int:
    """How deep the grammar may go into a schema at most, through what is nested and along its references.

    It comes along each of the references that lead in a circle, but once.
    """
    parts, inner = _parts(schema)
    places = {id(part): place for place, part in enumerate(parts)}
    has_bases = _has_bases(parts)
    leads = [list(own) for own in inner]
    targets: set[int] = set()
    elsewhere = 0
    for place, part in enumerate(parts):
        ref = part.get("$ref") if isinstance(part, dict) else None
        if not isinstance(ref, str):
            continue
        found = None if has_bases else _found(schema, ref)
        if found is None:
            elsewhere += 1
        elif (target := places.get(id(found))) is not None:
            targets.add(target)
            leads[place].append(target)
    depths = [0] * len(parts)
    for ring in _rings(leads):
        own = frozenset(ring)
        beyond = max((depths[to] for place in ring for to in leads[place] if to not in own), default=0)
        heights: dict[int, int] = {}
        for place in sorted(ring, reverse=True):  # what is nested comes after what holds it
            heights[place] = 1 + max((heights[to] for to in inner[place] if to in own), default=0)
        around = sum(heights[place] for place in ring if place in targets) if len(ring) > 1 else 1
        for place in ring:
            depths[place] = beyond + around
    # References elsewhere are not followed: each may begin the longest way anew.
    return depths[0] * (1 + elsewhere)


def _parts(schema: Any) -> tuple[list[Any], list[list[int]]]:
    """The objects and lists of a schema, each before those in it, and for each the places of those in it."""
    parts: list[Any] = [schema]
    inner: list[list[int]] = []
    for part in parts:  # which grows
        values = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        nested = [value for value in values if isinstance(value, dict | list)]
        inner.append(list(range(len(parts), len(parts) + len(nested))))
        parts.extend(nested)
    return parts, inner


def _has_bases(parts: Sequence[Any]) -> bool:
    """Whether references may be meant from within the schema, and not from its beginning."""
    whole, *nested = (part if isinstance(part, dict) else {} for part in parts)
    names = ("$id", "$schema", *(["id"] if "draft-04" in str(whole.get("$schema")) else []))
    return any(isinstance(part.get(name), str) for part in nested for name in names)


def _found(schema: Any, ref: str) -> Any:
    """What a reference to a place in this very schema leads to; None for those of any other kind."""
    start, *names = ref.split("/")
    if start != "#" or "%" in ref or "~" in ref:
        return None
    part = schema
    for name in names:
        if isinstance(part, dict):
            part = part.get(name)
        elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        else:
            return None
    return part


def _rings(leads: Sequence[Sequence[int]]) -> list[list[int]]:
    """The places that lead to each other, together; each ring after those to which it leads."""
    back: list[list[int]] = [[] for _ in leads]
    for place, others in enumerate(leads):
        for other in others:
            back[other].append(place)
    seen: set[int] = set()
    order = _reached(0, leads, set())
    return [_reached(place, back, seen) for place in reversed(order) if place not in seen][::-1]


def _reached(start: int, leads: Sequence[Sequence[int]], seen: set[int]) -> list[int]:
    """What `start` leads to and was not `seen` before; each after all to which it leads itself."""
    seen.add(start)
    way, found = [(start, iter(leads[start]))], list[int]()
    while way:
        place, rest = way[-1]
        ahead = next((other for other in rest if other not in seen), None)
        if ahead is None:
            found.append(place)
            way.pop()
        else:
            seen.add(ahead)
            way.append((ahead, iter(leads[ahead])))
    return found
