"""Formulas of Office files (OMML) as one line of text: `E=mc^2`, `(a+b)/2`, `√x`, `∑_(i=1)^nx`."""

from collections.abc import Iterator
from typing import Any

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MARKS = {"sup": "^", "sub": "_", "lim": "_"}

FORMULA = f"{_M}oMath"


def text_of(node: Any) -> str:
    """What the elements within say, one after the other."""
    return "".join(_pieces(node))


def _pieces(node: Any) -> Iterator[str]:
    for child in node.iterchildren("*"):
        name = child.tag.rpartition("}")[2]
        if name == "t":
            yield child.text or ""
        elif name == "f":
            yield "/".join(_grouped(part) for part in child.iterchildren(f"{_M}num", f"{_M}den"))
        elif name in _MARKS:
            yield _marked(child, _MARKS[name])
        elif name == "d":
            begin, end = _sign(child, "begChr", "("), _sign(child, "endChr", ")")
            parts = (text_of(part) for part in child.iterchildren(f"{_M}e"))
            yield f"{begin}{_sign(child, 'sepChr', '|').join(parts)}{end}"
        elif name == "rad":
            degree, under = (child.iterchildren(f"{_M}{part}") for part in ("deg", "e"))
            yield f"{''.join(map(text_of, degree))}√{''.join(map(_grouped, under))}"
        elif name == "nary":
            yield _sign(child, "chr", "∫")
            yield from _pieces(child)
        elif name == "func":
            yield " ".join(text_of(part) for part in child.iterchildren(f"{_M}fName", f"{_M}e"))
        elif name == "mr":
            yield "\t".join(text_of(cell) for cell in child.iterchildren(f"{_M}e")) + "\n"
        elif not name.endswith("Pr"):
            yield from _pieces(child)


def _marked(node: Any, mark: str) -> str:
    text = _grouped(node)
    return f"{mark}{text}" if text else ""


def _grouped(node: Any) -> str:
    """In brackets, unless it is one word or number."""
    text = text_of(node)
    return text if text.isalnum() or len(text) < 2 else f"({text})"


def _sign(node: Any, name: str, usual: str) -> str:
    for sign in node.iterchildren(f"{node.tag}Pr"):
        for found in sign.iterchildren(f"{_M}{name}"):
            return str(found.get(f"{_M}val", ""))
    return usual
