"""Whether a server is worth asking: closed after success, open after failures, half-open for one trial."""

from dataclasses import dataclass
from enum import StrEnum


class Circuit(StrEnum):
    """`closed`: it is asked; `open`: it is left alone for a while; `half-open`: one may try."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(slots=True)
class Breaker:
    """Counts failures in a row. Times are seconds of a clock that never goes back, given by the caller."""

    failures_to_open: int
    first_open: float
    longest_open: float
    failures: int = 0
    _open_until: float | None = None
    _times_opened: int = 0

    def state(self, now: float) -> Circuit:
        """The state at this moment."""
        if self._open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self._open_until else Circuit.HALF_OPEN

    def opens_in(self, now: float) -> float:
        """Seconds until one may try; 0 where that is now."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def succeed(self) -> None:
        """It did what it was asked: closed, and every failure is forgotten."""
        self.failures = self._times_opened = 0
        self._open_until = None

    def fail(self, now: float, *, is_certain: bool = False) -> None:
        """It failed. Opens after enough failures in a row; at once if `is_certain` or if this was the trial.

        Each opening that follows another without a success between lasts twice as long.
        """
        state = self.state(now)
        self.failures += 1
        if state is Circuit.OPEN:
            return
        if is_certain or state is Circuit.HALF_OPEN or self.failures >= self.failures_to_open:
            length = min(self.first_open * 2.0**self._times_opened, self.longest_open)
            self._open_until = now + length
            self._times_opened += 1

    def trip(self, now: float) -> None:
        """It will not do what it is asked, however often: open for the longest time."""
        self.failures += 1
        self._open_until = now + self.longest_open

    def invite(self, now: float) -> None:
        """It gave a sign of life: one may try at once."""
        if self._open_until is not None:
            self._open_until = min(self._open_until, now)
