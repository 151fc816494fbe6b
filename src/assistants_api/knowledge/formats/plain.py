"""Plain text and source code: UTF-8, UTF-16 and UTF-32 with a mark, and a guess at anything else."""

import codecs
import re

from assistants_api.knowledge.parsed import invalid

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's mark, so it is tried first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 256 * 1024  # bytes; guessing reads each several times
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
        text = _decoded(data, _guess(data))
    if len(_CONTROL.findall(text)) > len(text) // 100:
        raise invalid("because it holds binary data, not text")
    return text


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    sample = data[:_SAMPLE]
    if len(data) > _SAMPLE:  # never end inside a character
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    best = from_bytes(sample).best()
    if best is None:
        raise invalid("because its character encoding is not known")
    return best.encoding


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeError:
        raise invalid("because its character encoding is not known") from None
