"""The text of a file, by its extension. Files may be hostile: call this in a process of its own."""

from pathlib import Path

from assistants_api.domain.file import INDEXABLE
from assistants_api.knowledge.formats import html, office, pdf, plain, word97
from assistants_api.knowledge.reading import ParseFailed

_READERS = {
    "pdf": pdf.read,
    "docx": office.read_docx,
    "pptx": office.read_pptx,
    "doc": word97.read,
    "html": html.read,
}


def parse(path: Path, filename: str) -> str:
    """The text of the file, never blank; `ParseFailed` says why there is none.

    Line ends become `\\n`; what no database takes (NUL, halves of surrogate pairs) is left out.
    """
    extension = Path(filename).suffix.lower().removeprefix(".")
    if extension not in INDEXABLE:
        raise ParseFailed("unsupported_file", "The file type is not supported.")
    if path.stat().st_size == 0:
        raise ParseFailed("invalid_file", "The file is empty.")
    try:
        text = _READERS.get(extension, plain.read)(path)
    except (ParseFailed, MemoryError):
        raise
    except Exception as error:  # whatever a library makes of a broken file
        raise ParseFailed("invalid_file", "The file could not be parsed.") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    text = text.encode("utf-8", "ignore").decode("utf-8")
    if not text.strip():
        raise ParseFailed("invalid_file", "The file contains no text.")
    return text
