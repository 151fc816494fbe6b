"""Tier A: every namespace new, nothing of the host but programs, libraries and fonts, memory file systems."""

import json
import os
import shutil
from pathlib import Path

from assistants_api.domain.errors import Unavailable
from assistants_api.domain.sandbox import SandboxFacts, SandboxOff
from assistants_api.sandbox.config import SandboxConfig
from assistants_api.sandbox.filter import compile_filter
from assistants_api.sandbox.folders import PROGRAMS, make_root, remove
from assistants_api.sandbox.jail import Jail, free_uid, guest_environment, session_order, start
from assistants_api.sandbox.probes import prove
from assistants_api.sandbox.session import JailedSession, first_words

_PYTHON = "/opt/python-env"
_PROGRAMS = "/opt/sandbox"
_DATA, _HOME = "/mnt/data", "/home/sandbox"
_SHOWN = (
    "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec",
    "/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/zoneinfo",
)  # fmt: skip
_TOP = ("/bin", "/lib", "/lib64")
_WRITABLE = (_DATA, "/tmp", _HOME, "/dev/shm")


class BubblewrapSandbox:
    """Guests in namespaces of their own."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._program = ""
        self._filter = b""
        self._root: Path | None = None

    async def start(self) -> None:
        """Tries whether the jail holds. Raises `SandboxOff`, with the reason."""
        program = shutil.which("bwrap")
        if program is None:
            raise SandboxOff("bubblewrap is not installed (apt-get install bubblewrap)")
        self._program = program
        try:
            self._filter = compile_filter(namespaces=True)
        except KeyError:
            raise SandboxOff("the system-call filter has no table for this machine") from None
        self._root = make_root()
        try:
            await prove(self)
        except SandboxOff:
            await self.close()
            raise

    async def open(self, *, preload: bool = False) -> JailedSession:
        """A new guest. Raises `Unavailable` when it does not start."""
        try:
            jail = self._launch()
        except OSError as error:
            raise Unavailable(f"bubblewrap cannot be started: {error}") from error
        return await first_words(jail, self._config.limits, mounts=_WRITABLE, preload=preload)

    def describe(self) -> SandboxFacts:
        """The best tier needs no reason."""
        return SandboxFacts("bubblewrap", "", {"limits_mb": self._config.limits.memory // 2**20})

    async def close(self) -> None:
        """Removes the guest's programs; nothing else of a guest is on the host."""
        if self._root is not None:
            remove(self._root)

    def _launch(self) -> Jail:
        return start(self._command, uid=free_uid(), is_group=False)

    def _command(self, channel: int) -> list[str]:
        assert self._config.environment is not None
        assert self._root is not None
        limits = self._config.limits
        namespaces = (
            "--unshare-user --unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try"
        )
        rest = "--disable-userns --die-with-parent --new-session --cap-drop ALL --uid 1000 --gid 1000"
        command = [
            self._program, *namespaces.split(), *rest.split(), "--hostname", "sandbox", "--clearenv",
            "--as-pid-1", "--proc", "/proc", "--dev", "/dev",
        ]  # fmt: skip
        for name, value in guest_environment(_PYTHON, _HOME, "/tmp").items():
            command += ["--setenv", name, value]
        for path in _TOP:
            if os.path.islink(path):
                command += ["--symlink", os.readlink(path), path]
            elif os.path.isdir(path):
                command += ["--ro-bind", path, path]
        for path in _SHOWN:
            if os.path.isdir(path) and not os.path.islink(path):
                command += ["--ro-bind", path, path]
        for size, path in (
            (limits.data, _DATA),
            (limits.temporary, "/tmp"),
            (limits.home, _HOME),
            (limits.shared_memory, "/dev/shm"),
        ):
            command += ["--size", str(size), "--tmpfs", path]
        command += ["--ro-bind", str(self._config.environment), _PYTHON]
        command += ["--ro-bind", str(self._root / PROGRAMS), _PROGRAMS]
        command += [
            "--symlink",
            f"{_PROGRAMS}/passwd",
            "/etc/passwd",
            "--symlink",
            f"{_PROGRAMS}/group",
            "/etc/group",
        ]
        command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", _DATA, "--"]
        order = json.dumps(session_order(channel, _DATA, limits, self._filter))
        return [*command, f"{_PYTHON}/bin/python3", "-s", f"{_PROGRAMS}/session.py", order]
