"""Halves of characters: JSON can hold one half of a surrogate pair, which no text outside of it can."""

import re
from dataclasses import dataclass
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
_FIRST_HALF = re.compile("[\ud800-\udbff]\\Z")


@dataclass(slots=True)
class Joined:
    """A text that comes in pieces: half a character at the end of one waits for its other half."""

    _held: str = ""

    def join(self, piece: str, *, is_last: bool = False) -> str:
        """What is settled with this piece."""
        text, self._held = self._held + piece, ""
        if not is_last and _FIRST_HALF.search(text):
            text, self._held = text[:-1], text[-1]
        return whole(text)


def whole(text: str) -> str:
    """The text with its halves joined; U+FFFD for each that is alone."""
    if _HALF.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole_values(value: Any) -> Any:
    """A JSON value with all of its texts whole."""
    match value:
        case str():
            return whole(value)
        case list():
            return [whole_values(one) for one in value]
        case dict():
            return {whole(name): whole_values(one) for name, one in value.items()}
    return value
