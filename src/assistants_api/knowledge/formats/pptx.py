"""PowerPoint (pptx): the text of the slides' shapes, tables and notes."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from assistants_api.knowledge.formats import package


def read(path: Path) -> str:
    """Slides in their order, parted by an empty line."""
    import pptx

    slides: list[str] = []
    for slide in pptx.Presentation(package.opened(path, "ppt/")).slides:
        lines = list(_lines(slide.shapes))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            lines.append(slide.notes_slide.notes_text_frame.text)
        slides.append("\n".join(line for line in lines if line.strip()))
    return "\n\n".join(slide for slide in slides if slide)


def _lines(shapes: Iterable[Any]) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _lines(shape.shapes)
        elif shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield "\t".join(cell.text for cell in row.cells)
