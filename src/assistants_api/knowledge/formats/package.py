"""The zip file around docx and pptx: looked at before anything is unpacked, and then only its XML is."""

import io
import zipfile
from pathlib import Path
from typing import IO

from assistants_api.knowledge.parsed import invalid

_MOST_UNPACKED = 200 * 1024 * 1024  # bytes
_MOST_PARTS = 20_000
_RATIO = 200  # unpacked to packed; honest XML stays below, but for large tables of like rows
_SMALL = 16 * 1024 * 1024  # bytes; below, any ratio is harmless


def opened(path: Path, folder: str) -> IO[bytes]:
    """The package with that main folder, for a library to read; its media are empty.

    The libraries unpack every part that they are given, and a plain picture is as dense as a zip bomb.
    Raises ParseFailed unless it is such a package and what is read of it has an honest size.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError):
        raise invalid("because its contents do not match its extension") from None
    out = io.BytesIO()
    with archive, zipfile.ZipFile(out, "w") as copy:
        _check(archive.infolist(), folder)
        for name in dict.fromkeys(archive.namelist()):
            copy.writestr(name, archive.read(name) if _is_read(name) else b"")
    out.seek(0)
    return out


def _check(parts: list[zipfile.ZipInfo], folder: str) -> None:
    """Judges by the central directory; zipfile never unpacks more of a part than is written there."""
    names = {part.filename for part in parts}
    if "[Content_Types].xml" not in names or not any(name.startswith(folder) for name in names):
        raise invalid("because its contents do not match its extension")
    if any(part.flag_bits & 1 for part in parts):
        raise invalid("because it is protected by a password")
    read = [part for part in parts if _is_read(part.filename)]
    dense = any(p.file_size > _SMALL and p.file_size > _RATIO * max(p.compress_size, 1) for p in read)
    if dense or len(parts) > _MOST_PARTS or sum(part.file_size for part in read) > _MOST_UNPACKED:
        raise invalid("because it is too large")


def _is_read(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels"))
