"""Filters on file attributes: comparisons, and combinations of them."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from assistants_api.domain.json import JsonObject

Predicate = Callable[[Mapping[str, Any]], bool]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_EQUAL: dict[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne}


def predicate(filter: JsonObject) -> Predicate:
    """Whether attributes pass `filter`, which is a checked filter in the API's shape.

    Values compare within their own kind: a number never equals a string, and true is not 1. A key that
    is missing passes `ne` and `nin` only.
    """
    kind = filter["type"]
    if kind in ("and", "or"):
        parts = [predicate(part) for part in filter["filters"]]
        combine = all if kind == "and" else any
        return lambda attributes: combine(part(attributes) for part in parts)
    key, wanted = filter["key"], filter["value"]
    if kind in ("in", "nin"):
        allowed = [(_kind(value), value) for value in wanted]
        return lambda attributes: (
            ((_kind(attributes.get(key)), attributes.get(key)) in allowed) is (kind == "in")
        )
    wanted_kind = _kind(wanted)

    def compare(attributes: Mapping[str, Any]) -> bool:
        value = attributes.get(key)
        is_comparable = value is not None and _kind(value) == wanted_kind
        if kind in _EQUAL:
            return _EQUAL[kind](value, wanted) if is_comparable else kind == "ne"
        return is_comparable and wanted_kind != "boolean" and _ORDER[kind](value, wanted)

    return compare


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "nothing"
