"""How a PostgreSQL server is reached: what its URL says holds for every connection alike."""

import socket
from typing import Any
from urllib.parse import quote, urlencode

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_SCHEME = "postgresql"
_TIMEOUT = 10.0  # seconds for a connection to be made
# A server whose machine or line is gone says nothing: it is asked after ten seconds of silence, every five,
# and given up after twenty. Else whoever waits for it would wait for as long as the system allows, a quarter
# of an hour for an answer and for ever for a hint.
_WATCH = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPALIVE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 2,
    "TCP_USER_TIMEOUT": 20_000,
}
# And the other way round: what a process holds that stopped in the middle of a transaction (frozen, or gone
# with its machine, of which the server may learn only hours later) is free again after so many milliseconds.
# Else nobody could carry, cancel or expire its runs. What the operator has set instead is kept.
_GIVE_UP = """SELECT set_config(name, '20000', false) FROM pg_settings
WHERE name = 'idle_in_transaction_session_timeout' AND setting = '0'"""
_OF_THE_POOL = "prepared_statement_cache_size"


class Dialer:
    """Connects to the server of one URL, whose parameters are those of PostgreSQL's own clients.

    `sslmode` and its companions, `host`, `connect_timeout`, `application_name`, `options` and any setting of
    the server are among them; `ssl` is another word for `sslmode`.
    """

    def __init__(self, url: str) -> None:
        given = make_url(url)
        query = {name: _joined(value) for name, value in given.query.items()}
        self._of_the_pool = {name: query.pop(name) for name in (_OF_THE_POOL,) if name in query}
        if "ssl" in query:
            query["sslmode"] = query.pop("ssl")
        seconds = query.get("connect_timeout", "")
        self._timeout = _TIMEOUT
        if seconds.isdecimal():  # anything else is left for the server to refuse
            self._timeout = float(query.pop("connect_timeout")) or _TIMEOUT
        plain = given.set(drivername=_SCHEME, query={}).render_as_string(hide_password=False)
        self._dsn = f"{plain}?{urlencode(query, quote_via=quote)}" if query else plain

    async def dial(self) -> Any:
        """A connection of the driver's own."""
        connection = await asyncpg.connect(self._dsn, timeout=self._timeout)
        try:
            _watch(connection._transport.get_extra_info("socket"))
            await connection.execute(_GIVE_UP, timeout=self._timeout)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def engine(self, **options: Any) -> AsyncEngine:
        """SQLAlchemy's engine over such connections; its errors, which are logged, tell no values."""
        url = URL.create("postgresql+asyncpg", query=self._of_the_pool)
        return create_async_engine(
            url, connect_args={"async_creator_fn": self.dial}, hide_parameters=True, **options
        )


def _watch(line: Any) -> None:
    """Let the system notice when nobody is at the other end any more."""
    if line.family not in (socket.AF_INET, socket.AF_INET6):
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _WATCH.items():
        if hasattr(socket, name):  # each system has its own
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _joined(value: str | tuple[str, ...]) -> str:
    """A parameter that is given several times, as the hosts of a cluster are, is a list."""
    return value if isinstance(value, str) else ",".join(value)
