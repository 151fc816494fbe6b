"""Word (docx): paragraphs and tables in the order of the document, walked in its XML.

python-docx's own tables and paragraphs fail on some merged cells, and leave out controls, insertions and text
boxes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistants_api.knowledge.formats import package

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PARAGRAPH, _BOX = f"{_W}p", f"{_W}txbxContent"
_TABLE, _ROW, _CELL = f"{_W}tbl", f"{_W}tr", f"{_W}tc"
_PIECES = frozenset(f"{_W}{name}" for name in ("t", "tab", "ptab", "br", "cr", "noBreakHyphen"))
_UNSEEN = frozenset(
    (
        f"{_W}del",
        f"{_W}moveFrom",
        f"{_W}rt",  # how to say the characters below it
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",  # says the same again
    )
)


def read(path: Path) -> str:
    """A line for each paragraph and each table row, whose cells are parted by tabs."""
    import docx

    return "\n".join(_lines(docx.Document(package.opened(path, "word/")).element.body))


def _lines(node: Any) -> Iterator[str]:
    for child in _children(node):
        if child.tag == _PARAGRAPH:
            boxes: list[Any] = []
            yield "".join(_pieces(child, boxes))
            for box in boxes:
                yield from _lines(box)
        elif child.tag == _TABLE:
            for row in _parts(child, _ROW):
                yield "\t".join(_cell(cell) for cell in _parts(row, _CELL))
        else:
            yield from _lines(child)


def _pieces(node: Any, boxes: list[Any]) -> Iterator[str]:
    """The text of a paragraph, whose text boxes are put into `boxes`."""
    for child in _children(node):
        if child.tag in _PIECES:
            yield str(child)
        elif child.tag == _BOX:
            boxes.append(child)
        else:
            yield from _pieces(child, boxes)


def _parts(node: Any, tag: str) -> Iterator[Any]:
    """The rows of a table or the cells of a row, but none of a table within."""
    for child in _children(node):
        if child.tag == tag:
            yield child
        else:
            yield from _parts(child, tag)


def _cell(cell: Any) -> str:
    """The cell's text; what goes on from the row above has none of its own."""
    merged = cell.find(f"{_W}tcPr/{_W}vMerge")
    goes_on = merged is not None and merged.get(f"{_W}val", "continue") == "continue"
    return "" if goes_on else "\n".join(_lines(cell))


def _children(node: Any) -> Iterator[Any]:
    """The elements within that are shown, without properties (names in Pr)."""
    for child in node.iterchildren("*"):
        if child.tag not in _UNSEEN and not child.tag.endswith("Pr"):
            yield child
