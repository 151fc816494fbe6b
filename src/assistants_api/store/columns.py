"""Column types: how domain values are written, the same on SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Double, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator

from assistants_api.domain.usage import Usage


def dumps(value: Any) -> str:
    """Compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime as epoch seconds, so that both databases compare times alike."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> float | None:
        return None if value is None else value.timestamp()

    def process_result_value(self, value: float | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value, UTC)


class Json(TypeDecorator[Any]):
    """A JSON value as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class JsonTuple(Json):
    """A JSON array that the domain holds as a tuple."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dumps(list(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else tuple(json.loads(value))


class UsageJson(TypeDecorator[Usage]):
    """Token usage as a JSON pair."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Usage | None, dialect: Dialect) -> str | None:
        return None if value is None else dumps([value.prompt_tokens, value.completion_tokens])

    def process_result_value(self, value: str | None, dialect: Dialect) -> Usage | None:
        return None if value is None else Usage(*json.loads(value))


class Status(TypeDecorator[Any]):
    """A `StrEnum` as its text."""

    impl = Text
    cache_ok = True

    def __init__(self, enum: type) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else self.enum(value)


class db_now(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock, epoch seconds: the only clock that leases are measured by."""

    inherit_cache = True
    type = Double()


@compiles(db_now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(db_now, "postgresql")
def _postgresql_now(element: Any, compiler: Any, **kw: Any) -> str:
    return "EXTRACT(EPOCH FROM clock_timestamp())::double precision"


class json_text(FunctionElement[str]):  # noqa: N801
    """`json_text(column, key)`: the string under a top-level key of a JSON text."""

    inherit_cache = True
    type = Text()


@compiles(json_text, "sqlite")
def _sqlite_json_text(element: Any, compiler: Any, **kw: Any) -> str:
    column, key = element.clauses
    return (
        f"(SELECT value FROM json_each({compiler.process(column, **kw)})"
        f" WHERE key = {compiler.process(key, **kw)})"
    )


@compiles(json_text, "postgresql")
def _postgresql_json_text(element: Any, compiler: Any, **kw: Any) -> str:
    column, key = element.clauses
    return f"(CAST({compiler.process(column, **kw)} AS json) ->> {compiler.process(key, **kw)})"
