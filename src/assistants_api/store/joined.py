"""A database whose transactions are parts of one that is already under way."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx


class JoinedDatabase(Database):
    """Everything that is done through it becomes durable with the outer transaction, or not at all."""

    def __init__(self, whole: Database, tx: Tx) -> None:
        self._whole = whole
        self._tx = tx
        self.wake = whole.wake

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A savepoint: a block that raises is undone alone."""
        hooks = len(self._tx.hooks)
        try:
            async with self._tx.savepoint():
                yield self._tx
        except BaseException:
            del self._tx.hooks[hooks:]
            raise

    def read(self, *, is_long: bool = False) -> AbstractAsyncContextManager[Tx]:
        """The same transaction: what was written before is seen."""
        return self.begin()

    async def close(self) -> None:
        """Nothing: the outer transaction is closed by whoever opened it."""

    def describe(self) -> dict[str, Any]:
        """As the whole says."""
        return self._whole.describe()
