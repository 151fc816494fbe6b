"""Tool calls in a model's own words: how each family writes them, and a parser that reads them as they come.

The parser holds back what may begin a call. Once a call has named its function, its arguments are given out
in pieces as they come. A call that cannot be read is given out as text, so nothing that the model said is
lost; text after a good call is dropped, as chat models put none there.
"""

import hashlib
import json
import re
import secrets
import string
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from assistants_api.domain.prompt import CallPiece, ToolCall


@dataclass(frozen=True, slots=True)
class Family:
    """How a family of models writes calls.

    `markers` open a call; `bare` families may also begin an answer with the call's JSON. `closing` ends a
    call. `opening` starts an answer that must be a call, with the function's name where it is given. `last`
    stands behind the arguments of a call, and `between` where one more call follows without a marker.
    `inner` are the marks between a name and its arguments, where these are no JSON together.
    """

    name: str
    markers: tuple[str, ...]
    closing: str
    bare: bool
    opening: Callable[[str | None], str]
    last: str = "}"
    between: str | None = None
    inner: tuple[str, ...] = ()


def _hermes_opening(name: str | None) -> str:
    start = '<tool_call>\n{"name": "'
    return start if name is None else f'{start}{name}", "arguments": '


def _llama_opening(name: str | None) -> str:
    start = '{"name": "'
    return start if name is None else f'{start}{name}", "parameters": '


def _mistral_opening(name: str | None) -> str:
    start = '[TOOL_CALLS][{"name": "'
    return start if name is None else f'{start}{name}", "arguments": '


CALL_ID, _ARGS = "[CALL_ID]", "[ARGS]"


def short_id(text: str) -> str:
    """Nine letters and digits that stand for the text: what Mistral's templates take as the id of a call."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=5).hexdigest()[:9]


def new_mistral(template: str) -> Family:
    """The newer form of Mistral, `[TOOL_CALLS]name[ARGS]{…}`, with ids of calls if the template has them."""
    inner = (CALL_ID, _ARGS) if CALL_ID in template else (_ARGS,)

    def opening(name: str | None) -> str:
        if name is None:
            return "[TOOL_CALLS]"
        return f"[TOOL_CALLS]{name}{_ARGS if len(inner) == 1 else f'{CALL_ID}{short_id(name)}{_ARGS}'}"

    return Family("mistral", ("[TOOL_CALLS]",), "", False, opening, "", inner=inner)


HERMES = Family("hermes", ("<tool_call>",), "</tool_call>", False, _hermes_opening)
LLAMA = Family("llama", ("<|python_tag|>",), "", True, _llama_opening)
MISTRAL = Family("mistral", ("[TOOL_CALLS]",), "", False, _mistral_opening, "}]", "}, ")


def family_of(template: str) -> Family:
    """The family whose words stand in a chat template; Hermes is the commonest and the default."""
    if "[TOOL_CALLS]" in template:
        return new_mistral(template) if _ARGS in template else MISTRAL
    if "<tool_call>" in template:
        return HERMES
    if "<|python_tag|>" in template or '"parameters": dictionary' in template:
        return LLAMA
    return HERMES


@dataclass(frozen=True, slots=True)
class _Read:
    """What a call's body turned out to be: calls, or nothing readable, up to `end`."""

    calls: tuple[ToolCall, ...]
    end: int


Found = str | CallPiece | ToolCall

# A call up to the beginning of its arguments, when its name comes first, as it does in every template.
_HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*"([^"\\]+)"\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)')
# The same behind a mere name.
_NAME_HEAD = re.compile(r"\s*([^\s\[{]+)\s*(?:\[CALL_ID\][^\[{]*)?(?:\[ARGS\])?\s*(?=\{)")
_NAMING = re.compile(r'\s*\{\s*"name"\s*:\s*"')
_LETTERS = string.ascii_letters + string.digits


def new_stem() -> str:
    """What the ids of one answer's calls begin with."""
    return "".join(secrets.choice(_LETTERS) for _ in range(21))


class CallParser:
    """Separates calls from text, in any chunking alike; only where pieces are cut depends on it.

    `stem` makes the calls' ids the same when the same words are read again.
    """

    def __init__(
        self, family: Family, names: Collection[str], *, parallel: bool = True, stem: str | None = None
    ) -> None:
        self._family = family
        self._stem = stem or new_stem()
        self._numbered = 0
        self._begun: _Begun | None = None
        self._names = frozenset(names)
        self._parallel = parallel
        self._buffer = ""
        self._marker: str | None = None  # of the call that is being read
        self._searched = 0
        self._has_spoken = False
        self.calls = 0

    @property
    def is_done(self) -> bool:
        """No further call may follow."""
        return self.calls > 0 and not self._parallel

    @property
    def opened(self) -> str | None:
        """The call that is being written, as far as it is, its marker included; None outside of one.

        Without a marker, JSON may be an answer as well, until it names something.
        """
        if self._marker is None or not (self._marker or _NAMING.match(self._buffer)):
            return None
        return self._marker + self._buffer

    def feed(self, text: str) -> list[Found]:
        """What is settled now that the model has said this much more."""
        if not self._names:
            return [text] if text else []
        self._buffer += text
        return self._settle(at_end=False)

    def finish(self) -> list[Found]:
        """What is left when the model has ended."""
        return self._settle(at_end=True) if self._names else []

    def _settle(self, *, at_end: bool) -> list[Found]:
        found: list[Found] = []
        while not self.is_done:
            if self._marker is None:
                self._outside(found, at_end)
                if self._marker is None:
                    break
            self._begin(found)
            read = self._read(at_end)
            if read is None:
                break
            self._take(read, found)
        if self.is_done:
            self._buffer = ""
        return found

    def _begin(self, found: list[Found]) -> None:
        """Gives out what is new of the arguments of the call that is being read."""
        if self._begun is None:
            head = _HEAD.match(self._buffer)
            if head is None and self._family.name == MISTRAL.name:
                head = _NAME_HEAD.match(self._buffer)
            if head is None or head[1] not in self._names:
                return
            self._begun = _Begun(self._new_id(), head[1], head.end())
        begun = self._begun
        piece = begun.arguments.feed(self._buffer[begun.read :])
        begun.read = len(self._buffer)
        if piece:
            found.append(CallPiece(begun.id, begun.name, piece))

    def _new_id(self) -> str:
        self._numbered += 1
        return f"call_{self._stem}{self._numbered:03d}"

    def _outside(self, found: list[Found], at_end: bool) -> None:
        """Gives out text up to the next call, or up to what may begin one."""
        start = self._bare_start()
        marker = ""
        if start is None:
            places = [(self._buffer.find(m), m) for m in self._family.markers if m in self._buffer]
            if not places:
                keep = 0 if at_end else self._tail()
                self._say(self._buffer[: len(self._buffer) - keep], found)
                self._buffer = self._buffer[len(self._buffer) - keep :]
                return
            start, marker = min(places)
        self._say(self._buffer[:start], found)
        self._buffer = self._buffer[start + len(marker) :]
        self._marker = marker
        self._searched = 0

    def _bare_start(self) -> int | None:
        if not self._family.bare or self._has_spoken:
            return None
        body = self._buffer.lstrip(" \t\r\n;")
        return len(self._buffer) - len(body) if body.startswith("{") else None

    def _tail(self) -> int:
        """How much of the end may begin a marker, or a bare call."""
        if self._family.bare and not self._has_spoken and not self._buffer.strip(" \t\r\n;"):
            return len(self._buffer)
        return longest_beginning(self._buffer, self._family.markers)

    def _say(self, text: str, found: list[Found]) -> None:
        if text and not self.calls:
            self._has_spoken = self._has_spoken or bool(text.strip())
            found.append(text)

    def _take(self, read: _Read, found: list[Found]) -> None:
        assert self._marker is not None
        if read.calls:
            kept = read.calls if self._parallel else read.calls[:1]
            self.calls += len(kept)
            found.extend(kept)
        else:
            self._say(self._marker + self._buffer[: read.end], found)
            self._has_spoken = True
        self._buffer = self._buffer[read.end :]
        self._marker = None
        self._begun = None

    def _read(self, at_end: bool) -> _Read | None:
        """The call at the start of the buffer; None while more is needed."""
        body = self._buffer
        start = len(body) - len(body.lstrip())
        if start == len(body):
            return _Read((), len(body)) if at_end else None
        name = None
        is_mistral = self._family.name == MISTRAL.name
        if body[start] not in "{[" or (body[start] == "[" and not is_mistral):
            if not is_mistral:
                return _Read((), 0)
            brace = body.find("{", start)
            if brace < 0:
                too_long = len(body) - start > 200
                return _Read((), len(body) if at_end else 0) if at_end or too_long else None
            name = _mistral_name(body[start:brace])
            if brace - start > 200 or name is None:
                return _Read((), 0)
            start = brace
        value, end = _json_at(body, start)
        if end is not None:
            return _Read(self._calls(value, name), end)
        return self._unreadable(body, at_end)

    def _unreadable(self, body: str, at_end: bool) -> _Read | None:
        closing = self._family.closing
        while closing and (place := body.find(closing, self._searched)) >= 0:
            if not _ends_in_string(body[:place]):
                return _Read((), place + len(closing))
            self._searched = place + len(closing)
        return _Read((), len(body)) if at_end else None

    def _calls(self, value: Any, name: str | None) -> tuple[ToolCall, ...]:
        if name is not None:
            value = {"name": name, "arguments": value}
        wanted = value if isinstance(value, list) else [value]
        calls = [self._call(one) for one in wanted]
        return tuple(call for call in calls if call) if all(calls) else ()

    def _call(self, value: Any) -> ToolCall | None:
        if not isinstance(value, dict) or value.get("name") not in self._names:
            return None
        begun = self._begun
        if begun is not None:
            # What was given out in pieces is what counts.
            return ToolCall(begun.id, begun.name, begun.arguments.text)
        arguments = value.get("arguments", value.get("parameters", {}))
        if isinstance(arguments, str):
            arguments, end = _json_at(arguments.strip(), 0)
            if end is None:
                return None
        if not isinstance(arguments, dict):
            return None
        return ToolCall(self._new_id(), value["name"], json.dumps(arguments, ensure_ascii=False))


class _Arguments:
    """A JSON object as it comes, and where it ends; what JSON forbids within strings is escaped."""

    def __init__(self) -> None:
        self.text = ""
        self._depth = 0
        self._inside = self._escaped = self._is_over = False

    def feed(self, text: str) -> str:
        """So much of `text` as belongs to it, in strict JSON."""
        if self._is_over:
            return ""
        taken: list[str] = []
        for character in text:
            taken.append(_escape(character) if self._inside and character < " " else character)
            if self._escaped:
                self._escaped = False
            elif self._inside:
                self._escaped = character == "\\"
                self._inside = character != '"'
            elif character == '"':
                self._inside = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth == 0:
                    self._is_over = True
                    break
        piece = "".join(taken)
        self.text += piece
        return piece


@dataclass(slots=True)
class _Begun:
    """A call whose arguments are given out in pieces; `read` is how far the buffer was."""

    id: str
    name: str
    read: int
    arguments: _Arguments = field(default_factory=_Arguments)


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1]


def longest_beginning(text: str, markers: Collection[str]) -> int:
    """The length of the longest end of `text` with which one of the markers begins."""
    for size in range(min(len(text), max(map(len, markers), default=1) - 1), 0, -1):
        if any(len(m) > size and m.startswith(text[-size:]) for m in markers):
            return size
    return 0


def _mistral_name(head: str) -> str | None:
    """The name in `name[CALL_ID]abc[ARGS]` or plain `name`."""
    name = head.partition("[")[0].strip()
    return name if name and " " not in name else None


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse)


def _json_at(text: str, start: int) -> tuple[Any, int | None]:
    """The JSON value that begins there and where it ends; no end when it is not whole or not JSON."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, None


def _ends_in_string(text: str) -> bool:
    """Whether the end of this JSON text lies within a string."""
    inside = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif inside and character == "\\":
            escaped = True
        elif character == '"':
            inside = not inside
    return inside
