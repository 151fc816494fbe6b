"""Turns the citation markers and file links of an answer into annotations, while it is being written.

A marker such as `【4:0†source】` names a result of a search. One that names a result which the model was
shown stays, spelled as the model was shown it, and has one annotation; any other is taken out of the text.
Without a dagger it may be a time or a ratio, as in `【12:30】`: that stays where it names no such result.
A link such as `sandbox:/mnt/data/plot.csv` names a file that code has made; one that names none stays as
it is, without an annotation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from assistants_api.domain.json import JsonObject

_OPEN, _DAGGER = "【", "†"
_MARKER = re.compile(
    r"【\s*(\d{1,6})\s*[:：]\s*(\d{1,6})\s*(?:†[^【】]{0,80})?】|【\s*\d{1,6}\s*†[^【】]{0,80}】"
)
# How a marker may look before its end has come.
_BEGUN = re.compile(r"【\s*(?:\d{1,6}\s*(?:[:：]\s*(?:\d{1,6}\s*)?)?)?(?:(?<=[\d\s])†[^【】]{0,80})?\Z")
_LINK = "sandbox:/mnt/data/"
# Where either may begin.
_FIRST = re.compile(f"{_OPEN}|{_LINK[0]}")


@dataclass(frozen=True, slots=True)
class Cited:
    """A piece of text and the annotations whose markers it holds; indices count in the whole text."""

    text: str
    annotations: tuple[JsonObject, ...] = ()


def marker(search: int, result: int) -> str:
    """How a result is called: the `result`-th, from 0, of a run's `search`-th search."""
    return f"【{search}:{result}†source】"


class Citations:
    """One answer's markers and links; `files` and `links` say which file each stands for."""

    def __init__(
        self,
        files: Mapping[str, str],
        shown: str = "",
        count: int = 0,
        links: Mapping[str, str] | None = None,
    ) -> None:
        self._files = files
        self._links = links or {}
        # The longest first: a file's name may begin with another's.
        paths = "|".join(re.escape(path) for path in sorted(self._links, key=len, reverse=True))
        self._pattern = re.compile(f"{_MARKER.pattern}|(?P<link>{paths})") if paths else _MARKER
        self._place = len(shown)
        self._count = count
        self._held = ""

    def feed(self, text: str) -> Cited:
        """What may be shown now; the beginning of what could be a marker or a link is held back."""
        text = self._held + text
        end = self._settled(text)
        self._held = text[end:]
        return self._cited(text[:end])

    def close(self) -> Cited:
        """What was held back when the answer ended: nothing, if it is the beginning of a marker."""
        rest, self._held = self._held, ""
        is_begun = rest.startswith(_OPEN) and len(rest) > 1 and (_DAGGER in rest or bool(self._files))
        return self._cited("" if is_begun else rest)

    def _settled(self, text: str) -> int:
        """How much of the text stays as it is, whatever comes."""
        place = 0
        while first := _FIRST.search(text, place):
            place = first.start()
            if self._is_begun(text, place):
                return place
            whole = self._pattern.match(text, place)
            place = whole.end() if whole else first.end()
        return len(text)

    def _is_begun(self, text: str, place: int) -> bool:
        """Whether the text, from there to its end, may become a marker, a link, or a longer link."""
        if text[place] == _OPEN:
            return _BEGUN.match(text, place) is not None
        rest = len(text) - place
        return any(rest < len(link) and link.startswith(text[place:]) for link in self._links)

    def _cited(self, text: str) -> Cited:
        pieces: list[str] = []
        annotations: list[JsonObject] = []
        done = 0
        for match in self._pattern.finditer(text):
            pieces.append(text[done : match.start()])
            self._place += match.start() - done
            done = match.end()
            is_link = match[0].startswith(_LINK)
            name = marker(int(match[1]), int(match[2])) if match[1] is not None else match[0]
            file_id = (self._links if is_link else self._files).get(name)
            if file_id is None:
                kept = "" if _DAGGER in match[0] else match[0]
                pieces.append(kept)
                self._place += len(kept)
                continue
            kind = "file_path" if is_link else "file_citation"
            pieces.append(name)
            annotations.append(
                {
                    "index": self._count,
                    "type": kind,
                    "text": name,
                    "start_index": self._place,
                    "end_index": self._place + len(name),
                    kind: {"file_id": file_id},
                }
            )
            self._place += len(name)
            self._count += 1
        pieces.append(text[done:])
        self._place += len(text) - done
        return Cited("".join(pieces), tuple(annotations))


def without_markers(text: str, annotations: tuple[JsonObject, ...]) -> str:
    """The text without the markers that these annotations are about: they name results of that run only."""
    for annotation in sorted(annotations, key=lambda each: -int(each["start_index"])):
        if annotation["type"] == "file_citation":
            text = text[: annotation["start_index"]] + text[annotation["end_index"] :]
    return text
