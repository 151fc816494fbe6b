"""What a sandbox keeps on the host: a folder of its own in the place for temporary files."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from assistants_api.sandbox.config import GUEST

PROGRAMS = "programs"
_PREFIX = "assistants-sandbox-"


def make_root() -> Path:
    """A new folder with a copy of the guest's programs, which every user can read wherever the server is."""
    remove_leftovers()
    root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    root.chmod(0o711)  # sessions with users of their own walk through, and cannot list it
    shutil.copytree(GUEST, root / PROGRAMS, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (root / PROGRAMS, *(root / PROGRAMS).iterdir()):
        path.chmod(0o755)
    return root


def remove(folder: Path) -> None:
    """Deletes a folder that a guest has written to, whatever it left there; nothing outside is touched."""
    command = ["rm", "-rf", "--one-file-system", "--", str(folder)]
    subprocess.run(command, stderr=subprocess.DEVNULL)
    if folder.exists():  # folders without rights, of a guest that has the server's user
        subprocess.run(["chmod", "-R", "u+rwX", "--", str(folder)], stderr=subprocess.DEVNULL)
        subprocess.run(command, stderr=subprocess.DEVNULL)


def remove_leftovers() -> None:
    """Folders of servers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            is_ours = not folder.is_symlink() and folder.stat().st_uid == os.geteuid()
        except FileNotFoundError:  # another server that starts was quicker
            continue
        if is_ours and owner.isdigit() and not Path("/proc", owner).exists():
            remove(folder)


def closed_to_others(path: Path) -> Path | None:
    """The first folder on the way to `path` that other users cannot walk through; None when there is none."""
    return next(
        (place for place in reversed((path, *path.parents)) if not place.stat().st_mode & 0o001), None
    )
