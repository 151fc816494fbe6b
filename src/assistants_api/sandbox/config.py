"""How jails are made, and how much a guest may use."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one guest may use; sizes in bytes, times in seconds."""

    memory: int = 1024 * MIB  # private memory of all its processes together
    address_space: int = 4096 * MIB  # of each process
    processes: int = 64  # processes and threads together
    descriptors: int = 256  # of each process
    all_descriptors: int = 2048
    files: int = 4096  # inodes over all writable places
    data: int = 128 * MIB  # /mnt/data
    temporary: int = 64 * MIB  # /tmp
    shared_memory: int = 16 * MIB  # /dev/shm
    home: int = 8 * MIB
    file: int = 128 * MIB  # one file
    cpu_seconds: int = 1800  # of each process, over its whole life
    start_seconds: float = 30.0
    grace_seconds: float = 1.0  # between the interrupt and the kill
    transfer_seconds: float = 30.0  # one piece of a file
    text: int = MIB  # characters of one cell's output that are kept
    images: int = 16  # of one cell
    image: int = 8 * MIB
    listed_files: int = 512


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What a tier needs to know. `environment` is what `install.py` made; None when there is none."""

    environment: Path | None = None
    limits: Limits = field(default_factory=Limits)


GUEST = Path(__file__).with_name("guest")


def find_environment(given: Path | None = None) -> Path | None:
    """The jail's Python environment: the given one, else beside the server's own, else the image's.

    None when there is none that matches; a `given` one is taken as it is, and the self-test judges it.
    """
    if given is not None:
        return given.resolve()
    places = (
        Path(sys.prefix).parent / ".venv-sandbox",
        Path.cwd() / ".venv-sandbox",
        Path("/opt/python-env"),
    )
    return next((place.resolve() for place in places if is_environment(place)), None)


def is_environment(place: Path) -> bool:
    """Whether `install.py` finished there."""
    return os.access(place / "bin" / "python3", os.X_OK) and (place / "environment.json").is_file()
