"""How long things take and how large they are, counted in buckets: cheap to note, easy to send and add up."""

import time
from bisect import bisect_left
from typing import Any

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class Measure:
    """A histogram; a value belongs to the first bucket whose bound is not below it."""

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def note(self, value: float, times: int = 1) -> None:
        """The value was seen so many times."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times

    def quantile(self, share: float) -> float:
        """The value below which this share of all lies, as exactly as the buckets tell; 0 for no values.

        Within a bucket values count as evenly spread; above the last bound, the bound is told.
        """
        wanted = share * sum(self._counts)
        low, before = 0.0, 0
        for bound, count in zip(self._bounds, self._counts, strict=False):
            if count and before + count >= wanted:
                return low + (bound - low) * (wanted - before) / count
            low, before = bound, before + count
        return low if before < sum(self._counts) else 0.0

    def told(self) -> dict[str, Any]:
        """Everything that is known: `buckets` are pairs of a bound and how many were at or below it."""
        buckets: list[tuple[float, int]] = []
        total = 0
        for bound, count in zip(self._bounds, self._counts, strict=False):
            total += count
            buckets.append((bound, total))
        return {
            "count": sum(self._counts),
            "sum": round(self._sum, 6),
            "p50": round(self.quantile(0.5), 6),
            "p95": round(self.quantile(0.95), 6),
            "buckets": buckets,
        }


class Measures:
    """What is measured of every answer of one model."""

    def __init__(self) -> None:
        self.queue_wait = Measure()
        self.first_token = Measure()
        self.between_tokens = Measure()
        self.batch_rows = Measure(ROWS)

    def token(self, asked_at: float, said_at: float | None) -> float:
        """An answer, asked for at the one time and last heard of at the other, says more; now."""
        now = time.monotonic()
        if said_at is None:
            self.first_token.note(now - asked_at)
        else:
            self.between_tokens.note(now - said_at)
        return now

    def told(self) -> dict[str, Any]:
        """Each by its name and unit."""
        return {
            "queue_wait_seconds": self.queue_wait.told(),
            "first_token_seconds": self.first_token.told(),
            "between_tokens_seconds": self.between_tokens.told(),
            "batch_rows": self.batch_rows.told(),
        }
