"""What a repository needs of a transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Executable
from sqlalchemy.engine import CursorResult

from assistants_api.store.wake import Wake


class Session(Protocol):
    """Statements, commit hooks and the database's clock."""

    wake: Wake
    is_sqlite: bool
    webhooks: tuple[str, ...]

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run one statement."""

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call `hook` once the transaction is durable."""

    async def now(self) -> datetime:
        """The database's clock."""
