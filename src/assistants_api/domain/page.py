"""Cursor pages over lists that are ordered by creation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """`after` and `before` are ids; `order` is `asc` or `desc` by creation; `limit` is 1–100."""

    limit: int = 20
    order: str = "desc"
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list and whether more follows in its direction."""

    data: Sequence[T]
    has_more: bool
