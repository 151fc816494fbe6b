"""Events of the log as JSON text and back."""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from assistants_api.domain import event as events
from assistants_api.domain.event import Event
from assistants_api.store.columns import dumps

_KINDS: dict[str, type] = {kind.__name__: kind for kind in get_args(events.Event)}


def encode(event: Event) -> tuple[str, str]:
    """The event's kind and its data as JSON text."""
    return type(event).__name__, dumps(_plain(event))


def decode(kind: str, data: str) -> Event:
    """The event that `encode` wrote."""
    event: Event = _reader(_KINDS[kind])(json.loads(data))
    return event


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, Enum):
        return value.value
    return value


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    if get_origin(hint) in (Union, UnionType):
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        if len(inner) > 1:
            return _as_is
        reader = _reader(inner[0])
        return lambda value: None if value is None else reader(value)
    if get_origin(hint) is tuple:
        return tuple
    if hint is datetime:
        return lambda value: datetime.fromtimestamp(value, UTC)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if isinstance(hint, type) and is_dataclass(hint):
        readers = {name: _reader(kind) for name, kind in get_type_hints(hint).items()}
        return lambda value: hint(**{name: readers[name](part) for name, part in value.items()})
    return _as_is


def _as_is(value: Any) -> Any:
    return value
