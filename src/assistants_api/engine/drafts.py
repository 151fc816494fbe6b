"""Guesses of an answer's next tokens from what was said before, so that one forward can settle several.

Answers repeat what they were shown: a name out of the question in the arguments of a call, a sentence of a
file with its marker, a list that goes on as it began. Where the last tokens have stood together before, what
followed them then is a good guess for what follows now (Saxena 2023, "Prompt Lookup Decoding"; Leviathan et
al. 2023 for why a checked guess changes nothing). The model reads the guess along with the last token; each
token is then chosen as ever, with its own random number, and the guess counts as far as it is the same.
"""

from collections.abc import Sequence

_GRAMS = (3, 2)  # tokens that must have stood together; longer ones are asked first
_FIRST_REACH, _FURTHEST_REACH = 4, 32
_LONGEST_PAUSE = 32
_REMEMBERED = 16_384  # tokens of the prompt, its last ones


class Drafts:
    """What followed the last tokens of one row when they last stood together, and how far to trust it."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids = ids
        self._known = max(0, len(ids) - _REMEMBERED)
        self._after: dict[tuple[int, ...], int] = {}
        self._reach = _FIRST_REACH
        self._pause = self._resting = 0

    def propose(self, most: int) -> list[int]:
        """Up to `most` tokens that may come next; none where nothing is known, or guesses failed of late."""
        if self._resting:
            self._resting -= 1
            return []
        self._learn()
        place = self._last_place()
        if place is None:
            return []
        turn = len(self._ids) - place  # beyond the end, what repeats goes on repeating
        return [self._ids[place + n % turn] for n in range(min(most, self._reach))]

    def judge(self, proposed: int, right: int) -> None:
        """So many of the proposed tokens were right: reach further next time, or less far, or rest."""
        if right == proposed:
            self._reach = min(_FURTHEST_REACH, 2 * self._reach)
        elif right:
            self._reach = max(_FIRST_REACH, right + 1)
        if right:
            self._pause = 0
            return
        self._reach = _FIRST_REACH
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause or 1)
        self._resting = self._pause

    def _learn(self) -> None:
        """Notes where each few tokens are followed by something; the last ones are not, yet."""
        for end in range(max(self._known, _GRAMS[-1]), len(self._ids)):
            for size in _GRAMS:
                if end >= size:
                    self._after[tuple(self._ids[end - size : end])] = end
        self._known = len(self._ids)

    def _last_place(self) -> int | None:
        """Where to read on: behind the same last tokens."""
        for size in _GRAMS:
            if (place := self._after.get(tuple(self._ids[-size:]))) is not None:
                return place
        return None
