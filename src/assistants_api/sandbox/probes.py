"""The self-test of a tier: real attempts at what a guest must not do, made in a guest, once at every start.

A tier is used only where every attempt fails and honest work succeeds. The long list is in tests/sandbox.
"""

import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistants_api.domain.errors import Unavailable
from assistants_api.domain.sandbox import Done, Logs, SandboxOff
from assistants_api.ports import Sandbox
from assistants_api.sandbox.jail import guest_environment

_SECONDS = 20.0
# What it is told is in hex: places that code names are not always the host's own.
_TRY = """
import ctypes, json, os, signal, socket
order = json.loads(bytes.fromhex(%r))
open_doors = []
def attempt(name, action):
    try:
        if action() is not False:
            open_doors.append(name)
    except BaseException as error:
        pass
def write(path):
    with open(path, "w") as file:
        file.write("x")
def same_processes():
    try:
        if os.readlink("/proc/self/ns/pid") != order["pid_namespace"]:
            return False
    except OSError:
        pass
    os.kill(order["pid"], 0)
def connect():
    socket.create_connection(("127.0.0.1", order["port"]), timeout=2)
def many():
    children = []
    try:
        for _ in range(order["processes"] + 1):
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
libc = ctypes.CDLL(None)
attempt("a file of the host can be read", lambda: open(order["secret"]).read())
for place in ("/", "/usr", "/etc", "/opt", order["folder"]):
    attempt("the host can be written to", lambda: write(os.path.join(place, order["token"])))
attempt("the network can be reached", connect)
attempt("the server can be signalled", same_processes)
attempt("a namespace can be made", lambda: libc.unshare(0x10000000) == 0)
attempt("processes can be traced", lambda: libc.ptrace(0, 0, 0, 0) == 0)
attempt("no system call is filtered", lambda: libc.prctl(21, 0, 0, 0, 0) != 2)
attempt("processes are not limited", many)
attempt("the server's environment is seen", lambda: bool(set(os.environ) - set(order["environment"])))
attempt("the guest is root", lambda: os.geteuid() == 0)
import numpy
print(json.dumps({"token": order["token"], "sum": int(numpy.arange(10).sum()), "open": open_doors}))
"""


async def prove(sandbox: Sandbox, *, processes: int = 64) -> None:
    """Opens one guest and lets it try. Raises `SandboxOff` with what went wrong."""
    try:
        session = await sandbox.open()
    except Unavailable as error:
        raise SandboxOff(error.message) from error
    try:
        with _host(processes) as (order, listener):
            said = ""
            async for output in session.execute(_TRY % json.dumps(order).encode().hex(), _SECONDS):
                match output:
                    case Logs(text):
                        said += text
                    case Done(_, True, ended=ended):
                        raise SandboxOff(f"the self-test did not run: {ended or said.strip()[-300:]}")
            try:
                found = json.loads(said)
            except ValueError:
                raise SandboxOff(f"the self-test did not answer: {said.strip()[-300:]}") from None
            if found["token"] != order["token"] or found["sum"] != 45:
                raise SandboxOff("the self-test answered something else")
            if _was_called(listener):
                found["open"].append("the network can be reached")
            if found["open"]:
                raise SandboxOff("the self-test found a way out: " + "; ".join(found["open"]))
    finally:
        await session.close()


@contextmanager
def _host(processes: int) -> Iterator[tuple[dict[str, object], socket.socket]]:
    """What a guest tries to reach: a file that everyone may read, a listening port, this process."""
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secret").write_text(token)
        yield (
            {
                "token": token,
                "secret": str(folder / "secret"),
                "folder": name,
                "port": listener.getsockname()[1],
                "pid": os.getpid(),
                "pid_namespace": os.readlink("/proc/self/ns/pid"),
                "processes": processes,
                "environment": [*guest_environment("", "", ""), "PWD", "COLUMNS", "LINES", "_"],
            },
            listener,
        )


def _was_called(listener: socket.socket) -> bool:
    listener.setblocking(False)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True
