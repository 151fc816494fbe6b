"""Attention state of rows that have ended, kept for the next turns of their threads."""

from collections.abc import Sequence
from dataclasses import dataclass

from assistants_api.engine.kv import KvBlock

_MOST_PARKED = 256


@dataclass(frozen=True, slots=True)
class Known:
    """Row `row` of `block` holds the first `shared` tokens of a prompt.

    `parked` is all that it holds, where it waits for its thread's next turn.
    """

    block: KvBlock
    row: int
    shared: int
    parked: tuple[int, ...] | None = None


class Parked:
    """Rows that have ended, each in a block of its own, by the tokens that they have seen.

    The longest unused go first when room is short.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[tuple[int, ...], tuple[KvBlock, int]] = {}  # and its bytes; in order of last use
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, tokens: tuple[int, ...], block: KvBlock) -> None:
        """Keeps the one row of a block, in place of those that are a beginning of it."""
        covered = [known for known in self._kept if tokens[: len(known)] == known]
        for known in covered:
            self._drop(known)
        size = block.bytes()
        if size <= self._limit:
            self._kept[tokens] = block, size
            self.bytes += size
        while self.bytes > self._limit or len(self._kept) > _MOST_PARKED:
            self._drop(next(iter(self._kept)))

    def find(self, tokens: Sequence[int]) -> Known | None:
        """The row that shares the longest beginning with `tokens`."""
        best: tuple[int, ...] | None = None
        shared = 0
        for known in self._kept:
            if shared and known[: shared + 1] != tuple(tokens[: shared + 1]):
                continue
            size = common_beginning(known, tokens)
            if size > shared:
                best, shared = known, size
        if best is None:
            return None
        self._kept[best] = self._kept.pop(best)
        return Known(self._kept[best][0], 0, shared, best)

    def take(self, tokens: tuple[int, ...]) -> KvBlock:
        """The block of a row, which is kept here no longer."""
        block, _ = self._kept[tokens]
        self._drop(tokens)
        return block

    def shrink(self, size: int) -> None:
        """Forgets rows until they take no more than `size` bytes."""
        while self.bytes > size and self._kept:
            self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Forgets every row: memory is needed elsewhere."""
        self._kept.clear()
        self.bytes = 0

    def _drop(self, known: tuple[int, ...]) -> None:
        _, size = self._kept.pop(known)
        self.bytes -= size


def common_beginning(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two texts share from their start; halved, for whole stretches are compared quickly."""
    if type(left) is not type(right):
        left, right = tuple(left), tuple(right)
    same, unlike = 0, min(len(left), len(right)) + 1
    probe = unlike - 1
    while unlike - same > 1:
        if left[same:probe] == right[same:probe]:
            same = probe
        else:
            unlike = probe
        probe = (same + unlike) // 2
    return same
