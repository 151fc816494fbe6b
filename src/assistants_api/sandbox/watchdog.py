"""Measures what a guest uses and no limit of the kernel adds up: memory, processes, descriptors, files, disk.

Everything is read from the host's side; nothing inside the jail is opened by a name that the guest can
change.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from assistants_api.sandbox.config import Limits
from assistants_api.sandbox.jail import Jail

_ANONYMOUS = re.compile(rb"^(?:RssAnon|RssShmem):\s+(\d+) kB", re.MULTILINE)
_THREADS = re.compile(rb"^Threads:\s+(\d+)", re.MULTILINE)
_PRIVATE = re.compile(rb"^(?:Pss_Anon|Pss_Shmem):\s+(\d+) kB", re.MULTILINE)
_DELETED = re.compile(rb" ([0-9a-f]+:[0-9a-f]+ \d+) +/[^\n]* \(deleted\)$", re.MULTILINE)
_DEEPEST = 32


class Watch:
    """What one jail uses, against its limits."""

    def __init__(self, jail: Jail, limits: Limits, mounts: Sequence[int]) -> None:
        self._jail = jail
        self._limits = limits
        self._mounts = mounts  # descriptors of the memory file systems inside

    def broken(self) -> str | None:
        """Which limit is broken, as a sentence for the model; None while all hold."""
        limits = self._limits
        processes = list(descendants(self._jail.process.pid))
        status = {pid: text for pid in processes if (text := _read(pid, "status"))}
        threads = sum(int(found[1]) for text in status.values() if (found := _THREADS.search(text)))
        if (
            threads > limits.processes + 8
        ):  # the kernel's own limit comes first; this is for where it has none
            return "The session was ended: it started too many processes."
        if _kilobytes(_ANONYMOUS, status.values()) * 1024 > limits.memory:
            # The quick number counts what forked processes share once for each; ask again, more exactly.
            exact = _kilobytes(_PRIVATE, (_read(pid, "smaps_rollup") for pid in processes))
            if exact * 1024 > limits.memory:
                return f"The session was ended: it used more than {limits.memory // 2**20} MB of memory."
        if sum(_descriptors(pid) for pid in processes) > limits.all_descriptors:
            return "The session was ended: it opened too many files."
        files, size = self._disk(processes)
        if files > limits.files:
            return f"The session was ended: it made more than {limits.files} files."
        if size > limits.data + limits.temporary:
            return f"The session was ended: its files were more than {limits.data // 2**20} MB."
        return None

    def memory(self) -> int:
        """Private memory of all processes, the keeper outside included, in bytes."""
        keeper = self._jail.process.pid
        found = (_read(pid, "smaps_rollup") for pid in (keeper, *descendants(keeper)))
        return _kilobytes(_PRIVATE, found) * 1024

    def _disk(self, processes: list[int]) -> tuple[int, int]:
        """Files and bytes in all writable places; memory file systems cap their bytes themselves."""
        files = 0
        for mount in self._mounts:
            facts = os.fstatvfs(mount)
            files += facts.f_files - facts.f_ffree
        if self._jail.folder is None:
            return files, 0
        return _folder(self._jail.folder, processes, self._limits)


def descendants(pid: int) -> Iterator[int]:
    """All processes under `pid`, without itself."""
    waiting = [pid]
    seen = {pid}
    while waiting:
        parent = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{parent}/task")
        except OSError:
            continue
        for thread in threads:
            for word in _read(parent, f"task/{thread}/children").split():
                child = int(word)
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
                    yield child


def _folder(folder: Path, processes: list[int], limits: Limits) -> tuple[int, int]:
    """Files and bytes of a folder on the host, with those that have no name any more but are still held."""
    seen: dict[tuple[int, int], int] = {}
    waiting: list[tuple[Path, int]] = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        if depth > _DEEPEST or len(seen) > limits.files:
            return limits.files + 1, 0
        try:
            # The folder may be swapped for a link at any moment: never followed, never left.
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    try:
                        facts = os.stat(entry.name, dir_fd=descriptor, follow_symlinks=False)
                    except OSError:
                        continue
                    seen[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((place / entry.name, depth + 1))
                    if len(seen) > limits.files:
                        break
        finally:
            os.close(descriptor)
    mapped: set[bytes] = set()
    for pid in processes:
        for name in _names(pid, "fd"):
            try:
                facts = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if facts.st_nlink == 0:
                seen[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
        mapped.update(_DELETED.findall(_read(pid, "maps")))
    return len(seen), sum(seen.values()) + len(mapped) * limits.file // 4


def _kilobytes(pattern: "re.Pattern[bytes]", texts: Iterable[bytes]) -> int:
    return sum(int(number) for text in texts for number in pattern.findall(text))


def _names(pid: int, folder: str) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/{folder}")
    except OSError:
        return []


def _descriptors(pid: int) -> int:
    return len(_names(pid, "fd"))


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
