"""Word (docx): paragraphs and tables in the order of the document."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistants_api.knowledge.formats import package


def read(path: Path) -> str:
    """A line for each paragraph and each table row, whose cells are parted by tabs."""
    package.check(path, "word/")
    import docx

    return "\n".join(_lines(docx.Document(str(path))))


def _lines(container: Any) -> Iterator[str]:
    for block in container.iter_inner_content():
        if not hasattr(block, "rows"):
            yield block.text
            continue
        for row in block.rows:
            cells: list[Any] = []
            for cell in row.cells:  # a merged cell is given once for each column
                if not any(cell._tc is other._tc for other in cells):
                    cells.append(cell)
            yield "\t".join("\n".join(_lines(cell)) for cell in cells)
