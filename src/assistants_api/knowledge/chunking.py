"""Cuts texts into chunks and windows, and into the words that keyword search knows.

All cuts are exact slices of the source, so that what is quoted can be checked. A *chunk* is what a model
is shown, in the sizes that the API's `chunking_strategy` asks for. A *window* is what is embedded: about
200 tokens, which is what small encoders were made for. A chunk is as relevant as its best window.
"""

import re
from collections.abc import Iterable, Sequence

Span = tuple[int, int]

WINDOW_TOKENS = 200
# A window may end early at the end of a sentence, once it has this many tokens.
_WINDOW_LEAST = 120
_MOST_KEYWORD = 64

_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_WIDE}]|[^\W\d_{_WIDE}]{{1,6}}|\d{{1,3}}|[^\w\s]{{1,3}}|_+")
_SENTENCE_END = re.compile(r"[.!?…][\"')\]]*\s|[。！？；]|\n")
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_RUN = re.compile(rf"[{_WIDE}]+|[^\W_{_WIDE}]+(?:_+[^\W_{_WIDE}]+)*")
_WIDE_CHAR = re.compile(f"[{_WIDE}]")
_HUMP = re.compile(r"[a-z0-9](?=[A-Z])|[A-Z](?=[A-Z][a-z])")


def tokens(text: str) -> list[Span]:
    """Where each token of the text stands, in code points.

    A token is a CJK character, up to six letters of a word, up to three digits or up to three marks.
    That needs no vocabulary, so counts depend on no model: 1.3 tokens for an English word, near what the
    vocabularies of large models give.
    """
    return [match.span() for match in _TOKEN.finditer(text)]


def chunks(spans: Sequence[Span], size: int, overlap: int) -> list[Span]:
    """Stretches of `size` tokens, each sharing `overlap` tokens with the one before it.

    `spans` is what `tokens` gives; the last chunk may be shorter. There is none for a text without tokens.
    """
    if not spans:
        return []
    step = size - overlap
    last = max(0, len(spans) - overlap - 1) // step if len(spans) > size else 0
    return [
        (spans[first][0], spans[min(first + size, len(spans)) - 1][1])
        for first in range(0, last * step + 1, step)
    ]


def windows(text: str, spans: Sequence[Span]) -> list[Span]:
    """Neighbouring stretches of at most `WINDOW_TOKENS` tokens that end with a sentence where they can."""
    found: list[Span] = []
    first = 0
    while first < len(spans):
        end = min(first + WINDOW_TOKENS, len(spans))
        if end < len(spans):
            end = _good_end(text, spans, first, end)
        found.append((spans[first][0], spans[end - 1][1]))
        first = end
    return found


def _good_end(text: str, spans: Sequence[Span], first: int, end: int) -> int:
    """The place after the last token of a sentence or, better, a paragraph, not far before `end`."""
    least = first + _WINDOW_LEAST
    start, stop = spans[least][0], spans[end][0]
    for pattern in (_PARAGRAPH_END, _SENTENCE_END):
        cut = None
        for match in pattern.finditer(text, start, stop):
            cut = match.end()
        if cut is not None:
            place = end
            while place > least and spans[place - 1][0] >= cut:
                place -= 1
            return place
    return end


def keywords(text: str) -> list[str]:
    """The words of a text or of a query, as keyword search knows them.

    Lower case; runs of CJK characters become pairs of neighbours, which need no dictionary; a compound
    identifier gives its parts too.
    """
    found: list[str] = []
    for match in _RUN.finditer(text):
        run = match.group()
        if _WIDE_CHAR.match(run):
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
            continue
        parts = [part for piece in run.split("_") for part in _HUMP.sub(r"\g<0> ", piece).split()]
        if len(parts) > 1:
            found += [part.lower()[:_MOST_KEYWORD] for part in parts]
        found.append(run.replace("_", "").lower()[:_MOST_KEYWORD])
    return found


# Words that say nothing about what is looked for; a query of nothing else is taken as it is.
_EMPTY = """
a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my
of on or our please should tell that the their them there these they this those to us was we were what when
where which who whom whose why will with would you your about
"""
_EMPTY_WORDS = frozenset(_EMPTY.split())


def search_terms(query: str, most: int = 32) -> list[str]:
    """The different words of a query that are worth looking for, in their order."""
    words = list(dict.fromkeys(keywords(query)))
    telling = [word for word in words if word not in _EMPTY_WORDS]
    return (telling or words)[:most]


def joined(words: Iterable[str]) -> str:
    """Words as one text for a full-text index."""
    return " ".join(words)
