"""Word files from 1997 to 2003 (.doc): the text by way of the piece table ([MS-DOC] 2.4.1)."""

import re
import struct
from pathlib import Path

from assistants_api.knowledge.reading import ParseFailed

_FIB_MAGIC = 0xA5EC
_ENCRYPTED = 0x0100
_TABLE_1 = 0x0200
# Fields are shown by their result only; the rest are marks for cells, breaks and pictures.
_FIELD_CODE = re.compile("\x13[^\x13\x14\x15]*\x14|\x13[^\x13\x15]*\x15")
_MARKS = str.maketrans(
    {"\r": "\n", "\x07": "\t", "\x0b": "\n", "\x0c": "\n\n", "\x14": "", "\x15": "", "\x13": ""}
)


def read(path: Path) -> str:
    """The text of the main document, with notes, headers and text boxes after it."""
    import olefile

    if not olefile.isOleFile(path):
        raise ParseFailed("invalid_file", "The file could not be parsed: it is not a Word document.")
    with olefile.OleFileIO(path) as ole:
        if not ole.exists("WordDocument"):
            raise ParseFailed("invalid_file", "The file could not be parsed: it is not a Word document.")
        word = ole.openstream("WordDocument").read()
        if len(word) < 0x01AA or _short(word, 0) != _FIB_MAGIC:
            raise ParseFailed("invalid_file", "The file could not be parsed: it is older than Word 97.")
        flags = _short(word, 0x0A)
        if flags & _ENCRYPTED:
            raise ParseFailed("invalid_file", "The file could not be parsed because it is encrypted.")
        name = "1Table" if flags & _TABLE_1 else "0Table"
        if not ole.exists(name):
            raise ParseFailed("invalid_file", "The file could not be parsed.")
        table = ole.openstream(name).read()
    start, size = struct.unpack_from("<II", word, 0x01A2)
    text = "".join(_pieces(word, table[start : start + size]))
    while (shorter := _FIELD_CODE.sub("", text)) != text:  # fields may stand in fields
        text = shorter
    text = text.translate(_MARKS)
    return "".join(char for char in text if char in "\n\t" or char.isprintable())


def _pieces(word: bytes, clx: bytes) -> list[str]:
    place = 0
    while place < len(clx) and clx[place] == 1:  # properties, which say nothing about the text
        place += 3 + _short(clx, place + 1)
    if place >= len(clx) or clx[place] != 2:
        raise ParseFailed("invalid_file", "The file could not be parsed: it has no table of its text.")
    (size,) = struct.unpack_from("<I", clx, place + 1)
    pieces = clx[place + 5 : place + 5 + size]
    count = (len(pieces) - 4) // 12
    ends = struct.unpack_from(f"<{count + 1}I", pieces)
    found = []
    for number in range(count):
        length = ends[number + 1] - ends[number]
        (where,) = struct.unpack_from("<I", pieces, 4 * (count + 1) + 8 * number + 2)
        if where & 0x40000000:
            at = (where & 0x3FFFFFFF) // 2
            found.append(word[at : at + length].decode("cp1252", "replace"))
        else:
            found.append(word[where : where + 2 * length].decode("utf-16-le", "replace"))
    return found


def _short(data: bytes, place: int) -> int:
    (value,) = struct.unpack_from("<H", data, place)
    return int(value)
