"""A worker over a scripted engine, and plain builders for what it works on."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assistants_api.blobs.disk import DiskBlobs
from assistants_api.domain.assistant import Assistant, NewAssistant
from assistants_api.domain.event import LogEntry
from assistants_api.domain.job import JobKind
from assistants_api.domain.message import Message, NewMessage, text_part
from assistants_api.domain.model import Catalogue
from assistants_api.domain.page import PageQuery
from assistants_api.domain.run import NewRun, Run
from assistants_api.domain.step import RunStep
from assistants_api.domain.thread import NewThread
from assistants_api.engine.embedding.hashed import HashEmbedder
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.knowledge.parsed import Parsed
from assistants_api.knowledge.parsing import parse
from assistants_api.knowledge.search import Searcher
from assistants_api.services.assistants import create_assistant
from assistants_api.services.messages import list_messages
from assistants_api.services.runs import RunLimits, create_thread_and_run, get_run
from assistants_api.services.steps import list_run_steps
from assistants_api.store.database import Database
from assistants_api.store.log import Log
from assistants_api.store.writer import LogWriter
from assistants_api.worker.carrying import RunCarrier
from assistants_api.worker.completing import CompletionCarrier
from assistants_api.worker.ingesting import FileCarrier
from assistants_api.worker.worker import Desk, Worker

CATALOGUE = Catalogue("scripted", {"*": "scripted"}, datetime(2026, 1, 1, tzinfo=UTC))


def user(text: str) -> NewMessage:
    """A user message."""
    return NewMessage("user", (text_part(text),))


@dataclass
class House:
    """The parts that a run passes through, over one database and one scripted engine."""

    db: Database
    engine: ScriptedEngine
    worker: Worker
    log: Log

    async def assistant(self, **given: Any) -> Assistant:
        return await create_assistant(
            self.db, NewAssistant(model="scripted", **given), CATALOGUE, datetime.now(UTC)
        )

    async def start(
        self,
        *messages: NewMessage,
        expiry: float = 600,
        tools: Any = (),
        limits: RunLimits | None = None,
        **given: Any,
    ) -> Run:
        """A queued run of a new assistant on a new thread."""
        assistant = await self.assistant(tools=tuple(tools))
        return await create_thread_and_run(
            self.db,
            NewThread(messages or (user("Hello"),)),
            NewRun(assistant.id, **given),
            CATALOGUE,
            self.engine.describe(),
            limits or RunLimits(timedelta(seconds=expiry)),
            datetime.now(UTC),
        )

    async def events(self, run: Run, **given: Any) -> list[LogEntry]:
        """Every event until the stream ends by itself."""
        async with asyncio.timeout(60):
            return [entry async for entry in self.log.follow(run.id, **given)]

    async def run(self, run: Run) -> Run:
        return await get_run(self.db, run.thread_id, run.id)

    async def steps(self, run: Run) -> list[RunStep]:
        return list((await list_run_steps(self.db, run.thread_id, run.id, PageQuery(order="asc"))).data)

    async def messages(self, run: Run) -> list[Message]:
        return list((await list_messages(self.db, run.thread_id, PageQuery(order="asc"), run.id)).data)


_BLOBS = tempfile.TemporaryDirectory(prefix="blobs-")  # removed when the tests end
NO_BLOBS = DiskBlobs(Path("/nonexistent"))  # for what finds no file to remove


async def read_here(path: Path, filename: str) -> Parsed:
    """Reads files in this process, as fast as tests want it."""
    return parse(path, filename)


@dataclass
class Knowledge:
    """Where files lie and how they are read and found; without any model."""

    blobs: Any
    embedder: Any
    searcher: Searcher
    read: Any = read_here


def knowledge_over(db: Database, folder: Path | None = None, embedder: Any = None) -> Knowledge:
    """Blobs in a folder (a fresh one if none is given) and hashed embeddings."""
    embedder = embedder or HashEmbedder()
    blobs = DiskBlobs(folder or Path(tempfile.mkdtemp(dir=_BLOBS.name)))
    return Knowledge(blobs, embedder, Searcher(db, embedder))


@asynccontextmanager
async def house_over(
    db: Database,
    engine: ScriptedEngine,
    *,
    lease_seconds: float = 5.0,
    knowledge: "Knowledge | None" = None,
    interpreter: Any = None,
    desks: Mapping[JobKind, Desk] | None = None,
) -> AsyncIterator[House]:
    """A house whose worker works; what it carries is dropped at the end as by a crash."""
    writer = LogWriter(db)
    knowledge = knowledge or knowledge_over(db)
    desks = {
        **(desks or {}),
        JobKind.RUN: Desk(
            RunCarrier(db, writer, engine, CATALOGUE, knowledge.searcher, knowledge.blobs, interpreter), 8
        ),
        JobKind.COMPLETION: Desk(CompletionCarrier(db, writer, engine, CATALOGUE), 8),
        JobKind.INGESTION: Desk(FileCarrier(db, knowledge.blobs, knowledge.embedder, knowledge.read), 2),
    }
    worker = Worker(db, writer, desks, lease_seconds=lease_seconds)
    tasks = [asyncio.create_task(writer.run()), asyncio.create_task(worker.run())]
    try:
        yield House(db, engine, worker, Log(db))
    finally:
        carried = [task for task, _ in worker._work.values()]
        for task in (*tasks, *carried):
            task.cancel()
        await asyncio.gather(*tasks, *carried, return_exceptions=True)


@pytest.fixture
def open_house(db: Database) -> Callable[..., Any]:
    """`async with open_house(engine) as house`, on each kind of database."""
    return lambda engine, **given: house_over(db, engine, **given)
