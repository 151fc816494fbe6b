"""Text out of the files that file_search can index, by their extension, checked against their contents."""

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from assistants_api.knowledge.formats import doc, docx, html, json_text, pdf, plain, pptx
from assistants_api.knowledge.parsed import Parsed, ParseFailed, invalid

MAX_TEXT = 50_000_000
"""Characters of text that a file may hold unless the caller says otherwise."""

_PLAIN = frozenset(
    ("c", "cpp", "cs", "css", "go", "java", "js", "json", "md", "php", "py", "rb", "sh", "tex", "ts", "txt")
)
EXTENSIONS = _PLAIN | {"doc", "docx", "html", "pdf", "pptx"}
"""Without their dots, in lower case."""

_PDF, _ZIP, _OLE = b"%PDF-", b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_MEMORY = 2  # of libxml2, which lxml takes for an error of the XML
_MISMATCH = "because its contents do not match its extension"


def parse(path: Path, filename: str, max_text: int = MAX_TEXT) -> Parsed:
    """The text of the file at `path`, read as `filename` says, at most `max_text` characters.

    Raises ParseFailed, and nothing else but MemoryError and OSError. It trusts its libraries with the
    process:
    `parser.parse_limited` is the way to read what others have sent.
    """
    extension = PurePosixPath(filename).suffix.lower().removeprefix(".")
    if extension not in EXTENSIONS:
        raise ParseFailed("unsupported_file", "The file type is not supported.")
    if not path.stat().st_size:
        raise invalid("because it is empty")
    try:
        text = _reader(path, extension, max_text)()
    except (ParseFailed, MemoryError):
        raise
    except Exception as error:  # a broken file may break its library anywhere
        if isinstance(error, SyntaxError) and getattr(error, "code", None) == _NO_MEMORY:
            raise MemoryError from error
        raise invalid() from error
    text = _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""))
    if len(text) > max_text:
        raise invalid("because it is too large")
    if not text.strip():
        raise invalid("because it has no text")
    return Parsed(text)


def _reader(path: Path, extension: str, max_text: int) -> Callable[[], str]:
    with path.open("rb") as file:
        head = file.read(1024)
    if extension == "pdf":
        if _PDF not in head:  # some writers put a few bytes before it
            raise invalid(_MISMATCH)
        return lambda: pdf.read(path, max_text)
    if extension == "doc":
        if not head.startswith(_OLE):
            raise invalid(_MISMATCH)
        return lambda: doc.read(path)
    if extension in ("docx", "pptx"):
        if head.startswith(_OLE):
            raise invalid("because it is protected by a password or its contents do not match its extension")
        if not head.startswith(_ZIP):
            raise invalid(_MISMATCH)
        return lambda: docx.read(path) if extension == "docx" else pptx.read(path)
    if head.startswith((_PDF, _ZIP, _OLE)):
        raise invalid(_MISMATCH)
    if path.stat().st_size > 4 * max_text + 4:  # no encoding has more bytes for a character
        raise invalid("because it is too large")
    reader = {"html": html.read, "json": json_text.read}.get(extension, plain.read)
    return lambda: reader(path.read_bytes())
