"""Tier B, where no namespaces can be had: Landlock, a system-call filter, a folder per session.

No mounts: a session's files lie in a folder on the host's disk, capped by the watchdog, and the session
program lets '/mnt/data' in a cell mean that folder.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from assistants_api.domain.errors import Unavailable
from assistants_api.domain.sandbox import SandboxFacts, SandboxOff
from assistants_api.sandbox.config import GUEST, SandboxConfig
from assistants_api.sandbox.filter import compile_filter
from assistants_api.sandbox.folders import PROGRAMS, make_root, remove
from assistants_api.sandbox.jail import Jail, free_uid, guest_environment, session_order, start
from assistants_api.sandbox.probes import prove
from assistants_api.sandbox.session import JailedSession, first_words

_READABLE = (
    "/usr/bin", "/usr/lib", "/usr/lib64", "/bin", "/lib", "/lib64",
    "/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/zoneinfo",
)  # fmt: skip
_FILES = ("/etc/mime.types",)  # read by libraries when they are there
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
# Below 3 a file may be cut to nothing; below 6 signals reach every process of the same user.
_LOWEST, _LOWEST_FOR_ONE_USER = 3, 6


class LandlockSandbox:
    """Guests in the server's own namespaces, with rules of their own."""

    def __init__(self, config: SandboxConfig, *, why_not_better: str = "") -> None:
        self._config = config
        self._why = why_not_better
        self._filter = b""
        self._abi = 0
        self._root: Path | None = None

    async def start(self) -> None:
        """Tries whether the jail holds. Raises `SandboxOff`, with the reason."""
        try:
            self._filter = compile_filter(namespaces=False)
        except KeyError:
            raise SandboxOff("the system-call filter has no table for this machine") from None
        self._abi = self._version()
        lowest = _LOWEST if os.geteuid() == 0 else _LOWEST_FOR_ONE_USER
        if self._abi < lowest:
            raise SandboxOff(f"Landlock ABI {lowest} is needed here and the kernel has {self._abi}")
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
            raise Unavailable(f"the sandbox cannot be started: {error}") from error
        return await first_words(jail, self._config.limits, preload=preload)

    def describe(self) -> SandboxFacts:
        """This tier, and why it is not the better one."""
        details: dict[str, object] = {
            "limits_mb": self._config.limits.memory // 2**20,
            "landlock_abi": self._abi,
        }
        return SandboxFacts("landlock", self._why, details)

    async def close(self) -> None:
        """Removes the sessions' folders."""
        if self._root is not None:
            remove(self._root)

    def _version(self) -> int:
        python = self._python()
        run = subprocess.run(
            [python / "bin" / "python3", "-s", GUEST / "launcher.py", "version"],
            env=guest_environment(str(python), "/", "/"), capture_output=True, text=True,
        )  # fmt: skip
        if run.returncode != 0:
            raise SandboxOff(f"the sandbox's Python does not run: {run.stderr.strip()[-200:]}")
        return int(run.stdout)

    def _python(self) -> Path:
        assert self._config.environment is not None
        return self._config.environment

    def _launch(self) -> Jail:
        assert self._root is not None
        python = self._python()
        uid = free_uid()
        folder = Path(tempfile.mkdtemp(prefix="s-", dir=self._root))
        data, home, temporary = (folder / name for name in ("data", "home", "tmp"))
        for path in (data, home, temporary):
            path.mkdir(mode=0o700)
        if uid is not None:
            for path in (folder, data, home, temporary):
                os.chown(path, uid, uid)
        programs = self._root / PROGRAMS
        rules = [
            (path, "read")
            for path in (*_READABLE, *_FILES, str(python), str(programs))
            if os.path.exists(path)
        ]
        rules += [(path, "device") for path in _DEVICES if os.path.exists(path)]
        rules += [(str(path), "write") for path in (data, home, temporary)]
        limits = self._config.limits
        lifeline, ours = os.pipe()
        # Without a user of its own a guest is counted together with all else that runs as this user.
        processes = limits.processes if uid is not None else limits.processes + _threads_of(os.getuid())

        def command(channel: int) -> list[str]:
            order = {
                "lifeline": lifeline,
                "rules": rules,
                "uid": uid,
                "session": session_order(channel, str(data), limits, self._filter, processes=processes),
            }
            return [f"{python}/bin/python3", "-s", f"{programs}/launcher.py", json.dumps(order)]

        try:
            jail = start(
                command,
                uid=None,  # the launcher keeps the server's user, out of the guest's reach
                is_group=True,
                pass_fds=[lifeline],
                environment=guest_environment(str(python), str(home), str(temporary)),
            )
        except OSError:
            os.close(ours)
            remove(folder)
            raise
        finally:
            os.close(lifeline)
        jail.folder = folder
        jail.kept.append(ours)
        jail.after.append(lambda: remove(folder))
        return jail


def _threads_of(uid: int) -> int:
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == uid:
                count += len(os.listdir(process / "task"))
        except OSError:
            continue
    return count
