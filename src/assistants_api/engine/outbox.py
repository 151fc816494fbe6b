"""What steps did, on its way to the server process: many small deltas of quick steps travel as fewer."""

import time
from collections.abc import Callable, Iterable

from assistants_api.domain.prompt import CallPiece, Part, Started, Text, Thought
from assistants_api.engine.messages import Delta, Deltas, Refused

# Each costs the server process and its client about as much as a small model's token: more of them than this,
# over all turns, and the model waits for them. Of one turn alone every step is told at once.
_DELTAS_PER_SECOND = 800
_LONGEST_HOLD = 0.05  # seconds


class Outbox:
    """Sends what `put` is given, each turn's in order: some milliseconds later where many turns speak.

    The first token of a turn and its end are sent at once.
    """

    def __init__(self, send: Callable[[Deltas], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._held: dict[int, Delta] = {}
        self._silent: set[int] = set()  # turns that have started, and said nothing yet
        self._flushed = clock()

    def put(self, told: Iterable[Delta | Refused]) -> None:
        """What one step did."""
        urgent: list[Delta | Refused] = []
        for each in told:
            before = self._held.pop(each.turn, None)
            is_first = each.turn in self._silent
            self._silent.discard(each.turn)
            if isinstance(each, Refused):
                urgent += [each] if before is None else [before, each]
                continue
            if each.parts and isinstance(each.parts[-1], Started):
                self._silent.add(each.turn)
            delta = each if before is None else _joined(before, each)
            if is_first or not all(isinstance(part, Text | Thought | CallPiece) for part in each.parts):
                urgent.append(delta)
            else:
                self._held[each.turn] = delta
        if urgent:
            self._send(Deltas(tuple(urgent)))
        hold = min(_LONGEST_HOLD, (len(self._held) - 1) / _DELTAS_PER_SECOND)
        if self._clock() - self._flushed >= hold:
            self.flush()

    def flush(self) -> None:
        """Sends what is held back."""
        self._flushed = self._clock()
        if self._held:
            self._send(Deltas(tuple(self._held.values())))
            self._held.clear()

    def forget(self, turn: int) -> None:
        """Nobody waits for this turn any more."""
        self._held.pop(turn, None)
        self._silent.discard(turn)


def _joined(before: Delta, told: Delta) -> Delta:
    parts = list(before.parts)
    for part in told.parts:
        one = _one(parts[-1], part) if parts else None
        parts[-1:] = [*parts[-1:], part] if one is None else [one]
    return Delta(told.turn, before.tokens + told.tokens, tuple(parts))


def _one(before: Part, part: Part) -> Part | None:
    """Both as one part; None where they are not more of the same."""
    match before, part:
        case Text(), Text():
            return Text(before.text + part.text, before.tokens + part.tokens, before.logprobs + part.logprobs)
        case Thought(), Thought():
            return Thought(before.text + part.text, before.tokens + part.tokens)
        case CallPiece(id, name), CallPiece(other) if id == other:
            return CallPiece(id, name, before.arguments + part.arguments)
    return None
