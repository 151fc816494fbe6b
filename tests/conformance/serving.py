"""Starts the real server as a process, on a free port of loopback, and ends it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

READY_SECONDS = 60.0
# Where processes are started: an `.env` where the tests are run is somebody's own.
ELSEWHERE = tempfile.gettempdir()


def free_port() -> int:
    """A port that nothing listens on right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    environment: dict[str, str]
    arguments: list[str] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def ready(self) -> dict[str, Any]:
        """What /health/ready says, once it says so with 200."""
        deadline = time.monotonic() + READY_SECONDS
        answer = "nothing"
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}"
            try:
                response = httpx.get(f"{self.root}/health/ready", timeout=5)
                if response.status_code == 200:
                    body: dict[str, Any] = response.json()
                    return body
                answer = response.text
            except httpx.HTTPError as error:
                answer = repr(error)
            time.sleep(0.05)
        raise AssertionError(f"the server was not ready in {READY_SECONDS} s: {answer}")

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """End it in order."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def again(self) -> "Served":
        """The same server on the same data, started anew."""
        return start(self.environment, self.port, self.arguments)


def start(environment: dict[str, str], port: int | None = None, arguments: list[str] | None = None) -> Served:
    """A server process with these settings."""
    port = port or free_port()
    arguments = arguments or []
    command = [sys.executable, "-m", "assistants_api", "serve", *arguments, "--port", str(port)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASSISTANTS_")}
    process = subprocess.Popen(command, env={**clean, **environment}, cwd=ELSEWHERE)
    return Served(process, port, environment, arguments)


@contextmanager
def serving(folder: Path, script: list[Any] | None = None, **settings: str) -> Iterator[Served]:
    """A ready server over `folder`: on a script, or without one on the bundled model."""
    environment = {
        "ASSISTANTS_DATA_DIR": str(folder),
        "ASSISTANTS_LOG_LEVEL": "warning",
        "ASSISTANTS_SANDBOX": "off",
    }
    if script is not None:
        (folder / "script.json").write_text(json.dumps(script))
        environment |= {
            "ASSISTANTS_ENGINE": "scripted",
            "ASSISTANTS_SCRIPT": str(folder / "script.json"),
            "ASSISTANTS_EMBEDDER": "hash",
        }
    environment |= {f"ASSISTANTS_{name.upper()}": value for name, value in settings.items()}
    served = start(environment)
    try:
        served.ready()
        yield served
    finally:
        served.stop()
