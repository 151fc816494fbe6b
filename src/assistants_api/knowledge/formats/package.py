"""The zip file around docx and pptx: looked at before anything is unpacked."""

import zipfile
from pathlib import Path

from assistants_api.knowledge.parsed import invalid

_MOST_UNPACKED = 200 * 1024 * 1024  # bytes
_MOST_PARTS = 20_000
_RATIO = 200  # unpacked to packed; honest XML stays below 50
_SMALL = 1024 * 1024  # bytes; below, any ratio is harmless


def check(path: Path, folder: str) -> None:
    """Raises ParseFailed unless it is a package with that main folder and an honest size.

    The sizes come from the central directory; zipfile never unpacks more of a part than is written there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError):
        raise invalid("because its contents do not match its extension") from None
    names = {part.filename for part in parts}
    if "[Content_Types].xml" not in names or not any(name.startswith(folder) for name in names):
        raise invalid("because its contents do not match its extension")
    if any(part.flag_bits & 1 for part in parts):
        raise invalid("because it is protected by a password")
    dense = any(p.file_size > _SMALL and p.file_size > _RATIO * max(p.compress_size, 1) for p in parts)
    if dense or len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_UNPACKED:
        raise invalid("because it is too large")
