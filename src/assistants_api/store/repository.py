"""What every table of domain objects can do."""

from collections.abc import Callable, Hashable
from dataclasses import fields
from functools import cache
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Integer, Select, Table, bindparam, delete, insert, select, update
from sqlalchemy.engine import Row

from assistants_api.domain.errors import NotFound
from assistants_api.domain.page import Page, PageQuery
from assistants_api.store.removed import Removed
from assistants_api.store.session import Session

T = TypeVar("T")


class Repository(Generic[T]):
    """Rows of one table as frozen domain objects; a column for every field, by the same name."""

    table: Table
    kind: type[T]
    noun: str

    def __init__(self, session: Session) -> None:
        self.session = session

    async def add(self, thing: T) -> None:
        """Insert."""
        await self.session.execute(insert(self.table), self.values(thing))

    async def get(self, id: str) -> T:
        """The object, or `NotFound` in the API's words."""
        found = await self.find(id)
        if found is None:
            raise self.missing(id)
        return found

    async def find(self, id: str, *, for_update: bool = False) -> T | None:
        """The object or None; `for_update` holds its row until the transaction ends."""
        find = _find_for_update if for_update else _find
        statement = find(self.table, cast(Hashable, self.kind))
        row = (await self.session.execute(statement, {"wanted": id})).first()
        return None if row is None else self.thing(row)

    async def hold(self, id: str) -> T:
        """As `get`; its row is held until the transaction ends, so what changes it happens in turn."""
        found = await self.find(id, for_update=True)
        if found is None:
            raise self.missing(id)
        return found

    async def save(self, thing: T) -> None:
        """Write every field of an existing object."""
        values = self.values(thing)
        await self.session.execute(update(self.table).where(self.table.c.id == values.pop("id")), values)

    async def remove(self, id: str) -> None:
        """Delete, or `NotFound`; where it stood in its list is known for a day."""
        statement = delete(self.table).where(self.table.c.id == id).returning(self.table.c.ord)
        ord_ = (await self.session.execute(statement)).scalar_one_or_none()
        if ord_ is None:
            raise self.missing(id)
        await Removed(self.session).note(id, ord_)

    def missing(self, id: str) -> NotFound:
        """The error for an id that is not there."""
        return NotFound(f"No {self.noun} found with id '{id}'.")

    async def _page(self, query: PageQuery, *conditions: Any, **equals: Any) -> Page[T]:
        """A page of the rows whose columns equal `equals`; `conditions` are for what equality cannot say."""
        is_backward = query.before is not None and query.after is None
        values: dict[str, Any] = {f"is_{name}": value for name, value in equals.items()}
        values["most"] = query.limit + 1
        if query.after is not None:
            values["after"] = await self._ord_of(query.after, "after")
        if query.before is not None:
            values["before"] = await self._ord_of(query.before, "before")
        shape = (tuple(equals), query.order == "asc", is_backward, frozenset(values))
        statement = _page_statement(self.table, cast(Hashable, self.kind), *shape)
        if conditions:
            statement = statement.where(*conditions)
        rows = (await self.session.execute(statement, values)).all()
        data = [self.thing(row) for row in rows[: query.limit]]
        if is_backward:
            data.reverse()
        return Page(data, has_more=len(rows) > query.limit)

    async def _ord_of(self, id: str, param: str) -> int:
        statement = select(self.table.c.ord).where(self.table.c.id == id)
        found = (await self.session.execute(statement)).scalar_one_or_none()
        if found is None:
            found = await Removed(self.session).ord_of(id)
        if found is None:
            raise NotFound(f"No {self.noun} found with id '{id}'.", param=param)
        return int(found)

    def _select(self) -> Select[Any]:
        return _select(self.table, cast(Hashable, self.kind))

    def thing(self, row: Row[Any]) -> T:
        """The object in a row of `_select`."""
        make: Callable[..., T] = self.kind
        return make(*row)

    def values(self, thing: T) -> dict[str, Any]:
        """The object's columns."""
        return {field.name: getattr(thing, field.name) for field in fields(thing)}  # type: ignore[arg-type]


# Statements are built once per table: building one costs as much as running it on SQLite.
@cache
def _select(table: Table, kind: Any) -> Select[Any]:
    return select(*(table.c[field.name] for field in fields(kind)))


@cache
def _find(table: Table, kind: Any) -> Select[Any]:
    return _select(table, kind).where(table.c.id == bindparam("wanted"))


@cache
def _find_for_update(table: Table, kind: Any) -> Select[Any]:
    return _find(table, kind).with_for_update()


@cache
def _page_statement(
    table: Table,
    kind: Any,
    equals: tuple[str, ...],
    is_ascending: bool,
    is_backward: bool,
    given: frozenset[str],
) -> Select[Any]:
    """`is_backward`: the page that ends before an id, read from its end."""
    ord_ = table.c.ord
    statement = _select(table, kind).where(*(table.c[name] == bindparam(f"is_{name}") for name in equals))
    if "after" in given:
        statement = statement.where(ord_ > bindparam("after") if is_ascending else ord_ < bindparam("after"))
    if "before" in given:
        statement = statement.where(
            ord_ < bindparam("before") if is_ascending else ord_ > bindparam("before")
        )
    runs_up = is_ascending != is_backward
    return statement.order_by(ord_.asc() if runs_up else ord_.desc()).limit(bindparam("most", type_=Integer))
