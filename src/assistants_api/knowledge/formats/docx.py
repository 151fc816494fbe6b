"""Word (docx): paragraphs and tables in the order of the document, walked in its XML, with notes and headers.

python-docx's own tables and paragraphs fail on some merged cells, and leave out controls, insertions and text
boxes.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from assistants_api.knowledge.formats import formula, package
from assistants_api.knowledge.formats.numbering import Numbering

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PARAGRAPH = f"{_W}p"
_NOTES = {f"{_W}footnoteReference": f"{_W}footnote", f"{_W}endnoteReference": f"{_W}endnote"}
_BOXES = frozenset((f"{_W}txbxContent", *_NOTES.values()))
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
    """A line for each paragraph, with its number, and each table row, whose cells are parted by tabs.

    A note follows the paragraph that refers to it; each different header and footer follows the body.
    """
    import docx

    document = docx.Document(package.opened(path, "word/"))
    body = document.element.body
    related = [each for each in document.part.rels.values() if not each.is_external]
    _put_in_place(body, [_parsed(each.target_part) for each in related if each.reltype.endswith("notes")])
    parts = {each.reltype.rpartition("/")[2]: each.target_part for each in related}
    numbering, styles = (_parsed(parts[name]) if name in parts else None for name in ("numbering", "styles"))
    numbers = Numbering(numbering, styles)
    text = "\n".join(_lines(body, numbers))
    around = [
        "\n".join(_lines(_parsed(each.target_part), numbers))
        for each in related
        if each.reltype.endswith(("/header", "/footer"))
    ]
    return "\n".join([text, *dict.fromkeys(text for text in around if text.strip())])


def _parsed(part: Any) -> Any:
    from docx.oxml.parser import parse_xml

    return parse_xml(part.blob)


def _put_in_place(body: Any, parts: Iterable[Any]) -> None:
    """Moves each note into the first reference to it that is shown."""
    notes = {(note.tag, note.get(f"{_W}id")): note for part in parts for note in part.iterchildren("*")}
    for reference in list(body.iter(*_NOTES)):
        if any(above.tag in _UNSEEN for above in reference.iterancestors()):
            continue
        note = notes.pop((_NOTES[reference.tag], reference.get(f"{_W}id")), None)
        if note is not None:
            reference.append(note)


def _lines(node: Any, numbers: Numbering) -> Iterator[str]:
    for child in _children(node):
        if child.tag == _PARAGRAPH:
            boxes: list[Any] = []
            yield numbers.before(child) + "".join(_pieces(child, boxes))
            for box in boxes:
                yield from _lines(box, numbers)
        elif child.tag == _TABLE:
            for row in _parts(child, _ROW):
                yield "\t".join(_cell(cell, numbers) for cell in _parts(row, _CELL))
        else:
            yield from _lines(child, numbers)


def _pieces(node: Any, boxes: list[Any]) -> Iterator[str]:
    """The text of a paragraph, whose text boxes and notes are put into `boxes`."""
    for child in _children(node):
        if child.tag in _PIECES:
            yield str(child)
        elif child.tag in _BOXES:
            boxes.append(child)
        elif child.tag == formula.FORMULA:
            yield formula.text_of(child)
        else:
            yield from _pieces(child, boxes)


def _parts(node: Any, tag: str) -> Iterator[Any]:
    """The rows of a table or the cells of a row, but none of a table within."""
    for child in _children(node):
        if child.tag == tag:
            yield child
        else:
            yield from _parts(child, tag)


def _cell(cell: Any, numbers: Numbering) -> str:
    """The cell's text; what goes on from the row above has none of its own."""
    merged = cell.find(f"{_W}tcPr/{_W}vMerge")
    goes_on = merged is not None and merged.get(f"{_W}val", "continue") == "continue"
    return "" if goes_on else "\n".join(_lines(cell, numbers))


def _children(node: Any) -> Iterator[Any]:
    """The elements within that are shown, without properties (names in Pr)."""
    for child in node.iterchildren("*"):
        if child.tag not in _UNSEEN and not child.tag.endswith("Pr"):
            yield child
