"""Builds every part once from `Settings` and hands them down; starts and stops them in order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assistants_api import __version__
from assistants_api.api.parts import Parts
from assistants_api.blobs.disk import DiskBlobs
from assistants_api.domain.errors import Unavailable
from assistants_api.domain.job import JobKind
from assistants_api.domain.model import Catalogue
from assistants_api.domain.webhook import host_of
from assistants_api.engine.config import BUNDLED_MODEL, EngineConfig
from assistants_api.knowledge.parser import parse_limited
from assistants_api.knowledge.search import Searcher
from assistants_api.ports import Blobs, Embedder, Engine
from assistants_api.sandbox.config import Limits, SandboxConfig, find_environment
from assistants_api.sandbox.opening import open_sandbox
from assistants_api.sandbox.pool import PoolConfig, SessionPool
from assistants_api.services.ingestion import want_renewed
from assistants_api.services.runs import RunLimits
from assistants_api.settings import BUNDLED, Settings, Upstream
from assistants_api.store.database import Database
from assistants_api.store.log import Log
from assistants_api.store.opening import open_database, sqlite_url
from assistants_api.store.wake import Wake
from assistants_api.store.writer import LogWriter
from assistants_api.tools.code_interpreter import CodeInterpreter
from assistants_api.worker.carrying import RunCarrier
from assistants_api.worker.completing import CompletionCarrier
from assistants_api.worker.delivering import WebhookCarrier, read_secret
from assistants_api.worker.ingesting import FileCarrier
from assistants_api.worker.sessions import SessionKeeper
from assistants_api.worker.worker import Desk, Sweeper, Worker

if TYPE_CHECKING:
    from assistants_api.engine.server import Address

logger = logging.getLogger(__name__)

# Most of their time is spent waiting for somebody else.
_WEBHOOKS_AT_ONCE = 16
_MODELS_SHARE = 0.8  # of the memory that this process may use, for all local models


class BadSettings(Exception):
    """Settings that cannot work together; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Server:
    """The running parts of one process; `worker` is None where none was asked for."""

    parts: Parts
    worker: Worker | None


@asynccontextmanager
async def running(settings: Settings, *, with_worker: bool = True) -> AsyncIterator[Server]:
    """Everything that one process runs, from the database to the worker, ended in reverse order."""
    check(settings)
    async with AsyncExitStack() as stack:
        wake = Wake()
        db: Database = await open_database(database_url(settings), wake)
        stack.push_async_callback(db.close)
        db.webhooks = settings.webhook_urls
        blobs = build_blobs(settings)
        embedder = build_embedder(settings)
        stack.push_async_callback(embedder.close)
        searcher = Searcher(db, embedder, cache_bytes=settings.search_cache_mb << 20)
        engine = build_engine(settings)
        stack.push_async_callback(engine.close)
        if with_worker:
            await engine.start()
        catalogue = build_catalogue(settings, engine)
        pool = await open_pool(settings, stack) if with_worker else None
        limits = RunLimits(
            timedelta(seconds=settings.run_expiry_seconds),
            settings.max_waiting_runs,
            no_code=_no_code(settings, pool),
            webhook_hosts=frozenset(settings.webhook_hosts),
        )
        parts = Parts(
            db=db,
            log=Log(db),
            catalogue=catalogue,
            engine=engine,
            blobs=blobs,
            embedder=embedder,
            searcher=searcher,
            limits=limits,
            api_keys=settings.api_keys,
            cors_origins=settings.cors_origins,
            version=__version__,
            has_worker=with_worker,
            sandbox=pool.describe if pool is not None else None,
        )
        worker: Worker | None = None
        tasks = [asyncio.create_task(Sweeper(db, blobs).run(), name="sweeper")]
        if with_worker:
            writer = LogWriter(db)
            interpreter = None
            if pool is not None and pool.describe().is_on:
                interpreter = CodeInterpreter(pool, settings.sandbox_timeout_seconds)
            runs = Desk(
                RunCarrier(db, writer, engine, catalogue, searcher, blobs, interpreter),
                settings.max_concurrent_runs,
            )
            answers = CompletionCarrier(db, writer, engine, catalogue)
            completions = Desk(answers, settings.max_concurrent_runs)
            read = partial(
                parse_limited,
                timeout=settings.parse_seconds,
                memory_bytes=settings.parse_memory_mb << 20,
            )
            files = Desk(FileCarrier(db, blobs, embedder, read), settings.max_concurrent_files)
            desks = {JobKind.RUN: runs, JobKind.COMPLETION: completions, JobKind.INGESTION: files}
            if settings.webhook_secret is not None:
                secret = read_secret(settings.webhook_secret)
                desks[JobKind.WEBHOOK] = Desk(WebhookCarrier(db, secret), _WEBHOOKS_AT_ONCE)
            worker = Worker(db, writer, desks)
            if pool is not None and interpreter is not None:
                keeper = SessionKeeper(db, pool, worker.owner)
                stack.push_async_callback(keeper.release)
                tasks.append(asyncio.create_task(keeper.run(), name="session-keeper"))
            tasks.append(asyncio.create_task(writer.run(), name="log-writer"))
            tasks.append(asyncio.create_task(worker.run(), name="worker"))
            tasks.append(asyncio.create_task(_renew_indexes(db, embedder), name="renewing"))
        stack.push_async_callback(_end, tasks)
        if worker is not None:
            stack.push_async_callback(worker.drain)
        yield Server(parts, worker)


async def _renew_indexes(db: Database, embedder: Embedder) -> None:
    try:
        outdated = await want_renewed(db, embedder.name, datetime.now(UTC))
    except Unavailable as error:
        logger.warning("files of another embedder are indexed after the next start: %s", error.message)
        return
    if outdated:
        logger.info("%d files that another embedder had indexed are indexed anew", outdated)


def check(settings: Settings) -> None:
    """Refuse settings that cannot work together."""
    for name, given in (("UPSTREAM_URL", settings.upstream_url), ("EMBEDDER_URL", settings.embedder_url)):
        if len({(each.url, each.model) for each in given}) < len(given):
            raise BadSettings(f"ASSISTANTS_{name} names a server twice.")
    if settings.engine == "remote" and not settings.upstream_url:
        raise BadSettings("ASSISTANTS_ENGINE=remote needs ASSISTANTS_UPSTREAM_URL.")
    if settings.engine == "remote" and settings.model == BUNDLED:
        raise BadSettings("ASSISTANTS_ENGINE=remote needs ASSISTANTS_MODEL, the upstream's model name.")
    if settings.engine == "scripted" and settings.script is None:
        raise BadSettings("ASSISTANTS_ENGINE=scripted needs ASSISTANTS_SCRIPT.")

    if settings.models and settings.engine != "transformers":
        raise BadSettings("ASSISTANTS_MODELS is for ASSISTANTS_ENGINE=transformers.")
    _check_webhooks(settings)


def _check_webhooks(settings: Settings) -> None:
    for url in settings.webhook_urls:
        if host_of(url) is None:
            raise BadSettings(f"ASSISTANTS_WEBHOOK_URLS: {url!r} is not an http address.")
    if settings.webhook_secret is None:
        if settings.webhook_urls or settings.webhook_hosts:
            raise BadSettings("ASSISTANTS_WEBHOOK_URLS and _HOSTS need ASSISTANTS_WEBHOOK_SECRET.")
        return
    try:
        read_secret(settings.webhook_secret)
    except ValueError as error:
        raise BadSettings(f"ASSISTANTS_WEBHOOK_SECRET: {error}.") from error


def database_url(settings: Settings) -> str:
    """The database that is used."""
    return settings.database_url or sqlite_url(settings.data_dir)


def build_engine(settings: Settings) -> Engine:
    """The engine that the settings name, not started yet."""
    match settings.engine:
        case "remote":
            from assistants_api.engine.remote import RemoteEngine
            from assistants_api.engine.server import Patience

            return RemoteEngine(
                _addresses(settings.upstream_url, settings.upstream_api_key, settings.upstream_limit),
                model=settings.model,
                context_window=settings.upstream_context,
                patience=Patience(silent_after=settings.upstream_silence_seconds),
            )
        case "scripted":
            from assistants_api.engine.script import BadScript
            from assistants_api.engine.scripted import ScriptedEngine

            assert settings.script is not None
            name = "scripted" if settings.model == BUNDLED else settings.model
            try:
                return ScriptedEngine.from_file(settings.script, name=name)
            except BadScript as error:
                raise BadSettings(f"ASSISTANTS_SCRIPT: {error}") from error
        case "transformers":
            return _local_engine(settings)


def _local_engine(settings: Settings) -> Engine:
    from assistants_api.engine import machine
    from assistants_api.engine.local import TransformersEngine
    from assistants_api.engine.several import SeveralEngines

    config = EngineConfig(
        model=BUNDLED_MODEL if settings.model == BUNDLED else settings.model,
        device=settings.device,
        dtype=settings.dtype,
        adapter=settings.adapter,
        dedicated=settings.dedicated,
        is_compiled=settings.compile,
        draft_tokens=settings.draft_tokens,
        max_rows=settings.max_batch,
    )
    if not settings.models:
        return TransformersEngine(config)
    limit = (settings.models_memory_mb or 0) << 20 or int(_MODELS_SHARE * (machine.memory_limit() or 0))
    # Each keeps the state of answers for itself.
    kv_bytes = limit // (4 * (1 + len(settings.models))) or None
    configs = [
        config,
        *(
            replace(config, model=BUNDLED_MODEL if source == BUNDLED else source, name=name, adapter=None)
            for name, source in settings.models.items()
        ),
    ]
    engines = {each.served_name: TransformersEngine(replace(each, kv_bytes=kv_bytes)) for each in configs}
    if len(engines) < len(configs):
        raise BadSettings(
            f"ASSISTANTS_MODELS: a name stands twice, or is the default's: {config.served_name}."
        )
    return SeveralEngines(engines, limit or None)


def _addresses(given: Sequence[Upstream], api_key: str | None, limit: int) -> list["Address"]:
    """Servers as settings name them, with what is set for all of them."""
    from assistants_api.engine.server import Address

    return [Address(each.url, each.key or api_key, each.model, each.limit or limit) for each in given]


def build_blobs(settings: Settings) -> Blobs:
    """Where the bytes of files lie."""
    if settings.blobs:
        from assistants_api.blobs.objects import ObjectBlobs

        return ObjectBlobs(settings.blobs, settings.s3_endpoint)
    with contextlib.suppress(OSError):  # told when something is to be written there
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return DiskBlobs(settings.data_dir / "blobs")


def build_embedder(settings: Settings) -> Embedder:
    """The embedder that the settings name; nothing is loaded before it is used."""
    from assistants_api.engine.embedding.hashed import HashEmbedder
    from assistants_api.engine.embedding.local import LocalEmbedder, MissingEmbedder, minilm_folder
    from assistants_api.engine.embedding.remote import RemoteEmbedder

    kind, _, rest = settings.embedder.partition(":")
    match kind:
        case "hash":
            return HashEmbedder()
        case "path":
            folder = Path(rest).expanduser()
            if not folder.is_dir():
                raise BadSettings(f"ASSISTANTS_EMBEDDER: there is no folder {folder}.")
            return LocalEmbedder(folder, f"path:{folder.name}")
        case "http":
            if not settings.embedder_url:
                raise BadSettings("ASSISTANTS_EMBEDDER=http:… needs ASSISTANTS_EMBEDDER_URL.")
            addresses = _addresses(settings.embedder_url, settings.embedder_api_key, settings.upstream_limit)
            return RemoteEmbedder(addresses, model=rest)
        case _:
            folder_found = minilm_folder()
            return MissingEmbedder() if folder_found is None else LocalEmbedder(folder_found, "minilm")


async def open_pool(settings: Settings, stack: AsyncExitStack) -> SessionPool:
    """The sandbox that the settings allow and the machine can hold, with its sessions."""
    given = settings.sandbox_env
    if settings.sandbox != "off" and given is not None and not (given / "bin" / "python3").exists():
        raise BadSettings(f"ASSISTANTS_SANDBOX_ENV: there is no Python environment at {given}.")
    limits = Limits(memory=settings.sandbox_memory_mb << 20)
    config = SandboxConfig(find_environment(settings.sandbox_env), limits)
    sandbox = await open_sandbox(settings.sandbox, config)
    stack.push_async_callback(sandbox.close)
    sessions = PoolConfig(
        most=settings.sandbox_sessions,
        warm=min(settings.sandbox_warm, settings.sandbox_sessions),
        idle_seconds=settings.sandbox_idle_seconds,
    )
    pool = SessionPool(sandbox, sessions)
    stack.push_async_callback(pool.close)
    await pool.start()
    return pool


def _no_code(settings: Settings, pool: SessionPool | None) -> str | None:
    """Why no code can be run; a process without a worker trusts the workers unless the setting says off."""
    if pool is None:
        return "ASSISTANTS_SANDBOX=off" if settings.sandbox == "off" else None
    facts = pool.describe()
    return None if facts.is_on else facts.reason


def build_catalogue(settings: Settings, engine: Engine) -> Catalogue:
    """The served models and the names that stand for them."""
    served, others = engine.describe().model, tuple(settings.models)
    aliases = {name: target or served for name, target in settings.model_aliases.items()}
    for name, target in aliases.items():
        if target not in (served, *others):
            raise BadSettings(
                f"ASSISTANTS_MODEL_ALIASES: '{name}' stands for '{target}', but"
                f" {', '.join(repr(each) for each in (served, *others))} is served."
            )
    return Catalogue(served, aliases, datetime.now(UTC), others)


async def _end(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
