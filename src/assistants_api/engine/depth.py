"""How deep a JSON schema is, its references followed; by walks that need no stack, whatever it is."""

from collections.abc import Sequence
from typing import Any


def depth(schema: Any) -> int:
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
