"""How many threads share a step: as many as there are cores, and fewer while somebody else needs one.

Threads that share a product wait for each other. Where each has a core of its own it pays to wait awake: a
step has hundreds of products, and to wake a sleeper takes longer than many of them. Beside a busy neighbour
it is the reverse: who waits awake holds the core that the last one needs. So they wait awake for a moment
(see `machine.environment`), and how many they are is tried out, again and again, on the steps themselves.
"""

import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from assistants_api.engine.config import EngineConfig
    from assistants_api.engine.model import Model

_FIRST_WAIT = 1.0  # seconds of steps before others are tried
_LONGEST_WAIT = 30.0
_TRIED = 6  # steps each way
_MOST_TRIED = 24  # where rows come and go so fast that few can be compared
_SEEN = 2  # steps each way that show a loss
_GAIN = 0.95  # of the time, or less: worth a change
_LOSS = 1.3  # times as long: no reason to go further that way
_SLOWER = 1.5  # times as long as it was: something has changed
_SETTLED = 5  # steps by which that is seen


class Threads:
    """Chooses the number by the steps that it is told of; `use` sets it for the thread that calls.

    `fixed`: it is `most`, always.
    """

    def __init__(self, most: int, use: Callable[[int], None], *, fixed: bool = False) -> None:
        fewer = set() if fixed else {most - 1, most * 3 // 4, most // 2, most // 4, 1}
        self._levels = sorted({most, *fewer} - {0})
        self._use = use
        self._level = len(self._levels) - 1
        self._others: list[int] = []  # the levels that are still to be tried, in this round
        self._wait = _FIRST_WAIT
        self._spent = 0.0  # seconds of steps since the last round
        self._usual: tuple[int, float] | None = None  # rows, and seconds of a step when last tried
        self._recent: list[float] = []
        self._trial: _Trial | None = None

    @classmethod
    def of(cls, model: "Model", config: "EngineConfig") -> "Threads":
        """Those of this process; a compiled step is made for a number of them."""
        is_fixed = model.device.type != "cpu" or config.dedicated or model.is_compiled
        return cls(torch.get_num_threads(), torch.set_num_threads, fixed=is_fixed)

    @property
    def now(self) -> int:
        """How many share the steps, trials aside."""
        return self._levels[self._level]

    def stepped(self, rows: int, seconds: float) -> None:
        """A step of one token for each of so many rows took so long; the next one may be shared otherwise."""
        if len(self._levels) == 1:
            return
        if self._trial is None:
            self._spent += seconds
            if self._others or self._spent >= self._wait or self._has_changed(rows, seconds):
                self._begin()
            return
        self._trial.note(rows, seconds)
        if self._trial.is_over:
            self._judge(self._trial, rows, seconds)
        else:
            self._use(self._levels[self._trial.level])

    def _has_changed(self, rows: int, seconds: float) -> bool:
        """Whether steps of as many rows as were tried last have become much slower since."""
        if self._usual is None or self._usual[0] != rows:
            self._recent.clear()
            return False
        self._recent = [*self._recent, seconds][-_SETTLED:]
        return len(self._recent) == _SETTLED and statistics.median(self._recent) > _SLOWER * self._usual[1]

    def _begin(self) -> None:
        """Tries the next level: in a round, those above come first, then those below, the nearest first."""
        if not self._others:
            last = len(self._levels)
            self._others = [*range(self._level + 1, last), *reversed(range(self._level))]
        self._trial = _Trial(self._level, self._others[0])
        self._use(self._levels[self._trial.level])

    def _judge(self, trial: "_Trial", rows: int, seconds: float) -> None:
        """The trial's last step, with the present number, was of these rows."""
        is_better = trial.ratio < _GAIN
        del self._others[0]
        if is_better:
            self._level, self._others = trial.there, []
        elif trial.ratio > _LOSS:
            is_upward = trial.there > self._level
            self._others = [each for each in self._others if (each > self._level) != is_upward]
        if not self._others:
            self._wait = _FIRST_WAIT if is_better else min(_LONGEST_WAIT, 2 * self._wait)
            self._spent = 0.0
        self._usual = (rows, seconds * min(1.0, trial.ratio))
        self._trial = None
        self._recent.clear()
        self._use(self.now)


class _Trial:
    """Steps with another number of threads and with the present one, in turn.

    What counts is how long each took beside its neighbour, so that whatever else changes meets both.
    """

    def __init__(self, here: int, there: int) -> None:
        self.there = there
        self._here = here
        self._first: tuple[int, float] | None = None  # of two steps: rows and seconds
        self._ratios: list[float] = []
        self._pairs = 0

    @property
    def level(self) -> int:
        """The one whose turn it is."""
        return self.there if self._first is None else self._here

    @property
    def ratio(self) -> float:
        """How many times as long as now a step takes with the other one."""
        return statistics.median(self._ratios) if self._ratios else 1.0

    @property
    def is_over(self) -> bool:
        """Enough was tried, or enough to see that the other one is no good."""
        if self._first is not None:
            return False
        count = len(self._ratios)
        is_seen = count == _SEEN and min(self._ratios) > _LOSS
        return is_seen or count == _TRIED or self._pairs == _MOST_TRIED

    def note(self, rows: int, seconds: float) -> None:
        """How long the step took whose turn it was; two of unlike rows are not compared."""
        if self._first is None:
            self._first = (rows, seconds)
            return
        self._pairs += 1
        if rows == self._first[0]:
            self._ratios.append(self._first[1] / seconds)
        self._first = None
