"""What parsing a file ends in: its text, or the reason why there is none."""

from dataclasses import dataclass
from typing import Literal

Code = Literal["unsupported_file", "invalid_file", "server_error"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a file: never blank, with no NUL and no lone surrogate, lines ended by a newline alone."""

    text: str


class ParseFailed(Exception):
    """A file without usable text; code and message are those of a vector store file's `last_error`."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code: Code = code
        self.message = message


def invalid(reason: str = "") -> ParseFailed:
    """The failure of a file that cannot be parsed: `reason` is a clause such as `because it is too large`."""
    return ParseFailed("invalid_file", f"The file could not be parsed{' ' + reason if reason else ''}.")
