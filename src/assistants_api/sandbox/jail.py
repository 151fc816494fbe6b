"""What both tiers share: starting a program that nobody else can reach, and the handle that ends it."""

import contextlib
import os
import pwd
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assistants_api.sandbox.config import Limits

# Users of no account, for sessions of a server that runs as root. Below 65536: containers map no more.
_FIRST_UID, _LAST_UID = 52000, 59999


@dataclass(slots=True)
class Jail:
    """A started guest as the host sees it: one process, one channel, and ways to measure and end it."""

    process: "subprocess.Popen[bytes]"
    channel: socket.socket
    complaints: int  # read end of the pipe for what goes wrong at the start
    is_group: bool  # ended by process group, not by the end of its namespace
    folder: Path | None = None  # the writable folder on the host, where the tier needs one
    kept: list[int] = field(default_factory=list)  # descriptors that live as long as the jail
    after: list[Callable[[], None]] = field(default_factory=list)

    def kill(self) -> None:
        """Ends everything inside, at once. May be called again."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.is_group:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def complaint(self) -> str:
        """What was printed before the guest took over its descriptors, at most 2000 bytes."""
        os.set_blocking(self.complaints, False)
        try:
            return os.read(self.complaints, 2000).decode(errors="replace").strip()
        except BlockingIOError:
            return ""

    def release(self) -> None:
        """Waits for the end of the process and gives back what the host held. Blocks."""
        self.process.wait()
        for descriptor in (self.complaints, *self.kept):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self.kept.clear()
        self.channel.close()
        for action in self.after:
            action()


def free_uid() -> int | None:
    """A user id of its own for a session when the server is root; None (the server's own user) otherwise.

    Root's processes are not counted by the kernel's process limit, and are not told apart from the server's.
    """
    if os.geteuid() != 0:
        return None
    while True:
        uid = _FIRST_UID + secrets.randbelow(_LAST_UID - _FIRST_UID + 1)
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return uid


def start(
    command: Callable[[int], Sequence[str]],
    *,
    uid: int | None,
    is_group: bool,
    pass_fds: Sequence[int] = (),
    environment: dict[str, str] | None = None,
) -> Jail:
    """Starts `command(channel descriptor)` with nothing of the server's: no environment, no descriptors.

    Raises OSError when it cannot be started.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            command(theirs.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            cwd="/",
            env=environment or {},
            pass_fds=(theirs.fileno(), *pass_fds),
            start_new_session=True,
            umask=0o077,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
        )
    except BaseException:
        ours.close()
        os.close(reading)
        raise
    finally:
        theirs.close()
        os.close(writing)
    ours.setblocking(False)
    return Jail(process, ours, reading, is_group)


def guest_environment(python: str, home: str, temporary: str) -> dict[str, str]:
    """The whole environment of a guest; `python` is where it sees its Python environment."""
    return {
        "PATH": f"{python}/bin:/usr/bin:/bin",
        "PYTHONHOME": python,
        "LD_LIBRARY_PATH": f"{python}/lib",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "HOME": home,
        "USER": "sandbox",
        "LOGNAME": "sandbox",
        "TMPDIR": temporary,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": f"{home}/matplotlib",
        "SANDBOX_MATPLOTLIB": f"{python}/matplotlib",
        "IPYTHONDIR": f"{home}/ipython",
        # One core per guest, and its threads count as processes.
        **dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
        ),
    }


def session_order(
    channel: int, data: str, limits: Limits, program: bytes, *, processes: int | None = None
) -> dict[str, object]:
    """What the session program is told."""
    return {
        "channel": channel,
        "data": data,
        "filter": program.hex(),
        "limits": {
            "address_space": limits.address_space,
            "processes": processes or limits.processes,
            "descriptors": limits.descriptors,
            "file": limits.file,
            "cpu_seconds": limits.cpu_seconds,
            "text": limits.text,
            "images": limits.images,
            "image": limits.image,
            "listed_files": limits.listed_files,
        },
    }
