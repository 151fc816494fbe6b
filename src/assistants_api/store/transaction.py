"""One transaction: statements, the repositories over them, and what happens once it is durable."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Executable, select
from sqlalchemy.engine import CursorResult

from assistants_api.store.assistants import Assistants
from assistants_api.store.code_sessions import CodeSessions
from assistants_api.store.columns import db_now
from assistants_api.store.completions import Completions
from assistants_api.store.deliveries import Deliveries
from assistants_api.store.documents import Documents
from assistants_api.store.events import Events
from assistants_api.store.files import Files, UploadParts, Uploads
from assistants_api.store.identity import Identity
from assistants_api.store.jobs import Jobs
from assistants_api.store.keys import Keys
from assistants_api.store.messages import Messages
from assistants_api.store.removed import Removed
from assistants_api.store.replies import Replies
from assistants_api.store.runs import Runs
from assistants_api.store.steps import Steps
from assistants_api.store.threads import Threads
from assistants_api.store.traces import Traces
from assistants_api.store.vector_stores import FileBatches, StoreFiles, VectorStores
from assistants_api.store.wake import Wake

Execute = Callable[[Executable, Any], Awaitable[CursorResult[Any]]]
Savepoint = Callable[[], AbstractAsyncContextManager[None]]


class Tx:
    """A transaction in progress; `after_commit` callbacks run once it is durable, in order."""

    def __init__(
        self,
        execute: Execute,
        savepoint: Savepoint,
        wake: Wake,
        *,
        is_sqlite: bool,
        webhooks: tuple[str, ...] = (),
    ) -> None:
        """`webhooks` are the addresses that hear of every end."""
        self._execute = execute
        self.is_sqlite = is_sqlite
        self.webhooks = webhooks
        self.savepoint = savepoint
        self.wake = wake
        self.hooks: list[Callable[[], None]] = []

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run one statement (many rows when `parameters` is a list)."""
        return await self._execute(statement, parameters)

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call `hook` once the transaction is durable; never if it is rolled back."""
        self.hooks.append(hook)

    async def now(self) -> datetime:
        """The database's clock, aware UTC."""
        if self.is_sqlite:  # the same machine, the same clock
            return datetime.now(UTC)
        epoch = (await self.execute(select(db_now()))).scalar_one()
        return datetime.fromtimestamp(epoch, UTC)

    @cached_property
    def assistants(self) -> Assistants:
        """Assistants."""
        return Assistants(self)

    @cached_property
    def identity(self) -> Identity:
        """Who this database is."""
        return Identity(self)

    @cached_property
    def removed(self) -> Removed:
        """Where deleted objects stood."""
        return Removed(self)

    @cached_property
    def threads(self) -> Threads:
        """Threads."""
        return Threads(self)

    @cached_property
    def messages(self) -> Messages:
        """Messages."""
        return Messages(self)

    @cached_property
    def runs(self) -> Runs:
        """Runs."""
        return Runs(self)

    @cached_property
    def steps(self) -> Steps:
        """Run steps."""
        return Steps(self)

    @cached_property
    def completions(self) -> Completions:
        """Chat completions."""
        return Completions(self)

    @cached_property
    def replies(self) -> Replies:
        """Replies kept for idempotency keys."""
        return Replies(self)

    @cached_property
    def jobs(self) -> Jobs:
        """The queue."""
        return Jobs(self)

    @cached_property
    def deliveries(self) -> Deliveries:
        """Webhook deliveries."""
        return Deliveries(self)

    @cached_property
    def events(self) -> Events:
        """The event log."""
        return Events(self)

    @cached_property
    def traces(self) -> Traces:
        """What each run's model was shown."""
        return Traces(self)

    @cached_property
    def code_sessions(self) -> CodeSessions:
        """Where threads' code sessions are."""
        return CodeSessions(self)

    @cached_property
    def keys(self) -> Keys:
        """API keys."""
        return Keys(self)

    @cached_property
    def files(self) -> Files:
        """Files."""
        return Files(self)

    @cached_property
    def uploads(self) -> Uploads:
        """Uploads."""
        return Uploads(self)

    @cached_property
    def upload_parts(self) -> UploadParts:
        """Parts of uploads."""
        return UploadParts(self)

    @cached_property
    def vector_stores(self) -> VectorStores:
        """Vector stores."""
        return VectorStores(self)

    @cached_property
    def store_files(self) -> StoreFiles:
        """Files in vector stores."""
        return StoreFiles(self)

    @cached_property
    def file_batches(self) -> FileBatches:
        """Batches of files."""
        return FileBatches(self)

    @cached_property
    def documents(self) -> Documents:
        """What was read out of files."""
        return Documents(self)
