"""Cuts text into tokens, chunks, windows and keywords: pure functions, the same answer on every machine.

All offsets are code points of the given text, and every piece is the exact slice `text[start:end]`.

Sizes are counted by a rule of our own. The vocabulary of the bundled model was measured first: with 3072
entries it needs 3.1 to 3.5 tokens for a word of English prose, where a usual model needs about 1.3, so
chunks counted by it would be less than half as long as asked. The rule: a token is up to seven letters of a
word, up to three digits, one CJK character, a short run of rule-drawing marks (`----`), or any other single
mark; combining marks stay with the token before them. Numbers differ from OpenAI's vocabulary, and do not
depend on the chat model. Seven letters give 1.5 to 1.7 tokens for a word with its punctuation.
"""

import re
import unicodedata
from array import array
from dataclasses import dataclass
from itertools import pairwise

_CJK = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARKS = "".join(
    char
    for first, last in ((0x300, 0x3100), (0xA66F, 0xABF0), (0xFB1E, 0xFB1F), (0xFE00, 0xFE30))
    for char in map(chr, range(first, last))
    if unicodedata.category(char).startswith("M")
)
# Bounded, so that text of nothing but marks cannot become one endless token.
_TAIL = rf"(?:[{_MARKS}\U0001f3fb-\U0001f3ff]|\u200d[^\w\s]?){{0,8}}"
_TOKEN = re.compile(rf"(?:[^\W\d_{_CJK}]{{1,7}}|[{_CJK}]|\d{{1,3}}|[-=*#.~_]{{1,8}}|[^\w\s]|\w){_TAIL}")
_WORD = re.compile(rf"[{_CJK}]+|(?:[^\W{_CJK}]|[{_MARKS}])+")
_FIRST_CJK = re.compile(rf"[{_CJK}]")
_JOINT = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SENTENCE_ENDS = frozenset(".!?。！？…")


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text[start:end]`, which holds `tokens` tokens."""

    start: int
    end: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Window:
    """`text[start:end]`: a stretch short enough for one embedding."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """Where each token starts and ends: ascending, never overlapping, with only white space between them."""

    starts: "array[int]"
    ends: "array[int]"

    def __len__(self) -> int:
        return len(self.starts)


def tokenize(text: str) -> Tokens:
    """The tokens of a text; every character that is not white space is in exactly one."""
    starts, ends = array("Q"), array("Q")
    for match in _TOKEN.finditer(text):
        starts.append(match.start())
        ends.append(match.end())
    return Tokens(starts, ends)


def chunk(
    text: str, max_chunk_size_tokens: int = 800, chunk_overlap_tokens: int = 400, tokens: Tokens | None = None
) -> list[Chunk]:
    """Chunks of the asked size, neighbours sharing exactly the asked overlap; only the last may be shorter.

    Blank text has none. `tokens` spares counting again when the caller has them. Raises ValueError when the
    overlap leaves no step forward.
    """
    if not 0 <= chunk_overlap_tokens < max_chunk_size_tokens:
        raise ValueError("the overlap must be at least 0 and smaller than the chunk")
    tokens = tokenize(text) if tokens is None else tokens
    chunks: list[Chunk] = []
    first, count = 0, len(tokens)
    while first < count:
        last = min(first + max_chunk_size_tokens, count)
        chunks.append(Chunk(tokens.starts[first], tokens.ends[last - 1], last - first))
        if last == count:
            break
        first += max_chunk_size_tokens - chunk_overlap_tokens
    return chunks


def windows(text: str, size: int = 200, tokens: Tokens | None = None) -> list[Window]:
    """Stretches of at most `size` tokens, side by side, cut at the best place in the second half of each.

    A paragraph's end is better than a sentence's or a line's, that better than a word's; among equals the
    latest.
    """
    if size < 1:
        raise ValueError("a window holds at least one token")
    tokens = tokenize(text) if tokens is None else tokens
    found: list[Window] = []
    first, count = 0, len(tokens)
    while first < count:
        last = min(first + size, count)
        if last < count:
            last = _best_cut(text, tokens, first + (size + 1) // 2, last)
        found.append(Window(tokens.starts[first], tokens.ends[last - 1]))
        first = last
    return found


def words(text: str) -> list[str]:
    """The words of a text, compatible forms unified (NFKC); a run of Chinese, Japanese and Korean is one.

    Soft hyphens, where a word may be parted, part none.
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text.replace("\xad", "")))


def keywords(text: str) -> str:
    """The text as words for a full-text index, separated by single spaces; use it on queries too.

    Compatible forms are unified (NFKC) and lower-cased. Runs of Chinese, Japanese and Korean become
    overlapping pairs of characters, a single one stays. `snake_case` and `camelCase` become one whole word
    and their parts.
    """
    found: list[str] = []
    for word in words(text):
        if word.isascii() and (word.islower() or word.istitle()) and "_" not in word:
            found.append(word.lower())
        elif _FIRST_CJK.match(word):
            found.extend([word] if len(word) == 1 else map("".join, pairwise(word)))
        else:
            parts = [part for part in _JOINT.split(word) if part]
            if parts:
                found.append("".join(parts).lower())
            if len(parts) > 1:
                found.extend(part.lower() for part in parts)
    return " ".join(found)


def _best_cut(text: str, tokens: Tokens, least: int, most: int) -> int:
    """The token before which to cut, between `least` and `most`, both allowed."""
    best, at = -1, most
    for token in range(most, least - 1, -1):
        before, after = tokens.ends[token - 1], tokens.starts[token]
        gap = text[before:after]
        if gap.count("\n") > 1:
            return token
        rank = 2 if "\n" in gap or text[before - 1] in "。！？" else 0
        if gap and not rank:
            rank = 2 if text[before - 1] in _SENTENCE_ENDS else 1
        if rank > best:
            best, at = rank, token
    return at
