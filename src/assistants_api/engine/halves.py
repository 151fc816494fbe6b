"""Characters that an upstream cuts in two, as JSON can."""

import re
from dataclasses import dataclass

from assistants_api.domain.text import mended

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
        return mended(text)
