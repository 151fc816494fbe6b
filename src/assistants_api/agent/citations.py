"""Turns the citation markers of an answer into annotations, while the answer is being written.

A marker such as `【4:0†source】` names a result of a search. One that names a result which the model was
shown stays, spelled as the model was shown it, and has one annotation; any other is taken out of the text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from assistants_api.domain.json import JsonObject

_OPEN = "【"
_MARKER = re.compile(
    r"【\s*(\d{1,6})\s*[:：]\s*(\d{1,6})\s*(?:†[^【】]{0,80})?】|【\s*\d{1,6}\s*†[^【】]{0,80}】"
)
# How a marker may look before its end has come.
_BEGUN = re.compile(r"【\s*(?:\d{1,6}\s*(?:[:：]\s*(?:\d{1,6}\s*)?)?)?(?:(?<=[\d\s])†[^【】]{0,80})?\Z")


@dataclass(frozen=True, slots=True)
class Cited:
    """A piece of text and the annotations whose markers it holds; indices count in the whole text."""

    text: str
    annotations: tuple[JsonObject, ...] = ()


def marker(search: int, result: int) -> str:
    """How a result is called: the `result`-th, from 0, of a run's `search`-th search."""
    return f"【{search}:{result}†source】"


class Citations:
    """One answer's markers; `files` says which file each marker stands for."""

    def __init__(self, files: Mapping[str, str], shown: str = "", count: int = 0) -> None:
        self._files = files
        self._place = len(shown)
        self._count = count
        self._held = ""

    def feed(self, text: str) -> Cited:
        """What may be shown now; the beginning of what could be a marker is held back."""
        text = self._held + text
        opening = text.rfind(_OPEN)
        is_open = opening >= 0 and _BEGUN.match(text, opening) is not None
        self._held = text[opening:] if is_open else ""
        return self._cited(text[:opening] if is_open else text)

    def close(self) -> Cited:
        """What was held back when the answer ended: nothing, if it is the beginning of a marker."""
        rest, self._held = self._held, ""
        return self._cited("" if len(rest) > 1 else rest)

    def _cited(self, text: str) -> Cited:
        pieces: list[str] = []
        annotations: list[JsonObject] = []
        done = 0
        for match in _MARKER.finditer(text):
            pieces.append(text[done : match.start()])
            self._place += match.start() - done
            done = match.end()
            name = marker(int(match[1]), int(match[2])) if match[1] is not None else match[0]
            file_id = self._files.get(name)
            if file_id is None:
                continue
            pieces.append(name)
            annotations.append(
                {
                    "index": self._count,
                    "type": "file_citation",
                    "text": name,
                    "start_index": self._place,
                    "end_index": self._place + len(name),
                    "file_citation": {"file_id": file_id},
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
