"""Attention state of rows that have ended, kept for the next turns of their threads."""

from assistants_api.engine.kv import Snapshot

_MOST_PARKED = 256


class Parked:
    """Finished rows by the tokens that they have seen; the longest unused go first when room is short."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[tuple[int, ...], Snapshot] = {}  # in order of last use
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, tokens: tuple[int, ...], snapshot: Snapshot) -> None:
        """Keeps a row, in place of those that are a beginning of it."""
        covered = [known for known in self._kept if tokens[: len(known)] == known]
        for known in covered:
            self._drop(known)
        if snapshot.bytes <= self._limit:
            self._kept[tokens] = snapshot
            self.bytes += snapshot.bytes
        while self.bytes > self._limit or len(self._kept) > _MOST_PARKED:
            self._drop(next(iter(self._kept)))

    def find(self, tokens: list[int]) -> tuple[Snapshot, int] | None:
        """The row that shares the longest beginning with `tokens`, and how long that is."""
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
        snapshot = self._kept.pop(best)
        self._kept[best] = snapshot
        return snapshot, shared

    def shrink(self, size: int) -> None:
        """Forgets rows until they take no more than `size` bytes."""
        while self.bytes > size and self._kept:
            self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Forgets every row: memory is needed elsewhere."""
        self._kept.clear()
        self.bytes = 0

    def _drop(self, known: tuple[int, ...]) -> None:
        self.bytes -= self._kept.pop(known).bytes


def common_beginning(left: tuple[int, ...], right: list[int]) -> int:
    """How many tokens two texts share from their start."""
    size = min(len(left), len(right))
    if left[:size] == tuple(right[:size]):
        return size
    return next(place for place in range(size) if left[place] != right[place])
