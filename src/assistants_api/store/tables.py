"""The tables. Column names are the domain's field names; `ord` orders lists by creation."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    false,
)

from assistants_api.domain.completion import CompletionStatus
from assistants_api.domain.message import MessageStatus
from assistants_api.domain.run import ACTIVE, RunStatus
from assistants_api.domain.step import StepStatus
from assistants_api.domain.upload import UploadStatus
from assistants_api.domain.vector_store import StoreFileStatus
from assistants_api.domain.webhook import DeliveryStatus
from assistants_api.store.columns import Json, JsonTuple, Status, UsageJson, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _ord() -> Column[Any]:
    return Column("ord", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def _id() -> Column[Any]:
    return Column("id", Text, nullable=False, unique=True)


def _parent(name: str, table: str) -> Column[Any]:
    return Column(name, Text, ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False)


# Where deleted objects stood in their lists: who deletes while listing asks for the page after one of them.
identity = Table("identity", metadata, Column("id", Text, primary_key=True))  # one row

removed = Table(
    "removed",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ord", BigInteger, nullable=False),
    Column("removed_at", UtcTime, nullable=False),
)

assistants = Table(
    "assistants",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    Column("model", Text, nullable=False),
    Column("name", Text),
    Column("description", Text),
    Column("instructions", Text),
    Column("tools", JsonTuple, nullable=False),
    Column("tool_resources", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("temperature", Double),
    Column("top_p", Double),
    Column("response_format", Json, nullable=False),
    Column("reasoning_effort", Text),
)

threads = Table(
    "threads",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    Column("tool_resources", Json, nullable=False),
    Column("metadata", Json, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    _parent("thread_id", "threads"),
    Column("role", Text, nullable=False),
    Column("content", JsonTuple, nullable=False),
    Column("status", Status(MessageStatus), nullable=False),
    Column("assistant_id", Text),
    Column("run_id", Text),
    Column("attachments", JsonTuple, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("incomplete_reason", Text),
    Column("incomplete_at", UtcTime),
    Column("completed_at", UtcTime),
    Index(None, "thread_id", "ord"),
    Index(None, "run_id"),
)

runs = Table(
    "runs",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    _parent("thread_id", "threads"),
    Column("assistant_id", Text, nullable=False),
    Column("status", Status(RunStatus), nullable=False),
    Column("model", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("tools", JsonTuple, nullable=False),
    Column("tool_resources", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("temperature", Double),
    Column("top_p", Double),
    Column("max_prompt_tokens", BigInteger),
    Column("max_completion_tokens", BigInteger),
    Column("truncation_strategy", Json, nullable=False),
    Column("tool_choice", Json, nullable=False),
    Column("parallel_tool_calls", Boolean, nullable=False),
    Column("response_format", Json, nullable=False),
    Column("deadline", UtcTime, nullable=False),
    Column("reasoning_effort", Text),
    Column("started_at", UtcTime),
    Column("cancelled_at", UtcTime),
    Column("failed_at", UtcTime),
    Column("completed_at", UtcTime),
    Column("required_calls", JsonTuple, nullable=False),
    Column("last_error", Json),
    Column("incomplete_reason", Text),
    Column("spent", UsageJson, nullable=False),
    Column("is_waiting", Boolean, nullable=False, server_default=false()),
    Column("brought", JsonTuple, nullable=False, server_default="[]"),
    Column("webhook_url", Text),
    Index(None, "thread_id", "ord"),
)


def is_active(table: FromClause) -> ColumnElement[bool]:
    """Whether a run (of `runs`, or an alias of it) is active.

    The statuses stand in the statement itself: SQLite takes an index of some rows only where it finds that
    index's condition, word for word, and would else read every run that there ever was.
    """
    statuses: BindParameter[Any] = bindparam(
        "active", sorted(ACTIVE), unique=True, expanding=True, literal_execute=True
    )
    return table.c.status.in_(statuses)


_is_active = runs.c.status.in_(sorted(ACTIVE))
_holds_thread = and_(_is_active, runs.c.is_waiting.is_(False))

# The rule "one active run per thread" lives here, not in code; those that wait behind it do not count.
Index(
    "uq_runs_active_thread",
    runs.c.thread_id,
    unique=True,
    sqlite_where=_holds_thread,
    postgresql_where=_holds_thread,
)
Index(
    "ix_runs_waiting",
    runs.c.thread_id,
    sqlite_where=runs.c.is_waiting.is_(True),
    postgresql_where=runs.c.is_waiting.is_(True),
)
Index("ix_runs_active_deadline", runs.c.deadline, sqlite_where=_is_active, postgresql_where=_is_active)

waiting_messages = Table(
    "waiting_messages",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("messages", JsonTuple, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("status", Status(DeliveryStatus), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
)

run_steps = Table(
    "run_steps",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    _parent("run_id", "runs"),
    Column("assistant_id", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("step_details", Json, nullable=False),
    Column("status", Status(StepStatus), nullable=False),
    Column("expires_at", UtcTime),
    Column("cancelled_at", UtcTime),
    Column("completed_at", UtcTime),
    Column("expired_at", UtcTime),
    Column("failed_at", UtcTime),
    Column("last_error", Json),
    Column("metadata", Json, nullable=False),
    Column("usage", UsageJson),
    Index(None, "run_id", "ord"),
)

completions = Table(
    "completions",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    Column("status", Status(CompletionStatus), nullable=False),
    Column("model", Text, nullable=False),
    Column("messages", JsonTuple, nullable=False),
    Column("settings", Json, nullable=False),
    Column("n", Integer, nullable=False),
    Column("is_stored", Boolean, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("deadline", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("choices", JsonTuple, nullable=False),
    Column("spent", UsageJson, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("reasoning_tokens", Integer, nullable=False),
    Column("error", Json),
)
_is_going = completions.c.status == CompletionStatus.OPEN.value
Index("ix_completions_open", completions.c.deadline, sqlite_where=_is_going, postgresql_where=_is_going)
Index(
    "ix_completions_passing",
    completions.c.ended_at,
    sqlite_where=completions.c.is_stored.is_(False),
    postgresql_where=completions.c.is_stored.is_(False),
)
Index(
    "ix_completions_kept",
    completions.c.ord,
    sqlite_where=completions.c.is_stored.is_(True),
    postgresql_where=completions.c.is_stored.is_(True),
)

jobs = Table(
    "jobs",
    metadata,
    _ord(),
    _id(),
    Column("kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", Text),
    Column("lease_until", UtcTime),
    Column("is_done", Boolean, nullable=False),
)
_is_open = jobs.c.is_done.is_(False)
Index("ix_jobs_open", jobs.c.ord, sqlite_where=_is_open, postgresql_where=_is_open)

events = Table(
    "events",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "created_at"),
    sqlite_with_rowid=False,
)

traces = Table(
    "traces",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("data", Json, nullable=False),
)

code_sessions = Table(
    "code_sessions",
    metadata,
    Column("thread_id", Text, ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", Text),
    Column("alive_until", UtcTime),
    Column("generation", Integer, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    _ord(),
    _id(),
    Column("name", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

replies = Table(
    "replies",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Column("run_id", Text),
    Column("after", BigInteger),
    Index(None, "created_at"),
)

files = Table(
    "files",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("blob", Text, nullable=False),
    Column("expires_at", UtcTime, index=True),
)

uploads = Table(
    "uploads",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("filename", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("status", Status(UploadStatus), nullable=False),
    Column("file_seconds", BigInteger),
    Column("file_id", Text),
)

upload_parts = Table(
    "upload_parts",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    _parent("upload_id", "uploads"),
    Column("bytes", BigInteger, nullable=False),
    Column("blob", Text, nullable=False),
    Index(None, "upload_id", "ord"),
)

vector_stores = Table(
    "vector_stores",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    Column("name", Text),
    Column("description", Text),
    Column("metadata", Json, nullable=False),
    Column("expires_after", Json),
    Column("last_active_at", UtcTime, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

store_files = Table(
    "store_files",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    _parent("vector_store_id", "vector_stores"),
    _parent("file_id", "files"),
    Column("status", Status(StoreFileStatus), nullable=False),
    Column("last_error", Json),
    Column("usage_bytes", BigInteger, nullable=False),
    Column("max_chunk_size_tokens", Integer, nullable=False),
    Column("chunk_overlap_tokens", Integer, nullable=False),
    Column("attributes", Json, nullable=False),
    UniqueConstraint("vector_store_id", "file_id"),
    Index(None, "vector_store_id", "status"),
    Index(None, "file_id", "status"),
)

file_batches = Table(
    "file_batches",
    metadata,
    _ord(),
    _id(),
    Column("created_at", UtcTime, nullable=False),
    _parent("vector_store_id", "vector_stores"),
    Column("is_cancelled", Boolean, nullable=False),
)

batch_files = Table(
    "batch_files",
    metadata,
    Column("batch_id", Text, ForeignKey("file_batches.id", ondelete="CASCADE"), primary_key=True),
    # No foreign key: a batch goes on counting a file that was taken out of the store.
    Column("store_file_id", Text, primary_key=True),
    Column("status", Status(StoreFileStatus), nullable=False, server_default="in_progress"),
    Column("last_error", Json),
    Column("usage_bytes", BigInteger, nullable=False, server_default="0"),
    Index(None, "store_file_id"),
)

documents = Table(
    "documents",
    metadata,
    Column("file_id", Text, ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("embedder", Text),
)

windows = Table(
    "windows",
    metadata,
    _ord(),
    Column("file_id", Text, ForeignKey("documents.file_id", ondelete="CASCADE"), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Index(None, "file_id", "ord"),
)

chunks = Table(
    "chunks",
    metadata,
    _ord(),
    Column("store_file_id", Text, ForeignKey("store_files.id", ondelete="CASCADE"), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Index(None, "store_file_id", "start"),
)
