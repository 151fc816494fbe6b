"""What a reader of files is: bytes and a name in, text or a reason out."""

from pathlib import Path
from typing import Protocol


class ParseFailed(Exception):
    """The file gives no text; `code` is one of the API's `last_error` codes of a file in a store."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Reader(Protocol):
    """Reads the text out of files that may be hostile."""

    async def read(self, path: Path, filename: str) -> str:
        """The text of the file, never blank; `ParseFailed` when there is none to be had."""
