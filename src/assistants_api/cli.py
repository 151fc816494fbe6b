"""The commands: serve, worker, migrate, keys, version."""

import asyncio
import contextlib
import ipaddress
import logging
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from assistants_api import __version__
from assistants_api.api.app import create_app
from assistants_api.bootstrap import BadSettings, Server, database_url, running
from assistants_api.domain import ids
from assistants_api.domain.errors import NotFound
from assistants_api.domain.secret import digest, hint, new_secret
from assistants_api.settings import Settings
from assistants_api.store.database import Database
from assistants_api.store.keys import ApiKey
from assistants_api.store.opening import CannotOpen, open_database
from assistants_api.store.opening import migrate as migrate_database
from assistants_api.store.wake import Wake

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The Assistants API v2 on your own machine."
)
keys = typer.Typer(no_args_is_help=True, help="API keys kept in the database.")
app.add_typer(keys, name="keys")

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
NoWorker = Annotated[bool, typer.Option("--no-worker", help="Only the API; runs are carried by `worker`.")]


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

    table = Table("id", "name", "key", "created", "state")
    for key in _run(read()):
        state = "in force" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.name, key.hint, f"{key.created_at:%Y-%m-%d %H:%M}", state)
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
            if not _is_loopback(settings.host):
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
            server_header=False,
        )
        http = uvicorn.Server(config)
        announcing = asyncio.create_task(_announce(http, server))
        try:
            await http.serve()
        finally:
            announcing.cancel()
        if not http.started:
            raise BadSettings(f"Cannot listen on {settings.host}:{settings.port}.")


async def _announce(http: uvicorn.Server, server: Server) -> None:
    """Say where the server is once it answers, and when its model is ready."""
    while not http.started:  # noqa: ASYNC110 - uvicorn has no event for this
        await asyncio.sleep(0.02)
    host, port = http.servers[0].sockets[0].getsockname()[:2]
    console = Console(stderr=True)
    console.print(f"assistants-api {__version__} serves http://{host}:{port}/v1", highlight=False)
    if server.worker is None:
        return
    facts = server.parts.engine.describe()
    while facts.state == "loading":
        await asyncio.sleep(0.1)
        facts = server.parts.engine.describe()
    if facts.state == "ready":
        console.print(f"model {facts.model} is ready ({facts.name})", highlight=False)
    else:
        console.print(f"[red]model {facts.model} is not ready:[/red] {facts.reason}", highlight=False)


async def _work(settings: Settings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped.set)
    async with running(settings):
        await stopped.wait()


@contextlib.asynccontextmanager
async def _database() -> AsyncIterator[Database]:
    db = await open_database(database_url(_settings()), Wake())
    try:
        yield db
    finally:
        await db.close()


async def _has_keys(server: Server) -> bool:
    async with server.parts.db.read() as tx:
        return bool(await tx.keys.digests())


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _settings(**given: object) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"ASSISTANTS_{name}: {problem['msg']}", err=True)
        raise typer.Exit(2) from error


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what the user can mend is said in one line."""
    try:
        if sys.platform == "win32":
            return asyncio.run(coroutine)
        import uvloop

        return uvloop.run(coroutine)
    except (BadSettings, CannotOpen, NotFound) as error:
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
