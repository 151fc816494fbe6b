"""The database port of this package: transactions on SQLite or PostgreSQL behind one face."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Any

from assistants_api.store.transaction import Tx
from assistants_api.store.wake import Wake


class Database(ABC):
    """Read and write transactions; opened by `open_database`, closed by `close`.

    `webhooks` are the addresses that hear of every end that is written through it.
    """

    wake: Wake
    webhooks: tuple[str, ...] = ()

    @abstractmethod
    def begin(self) -> AbstractAsyncContextManager[Tx]:
        """A read-write transaction, durable when the block is left; rolled back when it raises."""

    @abstractmethod
    def read(self, *, is_long: bool = False) -> AbstractAsyncContextManager[Tx]:
        """A read-only transaction: one consistent view.

        `is_long` says that a statement may take more than a few milliseconds: it must not hold up others.
        """

    @abstractmethod
    async def close(self) -> None:
        """Give every connection back."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What this database is, for health."""
