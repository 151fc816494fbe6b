"""Word 97 to 2003 (doc): the piece table of the binary format ([MS-DOC] 2.4.1, 2.8.35, 2.9.38)."""

import re
import struct
from pathlib import Path

from assistants_api.knowledge.parsed import invalid

_WORD = 0xA5EC
_WORD_97 = 0x00C1
_ENCRYPTED, _TABLE_1 = 0x0100, 0x0200
_NARROW = 0x40000000  # the piece holds one byte for each character
_FIELD = re.compile("\x13[^\x13\x14\x15]*\x14|\x13[^\x13\x14\x15]*(?=\x15)")
_CHARACTERS = str.maketrans(
    {"\r": "\n", "\x07": "\t", "\x0b": "\n", "\x0c": "\n\n", "\x1e": "-", "\x1f": None, "\x15": None}
)
_REST = re.compile("[\x00-\x08\x0e-\x1f]")


def read(path: Path) -> str:
    """The text with its notes and headers, without field codes.

    Raises ParseFailed for older or locked files.
    """
    import olefile

    with olefile.OleFileIO(str(path)) as ole:
        if not ole.exists("WordDocument"):
            raise invalid("because its contents do not match its extension")
        main = ole.openstream("WordDocument").read()
        identity, version = struct.unpack_from("<HH", main)
        (flags,) = struct.unpack_from("<H", main, 0x0A)
        if identity != _WORD or version < _WORD_97:
            raise invalid("because it was made by a Word older than Word 97")
        if flags & _ENCRYPTED:
            raise invalid("because it is protected by a password")
        table = ole.openstream("1Table" if flags & _TABLE_1 else "0Table").read()
    start, length = struct.unpack_from("<II", main, 0x01A2)
    text = "".join(_pieces(main, table[start : start + length]))
    while (plainer := _FIELD.sub("", text)) != text:
        text = plainer
    return _REST.sub("", text.translate(_CHARACTERS))


def _pieces(main: bytes, clx: bytes) -> list[str]:
    at = 0
    while clx[at] == 1:  # formatting, of no use here
        at += 3 + struct.unpack_from("<H", clx, at + 1)[0]
    if clx[at] != 2:
        raise invalid()
    (size,) = struct.unpack_from("<I", clx, at + 1)
    plc = clx[at + 5 : at + 5 + size]
    count = (len(plc) - 4) // 12
    places = struct.unpack_from(f"<{count + 1}I", plc)
    pieces: list[str] = []
    budget = len(main)  # honest pieces do not overlap
    for number in range(count):
        (where,) = struct.unpack_from("<I", plc, 4 * (count + 1) + 8 * number + 2)
        narrow = bool(where & _NARROW)
        begin = (where & ~_NARROW) // 2 if narrow else where
        length = (places[number + 1] - places[number]) * (1 if narrow else 2)
        budget -= length
        if length < 0 or budget < 0:
            raise invalid()
        data = main[begin : begin + length]
        pieces.append(data.decode("cp1252" if narrow else "utf-16-le", "replace"))
    return pieces
