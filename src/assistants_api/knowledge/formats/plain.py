"""Text files in any usual encoding."""

from pathlib import Path

from assistants_api.knowledge.reading import ParseFailed

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# What begins like this is no text, whatever its name says.
_BINARY = (b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b")


def read(path: Path) -> str:
    """The text: UTF-8, UTF-16 by its mark, else what charset-normalizer takes it for."""
    return decode(path.read_bytes())


def decode(raw: bytes) -> str:
    """The text of these bytes."""
    for mark, encoding in _MARKS.items():
        if raw.startswith(mark):
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError as error:
                raise ParseFailed(
                    "invalid_file", "The file could not be parsed: its text is broken."
                ) from error
    if raw.startswith(_BINARY) or b"\x00" in raw[: 1 << 16]:
        raise ParseFailed("invalid_file", "The file could not be parsed: it is not a text file.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        best = from_bytes(raw[: 1 << 20]).best()
        if best is None:
            raise ParseFailed(
                "invalid_file", "The file could not be parsed: its encoding is unknown. Save it as UTF-8."
            ) from None
        return raw.decode(best.encoding, "replace")
