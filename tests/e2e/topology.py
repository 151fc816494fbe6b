"""docker-compose.yml as plain processes: a balancer, two API replicas, two workers, one PostgreSQL database."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.conformance.serving import ELSEWHERE, Served, free_port, start
from tests.conftest import POSTGRES, fresh_postgres

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
BETA = {"OpenAI-Beta": "assistants=v2"}


def needs(program: str) -> str:
    """Where the program is; skips where it is not, and fails in CI."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"in CI {program} must be there")
        pytest.skip(f"needs {program} from the distribution's packages")
    return found


def needs_postgres() -> None:
    if POSTGRES is None:
        if os.environ.get("CI"):
            pytest.fail("in CI PostgreSQL must be there: set ASSISTANTS_TEST_POSTGRES_URL")
        pytest.skip("needs a PostgreSQL server: set ASSISTANTS_TEST_POSTGRES_URL")


@contextmanager
def database() -> Iterator[str]:
    """A new PostgreSQL database, for tests that wait in threads and processes."""
    needs_postgres()
    with asyncio.Runner() as runner:
        fresh = fresh_postgres()
        url = runner.run(fresh.__aenter__())
        try:
            yield url
        finally:
            runner.run(fresh.__aexit__(None, None, None))


@dataclass
class Topology:
    """What runs, and where."""

    url: str
    environment: dict[str, str]
    root: str = ""
    replicas: list[Served] = field(default_factory=list)
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        """Through the balancer."""
        return f"{self.root}/v1"

    def worker(self, **settings: str) -> "subprocess.Popen[bytes]":
        """One more worker process."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ASSISTANTS_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "assistants_api", "worker"],
            env={**clean, **self.environment, **settings},
            cwd=ELSEWHERE,
        )
        self.workers.append(process)
        return process

    def streaming_replica(self) -> Served:
        """The replica that holds an open stream."""
        for served in self.replicas:
            text = httpx.get(f"{served.root}/metrics").text
            line = next(
                line for line in text.splitlines() if line.startswith("assistants_http_open_requests ")
            )
            if float(line.split()[1]) >= 2:  # one is this request
                return served
        raise AssertionError("no replica streams")

    def query(self, statement: str) -> list[Any]:
        """Rows straight from the database."""

        async def ask() -> list[Any]:
            engine = create_async_engine(self.url)
            try:
                async with engine.begin() as connection:
                    result = await connection.execute(text(statement))
                    return list(result.all()) if result.returns_rows else []
            finally:
                await engine.dispose()

        return asyncio.run(ask())

    def carrier_of(self, run_id: str) -> "subprocess.Popen[bytes]":
        """The worker process that holds the run."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            rows = self.query(f"SELECT owner FROM jobs WHERE subject_id = '{run_id}' AND owner IS NOT NULL")
            for (owner,) in rows:
                for worker in self.workers:
                    if f"-{worker.pid}-" in owner and worker.poll() is None:
                        return worker
        raise AssertionError("no worker holds the run")

    def stop(self) -> None:
        """End every process, in order where it can be."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for served in self.replicas:
            served.stop()
        for worker in self.workers:
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def configured(kind: str, folder: Path, port: int, replicas: list[Served]) -> list[str]:
    """The command of the shipped configuration, with this machine's ports."""
    program = needs(kind)
    name = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}[kind]
    shipped = (DEPLOY / name).read_text()
    for number, served in enumerate(replicas, start=1):
        assert f"api-{number}:8000" in shipped
        shipped = shipped.replace(f"api-{number}:8000", f"127.0.0.1:{served.port}")
    if kind == "nginx":
        shipped = shipped.replace("listen 8000;", f"listen 127.0.0.1:{port};").replace(
            "/tmp/nginx", f"{folder}/nginx"
        )
        command = [program, "-p", str(folder), "-c", str(folder / name), "-g"]
        command.append("daemon off; user root;" if os.geteuid() == 0 else "daemon off;")
    else:
        shipped = shipped.replace("bind :8000", f"bind 127.0.0.1:{port}")
        command = [program, "-db", "-f", str(folder / name)]
    (folder / name).write_text(shipped)
    return command


@contextmanager
def running(folder: Path, kind: str, script: list[Any], **settings: str) -> Iterator[Topology]:
    """Everything, ready."""
    needs(kind)
    (folder / "script.json").write_text(json.dumps(script))
    with database() as url:
        environment = {
            "ASSISTANTS_DATA_DIR": str(folder),
            "ASSISTANTS_DATABASE_URL": url,
            "ASSISTANTS_ENGINE": "scripted",
            "ASSISTANTS_SCRIPT": str(folder / "script.json"),
            "ASSISTANTS_EMBEDDER": "hash",
            "ASSISTANTS_SANDBOX": "off",
            "ASSISTANTS_LOG_LEVEL": "warning",
            **{f"ASSISTANTS_{name.upper()}": value for name, value in settings.items()},
        }
        topology = Topology(url, environment)
        balancer: subprocess.Popen[bytes] | None = None
        try:
            topology.replicas = [start(environment, arguments=["--no-worker"]) for _ in range(2)]
            for _ in range(2):
                topology.worker()
            port = free_port()
            topology.root = f"http://127.0.0.1:{port}"
            for served in topology.replicas:
                served.ready()
            balancer = subprocess.Popen(configured(kind, folder, port, topology.replicas))
            Served(balancer, port, {}).ready()
            yield topology
        finally:
            if balancer is not None:
                balancer.terminate()
                balancer.wait(20)
            topology.stop()
