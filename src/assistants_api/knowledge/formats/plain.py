"""Plain text and source code: UTF-8, UTF-16 and UTF-32 with a mark, and a guess at anything else."""

import codecs
import contextlib
import re

from assistants_api.knowledge.formats import encodings
from assistants_api.knowledge.parsed import ParseFailed, invalid

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's mark, so it is tried first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What pages name, and what they mean by it.
_NAMED = {
    **{f"windows-{page}": f"cp{page}" for page in range(1250, 1259)},
    **dict.fromkeys(("iso-8859-1", "latin1", "us-ascii"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "gb18030"), "gb18030"),
    **{name: name for name in ("euc-jp", "koi8-r", "koi8-u", "iso-8859-2", "iso-8859-15")},
    **{"big5": "cp950", "shift_jis": "cp932", "euc-kr": "cp949"},
}
# Where these escapes stand, bytes of ASCII are two to a character (ISO 2022, of Japanese and Korean mail).
_ESCAPES = re.compile(rb"\x1b\$(?:[@B]|\([CD]|(?P<korean>\)C))")
_FEW = 8  # damaged characters that any text may have
_CONTROL = re.compile("[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")


def read(data: bytes, named: str = "") -> str:
    """The text of the bytes, which may name their encoding. Raises ParseFailed for binary content."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _marked(data, encoding)
    if b"\0" in data:
        raise invalid("because it holds binary data, not text")
    if data.isascii() and (escape := _ESCAPES.search(data)):
        return _escaped(data, ("iso2022_kr",) if escape["korean"] else ("iso2022_jp_ext", "iso2022_jp_2"))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = _unmarked(data, named)
    if len(_CONTROL.findall(text)) > len(text) // 100:
        raise invalid("because it holds binary data, not text")
    return text


def _escaped(data: bytes, encodings: tuple[str, ...]) -> str:
    for encoding in encodings:
        with contextlib.suppress(UnicodeError):
            return data.decode(encoding)
    raise _unknown()


def _unmarked(data: bytes, named: str) -> str:
    """Text with bytes that UTF-8 has not: damaged UTF-8, or another encoding."""
    if encodings.is_nearly_utf8(data):
        return data.decode(errors="replace")
    if named in _NAMED:
        with contextlib.suppress(UnicodeError):
            return encodings.decode(data, _NAMED[named])
    encoding = encodings.guess(data)
    if encoding is None:
        raise _unknown()
    try:
        return encodings.decode(data, encoding)
    except UnicodeError:
        raise _unknown() from None


def _marked(data: bytes, encoding: str) -> str:
    """Text with a mark, which loses what is damaged; binary data that begin like one are damaged all over."""
    with contextlib.suppress(UnicodeError):
        return encodings.decode(data, encoding)
    text = data.decode(encoding, "replace")
    share = 10 if encoding == "utf-8-sig" else 100  # of any bytes, 3 % are half a pair in UTF-16
    if text.count("\ufffd") > _FEW + len(text) // share:
        raise _unknown()
    return text


def _unknown() -> ParseFailed:
    return invalid("because its character encoding is not known")
