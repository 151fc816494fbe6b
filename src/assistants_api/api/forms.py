"""Multipart forms as they arrive: a file goes to its blob piece by piece, and is never held in memory."""

import re
from collections import deque
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from assistants_api.api.given import BodyCut
from assistants_api.domain.errors import InvalidRequest
from assistants_api.ports import Blobs

_MAX_FIELD = 64 * 1024
_MAX_HEADERS = 16 * 1024
_MAX_PARTS = 32
_PIECE = 1 << 20
_EXTENDED = re.compile(r";\s*filename\*\s*=\s*([\w-]+)'[\w-]*'([^;\s]+)", re.IGNORECASE)


class FileTooLarge(InvalidRequest):
    """The file of a form is larger than it may be; its rest is not read."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form that has arrived: its text fields, and its file's name, blob and size."""

    fields: dict[str, str]
    filename: str
    blob: str
    size: int


async def read_form(
    request: Request, file_field: str, fields: Collection[str], blobs: Blobs, max_bytes: int
) -> Form:
    """The form with one file under `file_field` and text under any of `fields`; the file is stored.

    Raises `InvalidRequest` in the API's words; nothing is stored then. The caller removes the blob when
    it cannot use the form.
    """
    reader = _Reader(request)
    texts: dict[str, str] = {}
    blob, filename, size = None, "", 0
    parts = 0
    try:
        while (name := await reader.next_part()) is not None:
            parts += 1
            if name in texts or (name == file_field and blob is not None) or parts > _MAX_PARTS:
                raise InvalidRequest(f"The form gives '{name}' twice.", param=name, code="invalid_value")
            if name == file_field:
                filename = reader.filename or ""
                pieces = _Limited(reader.pieces(), max_bytes, file_field)
                blob = await blobs.write(pieces.all())
                size = pieces.size
            elif name in fields:
                texts[name] = await reader.text(name)
            else:
                raise InvalidRequest(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
        if blob is None:
            raise InvalidRequest(
                f"Missing required parameter: '{file_field}'.",
                param=file_field,
                code="missing_required_parameter",
            )
    except BaseException:
        if blob is not None:
            await blobs.remove([blob])
        raise
    return Form(texts, filename, blob, size)


class _Limited:
    """Pieces in handy sizes, counted, and refused beyond a limit."""

    def __init__(self, pieces: AsyncIterator[bytes], most: int, param: str) -> None:
        self._pieces = pieces
        self._most = most
        self._param = param
        self.size = 0

    async def all(self) -> AsyncIterator[bytes]:
        held = bytearray()
        async for piece in self._pieces:
            self.size += len(piece)
            if self.size > self._most:
                raise FileTooLarge(
                    f"The file is larger than {self._most} bytes.", param=self._param, code="file_too_large"
                )
            held += piece
            if len(held) >= _PIECE:
                yield bytes(held)
                held.clear()
        if held:
            yield bytes(held)


def _filename(disposition: bytes, plain: bytes | None) -> str | None:
    """The name of a part's file, by `filename*` (RFC 5987) where it can be read, else by `filename`.

    .NET sends both, the plain one as an encoded word (RFC 2047); browsers write `%22` for a quotation mark.
    """
    if extended := _EXTENDED.search(disposition.decode("latin-1")):
        with suppress(LookupError, UnicodeDecodeError):
            return unquote(extended[2], extended[1], "strict")
    if plain is None:
        return None
    name = plain.decode("utf-8", "replace")
    if name.startswith("=?") and name.endswith("?="):
        with suppress(HeaderParseError, LookupError, UnicodeDecodeError):
            return str(make_header(decode_header(name)))
    return name.replace("%22", '"')


class _Reader:
    """Walks through the parts of a form while it arrives."""

    def __init__(self, request: Request) -> None:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidRequest("This operation takes a multipart/form-data body.")
        self._request = request
        self._events: deque[tuple[str, bytes]] = deque()
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._headers_size = 0
        self._is_over = False
        self._at_end = False
        self.filename: str | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_part_data": lambda data, start, end: self._events.append(("data", data[start:end])),
                "on_part_end": lambda: self._events.append(("end", b"")),
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": lambda: self._events.append(("part", self._disposition)),
                "on_end": self._on_end,
            },
        )

    async def next_part(self) -> str | None:
        """The name of the next part, or None after the last."""
        while (event := await self._next()) is not None:
            kind, value = event
            if kind == "part":
                _, options = parse_options_header(value)
                name = options.get(b"name")
                if name is None:
                    raise InvalidRequest("A part of the form has no name.")
                self.filename = _filename(value, options.get(b"filename"))
                return name.decode("utf-8", "replace")
        return None

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes of this part."""
        while (event := await self._next()) is not None and event[0] != "end":
            yield event[1]

    async def text(self, name: str) -> str:
        """The text of this part."""
        value = bytearray()
        async for piece in self.pieces():
            value += piece
            if len(value) > _MAX_FIELD:
                raise InvalidRequest(f"Invalid '{name}': string too long.", param=name, code="invalid_value")
        try:
            return value.decode("utf-8").replace("\x00", "")
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"Invalid '{name}': it is not UTF-8.", param=name) from error

    async def _next(self) -> tuple[str, bytes] | None:
        while not self._events:
            if self._is_over:
                if not self._at_end:
                    raise InvalidRequest("The form ends before its last boundary.")
                return None
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                raise BodyCut
            try:
                self._parser.write(message.get("body", b""))
            except FormParserError as error:
                raise InvalidRequest(f"We could not parse the form of your request: {error}") from error
            self._is_over = not message.get("more_body", False)
        return self._events.popleft()

    def _on_part_begin(self) -> None:
        self._disposition = b""
        self._headers_size = 0

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._header, data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._value, data[start:end])

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _on_end(self) -> None:
        self._at_end = True

    def _grow(self, held: bytearray, piece: bytes) -> None:
        self._headers_size += len(piece)
        if self._headers_size > _MAX_HEADERS:
            raise InvalidRequest("The headers of a part of the form are too long.")
        held += piece
