"""A seeded draw that keeps a share of every list for evaluation."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
HELD_EVERY = 5
SMALLEST_SPLIT = 5


class Draw(random.Random):
    """Draws for training (`held=False`) or, from what training never sees, for evaluation."""

    def __init__(self, seed: int, *, held: bool = False) -> None:
        super().__init__(seed)
        self.held = held

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`: every fifth is only for evaluation; a list shorter than five is not divided."""
        if len(options) < SMALLEST_SPLIT:
            return self.choice(options)
        return self.choice(
            [o for place, o in enumerate(options) if (place % HELD_EVERY == HELD_EVERY - 1) == self.held]
        )

    def happens(self, share: float) -> bool:
        """True in this share of the draws."""
        return self.random() < share
