"""The commands: serve, worker, migrate, keys, version."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from assistants_api import __version__
from assistants_api.api.app import create_app
from assistants_api.api.auth import is_loopback
from assistants_api.bootstrap import BadSettings, Server, database_url, running
from assistants_api.domain import ids
from assistants_api.domain.errors import NotFound, Unavailable
from assistants_api.domain.secret import digest, hint, new_secret
from assistants_api.http_server import Connection, HttpServer
from assistants_api.settings import Settings, mistaken_names
from assistants_api.store.database import Database
from assistants_api.store.keys import ApiKey
from assistants_api.store.opening import CannotOpen, open_database
from assistants_api.store.opening import migrate as migrate_database
from assistants_api.store.wake import Wake

T = TypeVar("T")

_LOOK_SECONDS = 0.05
# How long a connection that a balancer made just before the listener closed has for its request.
_LAST_REQUEST_SECONDS = 1.0
# What is left to be closed once nothing may run any more has so long: a database may answer nothing at all.
_END_SECONDS = 15.0
# Longer than balancers keep idle connections, so that none sends a request on one that closes.
_KEEP_ALIVE_SECONDS = 75

app = typer.Typer(no_args_is_help=True, add_completion=False)
keys = typer.Typer(no_args_is_help=True, help="API keys kept in the database.")
app.add_typer(keys, name="keys")

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
NoWorker = Annotated[bool, typer.Option("--no-worker", help="Only the API; runs are carried by `worker`.")]


@app.callback()
def _begin() -> None:
    """The Assistants API v2 on your own machine."""
    # The number of a closed one would be given to a file or a connection, which then got what is printed.
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "r+", encoding="utf-8")  # noqa: SIM115 - as long as the process
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


@app.command()
def serve(host: Host = None, port: Port = None, no_worker: NoWorker = False) -> None:
    """Serve the API; with its worker and model unless --no-worker is given."""
    settings = _settings(host=host, port=port)
    _set_up_logging(settings)
    _run(_serve(settings, with_worker=not no_worker))


@app.command()
def worker() -> None:
    """Carry runs of a database that servers share; serves nothing."""
    settings = _settings()
    _set_up_logging(settings)
    _run(_work(settings))


@app.command()
def migrate() -> None:
    """Bring the database to this version's revision."""
    revision = _run(migrate_database(database_url(_settings())))
    typer.echo(f"The database is at revision {revision}.")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@keys.command("create")
def create_key(name: Annotated[str, typer.Argument(help="What the key is for.")] = "default") -> None:
    """Make a key and show it, once."""

    async def create() -> str:
        secret = new_secret()
        key = ApiKey(ids.new("key"), name, hint(secret), digest(secret), datetime.now(UTC))
        async with _database() as db, db.begin() as tx:
            await tx.keys.add(key)
        return secret

    typer.echo(_run(create()))


@keys.command("list")
def list_keys() -> None:
    """Show every key's name, hint and state."""

    async def read() -> list[ApiKey]:
        async with _database() as db, db.read() as tx:
            return await tx.keys.all()

    table = Table(Column("id", no_wrap=True), "name", Column("key", overflow="fold"), "created", "state")
    for key in _run(read()):
        state = "in force" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, escape(key.name), key.hint, f"{key.created_at:%Y-%m-%d %H:%M}", state)
    Console().print(table)


@keys.command("revoke")
def revoke_key(id: Annotated[str, typer.Argument(help="The key's id, from `keys list`.")]) -> None:
    """A key that opens nothing any more; servers notice within seconds."""

    async def revoke() -> None:
        async with _database() as db, db.begin() as tx:
            await tx.keys.revoke(id)

    _run(revoke())
    typer.echo(f"{id} is revoked.")


async def _serve(settings: Settings, *, with_worker: bool) -> None:
    async with running(settings, with_worker=with_worker) as server:
        if not settings.api_keys and not await _has_keys(server):
            if not is_loopback(settings.host):
                raise BadSettings(
                    f"Refusing to listen on {settings.host} without a key: set ASSISTANTS_API_KEYS,"
                    " or make one with `assistants-api keys create`."
                )
            logging.getLogger(__name__).warning("no API key is configured: any key, or none, is accepted")
        config = uvicorn.Config(
            create_app(server.parts),
            host=settings.host,
            port=settings.port,
            log_level="warning" if settings.log_level == "info" else settings.log_level,
            access_log=settings.log_level == "debug",
            timeout_graceful_shutdown=5,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            server_header=False,
            http=Connection,
        )
        http = HttpServer(config)
        announcing = asyncio.create_task(_announce(http, server))
        stopping = asyncio.create_task(_stop_in_order(http, server, settings))
        try:
            await http.serve()
        except SystemExit:  # uvicorn's; it has logged why
            raise BadSettings(f"Cannot listen on {settings.host}:{settings.port}.") from None
        finally:
            announcing.cancel()
            stopping.cancel()


async def _stop_in_order(http: HttpServer, server: Server, settings: Settings) -> None:
    """When asked: not ready any more, no new claims, what runs may end; then the rest is handed over."""
    await http.terminated.wait()
    ending = asyncio.create_task(_end_in_time(http.hurried, settings))
    seconds = 0 if http.hurried.is_set() else settings.drain_seconds
    logging.getLogger(__name__).info("stopping: what runs has %g s to end", seconds)
    server.parts.stopping.set()
    await _unless(http.hurried, _drain_server(http, server, settings))
    if server.worker is not None:
        await server.worker.drain()
    server.parts.log.close()
    http.should_exit = True
    await ending


async def _end_in_time(hurried: asyncio.Event, settings: Settings) -> None:
    """Sees to it that the process ends a while after what runs had to, whatever holds it up."""
    loop = asyncio.get_running_loop()
    # A timer goes on while the loop is closed and what does not let itself be cancelled is waited for.
    loop.call_later(max(settings.drain_seconds, settings.drain_notice_seconds) + _END_SECONDS, _give_up)
    await hurried.wait()
    loop.call_later(_END_SECONDS, _give_up)


def _give_up() -> None:
    logging.getLogger(__name__).error("the process ends though something holds it up; leases will run out")
    os._exit(1)


async def _drain_server(http: HttpServer, server: Server, settings: Settings) -> None:
    notice = asyncio.create_task(asyncio.sleep(settings.drain_notice_seconds))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(settings.drain_seconds, settings.drain_notice_seconds)):
            if server.worker is not None:
                await server.worker.drain(settings.drain_seconds)
            # A balancer that has not noticed yet still sends requests: they too are answered to their end.
            await asyncio.shield(notice)
            await http.stop_listening(min(settings.drain_notice_seconds, _LAST_REQUEST_SECONDS))
            while http.is_answering:  # noqa: ASYNC110 - uvicorn has no event for this
                await asyncio.sleep(_LOOK_SECONDS)
    await notice


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Does the work, and drops it when the event comes first."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    working.cancel()
    waiting.cancel()
    await asyncio.gather(working, waiting, return_exceptions=True)


class _Console(Console):
    """Rich's, which would end the server when nobody reads what it prints."""

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.quiet = True


async def _announce(http: uvicorn.Server, server: Server) -> None:
    """Say where the server is once it answers, and when its model is ready."""
    while not http.started:  # noqa: ASYNC110 - uvicorn has no event for this
        await asyncio.sleep(0.02)
    host, port = http.servers[0].sockets[0].getsockname()[:2]
    console = _Console(stderr=True)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    console.print(f"assistants-api {__version__} serves http://{escape(place)}/v1", highlight=False)
    if server.worker is None:
        return
    facts = server.parts.engine.describe()
    while facts.state == "loading":
        await asyncio.sleep(0.1)
        facts = server.parts.engine.describe()
    model = escape(facts.model)
    if facts.state == "ready":
        console.print(f"model {model} is ready ({facts.name})", highlight=False)
    else:
        console.print(f"[red]model {model} is not ready:[/red] {escape(str(facts.reason))}", highlight=False)


async def _work(settings: Settings) -> None:
    stopped, hurried = asyncio.Event(), asyncio.Event()

    def stop(*, at_once: bool) -> None:
        if at_once or stopped.is_set():
            hurried.set()
        stopped.set()

    loop = asyncio.get_running_loop()
    async with running(settings) as server:
        # Only now: before it carries anything, as while it waits for its database, a signal just ends it.
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, partial(stop, at_once=number == signal.SIGINT))
        await stopped.wait()
        assert server.worker is not None, "a worker process has a worker"
        ending = asyncio.create_task(_end_in_time(hurried, settings))
        # What is not done when the process is hurried is handed back as `running` ends.
        await _unless(hurried, server.worker.drain(settings.drain_seconds))
    ending.cancel()


@contextlib.asynccontextmanager
async def _database() -> AsyncIterator[Database]:
    db = await open_database(database_url(_settings()), Wake())
    try:
        yield db
    finally:
        await db.close()


async def _has_keys(server: Server) -> bool:
    async with server.parts.db.read() as tx:
        return await tx.keys.were_made()


def _settings(**given: object) -> Settings:
    try:
        for name in mistaken_names():
            typer.echo(f"{name} is no setting; .env.example lists them all", err=True)
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"ASSISTANTS_{name}: {problem['msg']}", err=True)
        raise typer.Exit(2) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        typer.echo(f".env in this folder cannot be read: {reason}.", err=True)
        raise typer.Exit(2) from error


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what the user can mend is said in one line."""
    try:
        if sys.platform == "win32":
            return asyncio.run(coroutine)
        import uvloop

        return uvloop.run(coroutine)
    except (BadSettings, CannotOpen, NotFound, Unavailable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _set_up_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("httpx", "alembic", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


if __name__ == "__main__":
    app()
