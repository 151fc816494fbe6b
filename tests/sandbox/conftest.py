"""Both tiers where they can start; in CI they must."""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from assistants_api.domain.sandbox import Done, Image, Logs
from assistants_api.ports import Sandbox
from assistants_api.sandbox.config import SandboxConfig, find_environment
from assistants_api.sandbox.opening import open_sandbox
from assistants_api.sandbox.session import JailedSession
from assistants_api.sandbox.watchdog import descendants
from tests.conftest import until

ROOT = Path(__file__).parents[2]


def environment() -> Path:
    """The jail's Python environment that the tests use."""
    given = os.environ.get("ASSISTANTS_SANDBOX_ENV")
    return find_environment(Path(given) if given else None) or ROOT / ".venv-sandbox"


def open_or_skip(tier: str, **config: object) -> Sandbox:
    """The tier, started; the test is skipped where it cannot be, and fails in CI."""
    opened = asyncio.run(open_sandbox(tier, SandboxConfig(environment(), **config)))
    if not opened.describe().is_on:
        reason = f"this machine has no {tier} tier: {opened.describe().reason}"
        if os.environ.get("CI"):
            pytest.fail(f"in CI both tiers must be there; {reason}")
        pytest.skip(reason)
    return opened


@pytest.fixture(scope="session", params=["bubblewrap", "landlock"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A proven jail of each tier."""
    opened = open_or_skip(request.param)
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
def tier(sandbox: Sandbox) -> str:
    """The tier's name."""
    return sandbox.describe().tier


@pytest.fixture
async def session(sandbox: Sandbox, host: "Host") -> AsyncIterator[JailedSession]:
    """One guest. Whatever a test does in it, nothing of it is left afterwards."""
    opened = await sandbox.open()
    process = opened.jail.process
    children = set(descendants(process.pid))
    yield opened
    children |= set(descendants(process.pid))
    await opened.close()
    assert process.returncode is not None
    await until(lambda: not [pid for pid in children if is_alive(pid)])
    assert opened.jail.folder is None or not opened.jail.folder.exists()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@dataclass(frozen=True)
class Host:
    """What lies on the host for a guest to reach for."""

    token: str
    secret: Path
    listener: socket.socket
    abstract: socket.socket
    abstract_name: str
    sentinel: "subprocess.Popen[bytes]"

    @property
    def port(self) -> int:
        """The listening TCP port on loopback."""
        return self.listener.getsockname()[1]

    def calls(self) -> int:
        """How many connections reached the host."""
        count = 0
        for listener in (self.listener, self.abstract):
            listener.setblocking(False)
            try:
                while True:
                    listener.accept()[0].close()
                    count += 1
            except BlockingIOError:
                continue
        return count


@pytest.fixture
def host() -> Iterator[Host]:
    """A secret that every user may read, one in the environment, two listening sockets, a process to kill."""
    token = secrets.token_hex(16)
    name = f"sandbox-test-{token}"
    with (
        # Not below /tmp, which means the session's own to code that names it.
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        Path(folder).chmod(0o755)
        secret = Path(folder, "secret.txt")
        secret.write_text(token)
        abstract.bind("\0" + name)
        abstract.listen()
        os.environ["HOST_SECRET"] = token
        sentinel = subprocess.Popen(["sleep", "600"])
        yield Host(token, secret, listener, abstract, name, sentinel)
        del os.environ["HOST_SECRET"]
        sentinel.kill()
        sentinel.wait()


@dataclass(frozen=True)
class Ran:
    """What one cell put out."""

    text: str
    images: list[bytes]
    done: Done


async def run(session: JailedSession, code: str, timeout: float = 30.0) -> Ran:
    """Runs a cell to its end."""
    text, images = "", []
    done: Done | None = None
    async for output in session.execute(code, timeout):
        assert done is None
        match output:
            case Logs(more):
                text += more
            case Image(png):
                images.append(png)
            case Done():
                done = output
    assert done is not None
    return Ran(text, images, done)


_ATTEMPTS = """
import ctypes, glob, json, os, shutil, signal, socket, struct, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
def _try(expression):
    try:
        value = eval(expression)
    except BaseException as error:
        return "blocked"
    return repr(value)[:200]
print(json.dumps({name: _try(expression) for name, expression in json.loads(%r).items()}))
"""


async def attempts(session: JailedSession, expressions: dict[str, str]) -> dict[str, str]:
    """What each expression gave inside the jail: 'blocked' when it raised."""
    ran = await run(session, _ATTEMPTS % json.dumps(expressions))
    assert not ran.done.has_failed, ran.text
    return json.loads(ran.text.rstrip().rpartition("\n")[2])


def all_blocked(expressions: dict[str, str]) -> dict[str, str]:
    """What a jail that holds answers."""
    return dict.fromkeys(expressions, "blocked")
