"""Word and PowerPoint files since 2007: zip archives of XML."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistants_api.knowledge.reading import ParseFailed

_MOST_BYTES = 512 << 20
_MOST_RATIO = 200
_MOST_PARTS = 20_000
_OLE = b"\xd0\xcf\x11\xe0"


def read_docx(path: Path) -> str:
    """Paragraphs and tables in their order, then footnotes' text where the file has any."""
    _check(path, "word/")
    import docx

    document = docx.Document(str(path))
    return "\n".join(_blocks(document))


def read_pptx(path: Path) -> str:
    """The text of every shape, slide by slide, with the notes."""
    _check(path, "ppt/")
    import pptx

    slides: list[str] = []
    for number, slide in enumerate(pptx.Presentation(str(path)).slides, 1):
        lines = [line for shape in slide.shapes for line in _shape(shape)]
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            lines.append(slide.notes_slide.notes_text_frame.text)
        if any(line.strip() for line in lines):
            slides.append("\n".join([f"Slide {number}", *lines]))
    return "\n\n".join(slides)


def _blocks(container: Any) -> Iterator[str]:
    from docx.table import Table

    for block in container.iter_inner_content():
        if isinstance(block, Table):
            for row in block.rows:
                cells: list[str] = []
                for cell in row.cells:
                    text = " ".join(_blocks(cell)).strip()
                    if not cells or cells[-1] != text:  # a merged cell is given once for each column
                        cells.append(text)
                yield "\t".join(cells)
        else:
            yield block.text


def _shape(shape: Any) -> list[str]:
    if shape.has_text_frame:
        return [shape.text_frame.text]
    if getattr(shape, "has_table", False) and shape.has_table:
        return ["\t".join(cell.text for cell in row.cells) for row in shape.table.rows]
    if hasattr(shape, "shapes"):
        return [line for inner in shape.shapes for line in _shape(inner)]
    return []


def _check(path: Path, folder: str) -> None:
    """Refuse what is no such archive, and archives that unpack to far more than they are."""
    with path.open("rb") as source:
        if source.read(4) == _OLE:
            raise ParseFailed(
                "invalid_file", "The file could not be parsed because it is encrypted, or of an older format."
            )
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ParseFailed("invalid_file", "The file could not be parsed.") from error
    total = sum(part.file_size for part in parts)
    is_bomb = any(
        part.file_size > 1 << 20 and part.file_size > part.compress_size * _MOST_RATIO for part in parts
    )
    if total > _MOST_BYTES or len(parts) > _MOST_PARTS or is_bomb:
        raise ParseFailed(
            "invalid_file", "The file could not be parsed because it is too large when it is unpacked."
        )
    if not any(part.filename.startswith(folder) for part in parts):
        raise ParseFailed(
            "invalid_file", "The file could not be parsed: its content is not what its name says."
        )
