"""The host's end of the channel to a guest. Nothing that comes out of it is believed.

A frame is two big-endian lengths, a JSON object with an `op`, and raw bytes. Sizes are checked before
anything is read, fields before anything is used; what does not fit ends the session with `Forged`.
"""

import asyncio
import json
import struct
from dataclasses import dataclass
from typing import Any, TypeVar

from assistants_api.domain.file import MAX_NAME_BYTES, is_plain
from assistants_api.domain.sandbox import FileMade
from assistants_api.domain.text import mended

_HEADER = struct.Struct("!II")
_MOST_JSON = 1 << 20  # 64 Ki characters of text, each at most 12 bytes when escaped
_MOST_NAME = 512
_T = TypeVar("_T")


class Forged(Exception):
    """A frame that our session program would not send."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a guest."""

    op: str
    fields: dict[str, Any]
    blob: bytes

    def text(self) -> str:
        """The text of a `text` frame; what code prints may hold half of a surrogate pair."""
        return mended(_a(str, self.fields.get("text")))

    def failed(self) -> bool:
        """Whether a `done` cell failed."""
        return _a(bool, self.fields.get("failed"))

    def files(self, most: int) -> tuple[FileMade, ...]:
        """The files that a frame lists."""
        rows = _a(list, self.fields.get("files"))
        if len(rows) > most:
            raise Forged("too many files")
        # A guest may well have files with names that are no use outside; they are left out, not believed.
        return tuple(file for row in rows if is_name((file := _file(row)).name))


async def receive(reader: asyncio.StreamReader, most: int) -> Frame:
    """The next frame, with at most `most` raw bytes. Raises `Forged`, IncompleteReadError, OSError."""
    body, blob = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if body > _MOST_JSON or blob > most:
        raise Forged("too big")
    raw = await reader.readexactly(body)
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        raise Forged("not JSON") from None
    if not isinstance(fields, dict):
        raise Forged("not an object")
    return Frame(_a(str, fields.get("op")), fields, await reader.readexactly(blob))


def packed(op: str, blob: bytes = b"", **fields: object) -> bytes:
    """A frame to the guest."""
    body = json.dumps({"op": op, **fields}).encode()
    return _HEADER.pack(len(body), len(blob)) + body + blob


def is_name(name: object) -> bool:
    """Whether it is a plain path below /mnt/data, fit to be shown and used as a file name elsewhere."""
    return (
        isinstance(name, str)
        and 0 < len(name.encode(errors="replace")) <= _MOST_NAME
        and all(map(is_plain, name))
        and all(
            part not in ("", ".", "..") and len(part.encode()) <= MAX_NAME_BYTES for part in name.split("/")
        )
    )


def _file(row: object) -> FileMade:
    match row:
        case [str() as name, int() as size] if not isinstance(size, bool) and 0 <= size < 1 << 50:
            return FileMade(name, size)
    raise Forged("not a file")


def _a(kind: type[_T], value: object) -> _T:
    if not isinstance(value, kind):
        raise Forged(f"not a {kind.__name__}")
    return value
