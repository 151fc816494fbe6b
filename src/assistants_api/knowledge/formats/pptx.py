"""PowerPoint (pptx): the text of the slides' shapes, tables, diagrams and notes, walked in its XML.

python-pptx's own shapes leave out those that are written in two ways, such as boxes with a formula.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistants_api.knowledge.formats import formula, package

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # says the same again
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_ITS_DATA = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm"


def read(path: Path) -> str:
    """Slides in their order, parted by an empty line."""
    import pptx

    slides: list[str] = []
    for slide in pptx.Presentation(package.opened(path, "ppt/")).slides:
        lines = list(_lines(slide.shapes._spTree, slide.part))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            lines += _lines(slide.notes_slide.notes_text_frame._txBody, slide.notes_slide.part)
        slides.append("\n".join(line for line in lines if line.strip()))
    return "\n\n".join(slide for slide in slides if slide)


def _lines(node: Any, part: Any) -> Iterator[str]:
    """A line for each paragraph and each table row, whose cells are parted by tabs."""
    for child in node.iterchildren("*"):
        if child.tag == f"{_A}p":
            yield "".join(_pieces(child))
        elif child.tag == f"{_A}tr":
            yield "\t".join("\n".join(_lines(cell, part)) for cell in child.iterchildren(f"{_A}tc"))
        elif child.tag == _DIAGRAM:
            yield from _diagram(part, child.get(_ITS_DATA))
        elif child.tag != _FALLBACK:
            yield from _lines(child, part)


def _diagram(part: Any, name: str | None) -> Iterator[str]:
    from pptx.oxml import parse_xml

    if name in part.rels and not part.rels[name].is_external:
        data = part.rels[name].target_part
        yield from _lines(parse_xml(data.blob), data)


def _pieces(paragraph: Any) -> Iterator[str]:
    for child in paragraph.iterchildren("*"):
        if child.tag == f"{_A}t":
            yield child.text or ""
        elif child.tag == f"{_A}br":
            yield "\n"
        elif child.tag == formula.FORMULA:
            yield formula.text_of(child)
        elif child.tag != _FALLBACK:
            yield from _pieces(child)
