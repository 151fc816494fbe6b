"""The numbers that Word counts itself, of headings, clauses and lists: a file says only how to count."""

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PLACE = re.compile("%([1-9])")
_CHINESE = "零一二三四五六七八九"
_CHINESE_FORMS = frozenset(
    (
        *("chineseCounting", "chineseCountingThousand", "japaneseCounting"),
        *("taiwaneseCounting", "taiwaneseCountingThousand"),
    )
)
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_DEEPEST = 32  # styles that are based on each other
_MOST = 5_000  # beyond, every number is written in digits


@dataclass(frozen=True, slots=True)
class _Level:
    """How one level of a list counts, and what it writes: `%1.%2` stands for the counts of two levels."""

    form: str
    text: str
    start: int
    style: str | None
    is_legal: bool
    is_spaced: bool
    restarts: bool = False

    @classmethod
    def of(cls, node: Any) -> "_Level":
        return cls(
            form=_value(node, "numFmt") or "decimal",
            text=_value(node, "lvlText") or "",
            start=_number(_value(node, "start"), 0),
            style=_value(node, "pStyle"),
            is_legal=node.find(f"{_W}isLgl") is not None,
            is_spaced=_value(node, "suff") != "nothing",
        )


class Numbering:
    """Counts the paragraphs of a document, about which it is asked in their order."""

    def __init__(self, numbering: Any | None, styles: Any | None) -> None:
        """`numbering` and `styles` are the roots of these parts, None where the document has none."""
        self._styles = _by(styles, "style", "styleId")
        self._usual = next((id for id, style in self._styles.items() if _is_usual(style)), "")
        self._lists = _by(numbering, "num", "numId")
        self._forms = _by(numbering, "abstractNum", "abstractNumId")
        self._levels = {id: self._levels_of(id) for id in self._lists}
        self._counts: defaultdict[str | None, dict[int, int]] = defaultdict(dict)
        self._begun: set[tuple[str, int]] = set()

    def before(self, paragraph: Any) -> str:
        """What stands before the paragraph: `4.2 `, `(a) `; nothing where it is a bullet, or nothing."""
        list_id, depth = self._place(paragraph)
        levels = self._levels.get(list_id, {})
        if depth not in levels:
            return ""
        level = levels[depth]
        counts = self._counts[_value(self._lists[list_id], "abstractNumId")]
        if level.restarts and (list_id, depth) not in self._begun:
            counts.pop(depth, None)
        self._begun.add((list_id, depth))
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]
        counts[depth] = counts[depth] + 1 if depth in counts else level.start
        if level.form == "bullet":
            return ""

        def number(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            if at not in levels:
                return ""
            form = "decimal" if level.is_legal else levels[at].form
            return _written(counts.get(at, levels[at].start), form)

        text = _PLACE.sub(number, level.text)
        return f"{text} " if text and level.is_spaced else text

    def _place(self, paragraph: Any) -> tuple[str, int]:
        """The list that the paragraph belongs to, and how deep it is in it."""
        properties = paragraph.find(f"{_W}pPr")
        list_id, depth = _numbered(properties)
        if list_id is not None:
            return list_id, depth or 0
        style_id = _value(properties, "pStyle") or self._usual
        for _ in range(_DEEPEST):
            style = self._styles.get(style_id)
            if style is None:
                break
            list_id, styled = _numbered(style.find(f"{_W}pPr"))
            if list_id is not None:
                levels = self._levels.get(list_id, {})
                linked = next((at for at, level in levels.items() if level.style == style_id), styled)
                return list_id, (linked or 0) if depth is None else depth
            style_id = _value(style, "basedOn") or ""
        return "", 0

    def _levels_of(self, list_id: str) -> dict[int, _Level]:
        node = self._lists[list_id]
        form = self._forms.get(_value(node, "abstractNumId") or "")
        if form is not None and (link := _value(form, "numStyleLink")) in self._styles:
            other, _ = _numbered(self._styles[link].find(f"{_W}pPr"))
            form = self._forms.get(_value(self._lists.get(other or ""), "abstractNumId") or "")
        if form is None:
            return {}
        levels = {_depth(level): _Level.of(level) for level in form.iterchildren(f"{_W}lvl")}
        for override in node.iterchildren(f"{_W}lvlOverride"):
            depth = _depth(override)
            if (own := override.find(f"{_W}lvl")) is not None:
                levels[depth] = _Level.of(own)
            start = _value(override, "startOverride")
            if start is not None and depth in levels:
                levels[depth] = replace(levels[depth], start=_number(start, 1), restarts=True)
        return levels


def _by(root: Any | None, name: str, key: str) -> dict[str, Any]:
    nodes = () if root is None else root.iterchildren(f"{_W}{name}")
    return {node.get(f"{_W}{key}", ""): node for node in nodes}


def _is_usual(style: Any) -> bool:
    kind, usual = style.get(f"{_W}type"), style.get(f"{_W}default")
    return kind == "paragraph" and usual in ("1", "true", "on")


def _numbered(properties: Any | None) -> tuple[str | None, int | None]:
    """The list and the depth in it that these properties of a paragraph name."""
    numbered = None if properties is None else properties.find(f"{_W}numPr")
    depth = _value(numbered, "ilvl")
    return _value(numbered, "numId"), None if depth is None else _number(depth, 0)


def _value(node: Any | None, name: str) -> str | None:
    found = None if node is None else node.find(f"{_W}{name}")
    return None if found is None else found.get(f"{_W}val")


def _depth(node: Any) -> int:
    return _number(node.get(f"{_W}ilvl"), 0)


def _number(text: str | None, otherwise: int) -> int:
    return (
        int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else otherwise
    )


def _written(count: int, form: str) -> str:
    if form == "none":
        return ""
    if form == "decimalZero":
        return f"{count:02}"
    if 0 < count <= _MOST:
        if form in ("lowerLetter", "upperLetter"):
            text = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
            return text.upper() if form == "upperLetter" else text
        if form in ("lowerRoman", "upperRoman"):
            return _roman(count).upper() if form == "upperRoman" else _roman(count)
        if count < 100 and form in _CHINESE_FORMS:
            return _chinese(count)
    return str(count)


def _roman(count: int) -> str:
    text = ""
    for worth, letters in _ROMAN:
        text += letters * (count // worth)
        count %= worth
    return text


def _chinese(count: int) -> str:
    tens, ones = divmod(count, 10)
    text = ("" if tens < 2 else _CHINESE[tens]) + ("十" if tens else "")
    return text + (_CHINESE[ones] if ones else "")
