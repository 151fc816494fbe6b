"""Plain text and source code: UTF-8, UTF-16 and UTF-32 with a mark, and a guess at anything else."""

import codecs
import re

from assistants_api.knowledge.formats import encodings
from assistants_api.knowledge.parsed import invalid

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's mark, so it is tried first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile("[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")


def read(data: bytes) -> str:
    """The text of the bytes. Raises ParseFailed for binary content."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    if b"\0" in data:
        raise invalid("because it holds binary data, not text")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = _unmarked(data)
    if len(_CONTROL.findall(text)) > len(text) // 100:
        raise invalid("because it holds binary data, not text")
    return text


def _unmarked(data: bytes) -> str:
    """Text with bytes that UTF-8 has not: damaged UTF-8, or another encoding."""
    if encodings.is_nearly_utf8(data):
        return data.decode(errors="replace")
    encoding = encodings.guess(data)
    if encoding is None:
        raise invalid("because its character encoding is not known")
    return _decoded(data, encoding)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return encodings.decode(data, encoding)
    except UnicodeError:
        raise invalid("because its character encoding is not known") from None
