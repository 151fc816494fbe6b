"""From what a model says to the parts that a client may see: reasoning and calls apart, stop strings out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from assistants_api.domain.prompt import CallPiece, ToolCall
from assistants_api.engine.calls import CallParser, Family, Found, longest_beginning

OPEN, CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Aside:
    """A piece of reasoning."""

    text: str


class Reasoning:
    """Takes out the block of reasoning with which an answer may begin, less the white space around it."""

    def __init__(self, *, inside: bool) -> None:
        self._state = "inside" if inside else "before"
        self._buffer = ""
        self._taken = ""
        self._has_begun = False
        self.skipped = 0  # characters before what is not reasoning, once that has begun

    def taken(self) -> str:
        """The reasoning since this was last asked."""
        taken, self._taken = self._taken, ""
        return taken

    def feed(self, text: str) -> str:
        """What is not reasoning, as far as it is settled."""
        if self._state == "after":
            return text
        self.skipped += len(text)
        self._buffer += text
        if self._state == "before":
            head = self._buffer.lstrip()
            if OPEN.startswith(head[: len(OPEN)]) and len(head) < len(OPEN):
                return ""
            if not head.startswith(OPEN):
                return self._over(self._buffer)
            self._state = "inside"
            self._buffer = head[len(OPEN) :]
        if self._state == "inside":
            thought, mark, rest = self._buffer.partition(CLOSE)
            if mark:
                self._state, self._buffer = "gap", rest
            else:
                thought = thought[: len(thought) - longest_beginning(thought, (CLOSE,))]
            thought = thought.rstrip()
            if not mark:
                self._buffer = self._buffer[len(thought) :]
            self._take(thought)
        if self._state == "gap" and self._buffer.strip():
            return self._over(self._buffer.lstrip())
        return ""

    def finish(self) -> str:
        """What was held back and is no reasoning after all."""
        if self._state == "inside":
            self._take(self._buffer.rstrip())
        return self._over(self._buffer) if self._state == "before" else ""

    def _take(self, thought: str) -> None:
        if not self._has_begun:
            thought = thought.lstrip()
        self._has_begun = self._has_begun or bool(thought)
        self._taken += thought

    def _over(self, rest: str) -> str:
        self._state = "after"
        self._buffer = ""
        self.skipped -= len(rest)
        return rest


class StopStrings:
    """Cuts text at the first stop string; what may begin one is held back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.is_met = False

    def feed(self, text: str) -> str:
        """What may be shown now."""
        if self.is_met:
            return ""
        if not self._stops:
            return text
        self._held += text
        ends = [(place + len(stop), place) for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if ends:
            self.is_met = True
            shown, self._held = self._held[: min(ends)[1]], ""
            return shown
        keep = longest_beginning(self._held, self._stops)
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def finish(self) -> str:
        """What was held back in vain."""
        held, self._held = self._held, ""
        return held


class Speech:
    """One answer: the model's text goes in, pieces of reasoning, shown text and calls come out."""

    def __init__(
        self,
        family: Family,
        names: Collection[str],
        stops: Sequence[str],
        *,
        parallel: bool = True,
        reasons: bool = False,
        in_reasoning: bool = False,
        stem: str | None = None,
    ) -> None:
        self._reasoning = Reasoning(inside=in_reasoning) if reasons or in_reasoning else None
        self._parser = CallParser(family, names, parallel=parallel, stem=stem)
        self._stops = StopStrings(stops)

    @property
    def is_done(self) -> bool:
        """Nothing that the model could still say would be shown."""
        return self._stops.is_met or self._parser.is_done

    @property
    def has_called(self) -> bool:
        """At least one function was called."""
        return self._parser.calls > 0

    @property
    def opened(self) -> str | None:
        """The call that is being written, as far as it is, its marker included; None outside of one."""
        return self._parser.opened

    @property
    def skipped(self) -> int:
        """How many characters came before the shown text, of which nothing is left out until it ends."""
        return self._reasoning.skipped if self._reasoning else 0

    def feed(self, text: str) -> list[Found | Aside]:
        """What is settled after this much more text."""
        said = self._reasoning.feed(text) if self._reasoning else text
        return [*self._asides(), *(self._shown(self._parser.feed(said)) if said else ())]

    def finish(self) -> list[Found | Aside]:
        """What is left at the end of the answer."""
        rest = self._reasoning.finish() if self._reasoning else ""
        found = [*self._asides(), *self._shown([*self._parser.feed(rest), *self._parser.finish()])]
        held = self._stops.finish()
        return [*found, held] if held and not self._stops.is_met else found

    def _asides(self) -> list[Aside]:
        thought = self._reasoning.taken() if self._reasoning else ""
        return [Aside(thought)] if thought else []

    def _shown(self, found: list[Found]) -> list[Found]:
        shown: list[Found] = []
        for one in found:
            if self._stops.is_met:
                break
            text = self._stops.feed(one) if isinstance(one, str) else self._stops.finish()
            if text:
                shown.append(text)
            if isinstance(one, CallPiece | ToolCall):
                shown.append(one)
        return shown
