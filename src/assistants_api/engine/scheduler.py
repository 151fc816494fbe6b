"""One step of the step loop: admit, prefill a little, decode all rows at once, sample, tell."""

import time
from collections import deque
from itertools import islice
from typing import Any

import torch

from assistants_api.domain.prompt import Part
from assistants_api.engine.attention import runs_of
from assistants_api.engine.batch import alike, chosen, side_by_side
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.kv import KvBlock
from assistants_api.engine.measures import Measures
from assistants_api.engine.memory import Memory
from assistants_api.engine.messages import Delta, Refused
from assistants_api.engine.model import Model
from assistants_api.engine.rows import Row
from assistants_api.engine.threads import Threads

_LEAST_CHUNK = 32
_LEAST_STALL = 0.01
_LONGEST_STALL = 0.5  # seconds, beside fewer rows than are read
_STEPS_STALLED = 2.0  # decode steps that a chunk may last
_LONGEST_CHUNK = 10.0  # seconds, beside nobody: a step that takes too long would be taken for hung
_GROWTH = 64  # tokens that every row may still get before room is looked for again
_FREE_TOKENS = {"cpu": 16, "cuda": 128}  # that a step reads in about the time of one
_AGEING = 200.0  # tokens by which a waiting prompt counts as shorter, per second


class Scheduler:
    """Rows in the block decode together: row `i` of the block is `self._rows[i]`."""

    def __init__(self, model: Model, config: EngineConfig) -> None:
        self._model = model
        self._config = config
        self._waiting: deque[Row] = deque()
        self._filling: list[Row] = []
        self._memory = Memory(model, config)
        self._rows = self._memory.rows
        self._prefill_rate = model.read_rate
        self._decode_rate = self._decode_time = 0.0
        self._steps = self._generated = self._reused = self._read = 0
        self._free_tokens = _FREE_TOKENS.get(model.device.type, 16)
        self._drafted_tokens = self._accepted_tokens = self._paused = 0
        self._measures = Measures()
        self._step_time = 0.0
        self._first_token = 0.0
        self._threads = Threads.of(model, config)

    @property
    def is_idle(self) -> bool:
        """Nothing to do until the next turn is submitted."""
        return not (self._waiting or self._filling or self._rows)

    @property
    def is_reading(self) -> bool:
        """Whether the next step reads some of a prompt, which takes its time."""
        return bool(self._waiting or self._filling)

    def submit(self, row: Row) -> None:
        """A new turn, in its place in the queue."""
        self._waiting.append(row)

    def cancel(self, turn: int) -> None:
        """The turn's row is free from here on, whatever state it was in."""
        for row in [row for row in self._waiting if row.turn == turn]:
            self._waiting.remove(row)
        for row in [row for row in self._filling if row.turn == turn]:
            self._filling.remove(row)
            if row.staging is not None:
                self._memory.keep(row, row.staging, 0)
        for place in [place for place, row in enumerate(self._rows) if row.turn == turn]:
            self._memory.keep(self._rows[place], self._memory.block, place)
            self._memory.leave(place)

    def details(self) -> dict[str, Any]:
        """Numbers for `describe`."""
        return {
            "active_rows": len(self._rows) + len(self._filling),
            "waiting_rows": len(self._waiting),
            "steps": self._steps,
            "step_seconds": round(self._step_time, 5),
            "tokens_per_second": round(self._decode_rate, 1),
            "first_token_seconds": round(self._first_token, 5),
            "generated_tokens": self._generated,
            "read_tokens": self._read,
            "reused_tokens": self._reused,
            "drafted_tokens": self._drafted_tokens,
            "accepted_tokens": self._accepted_tokens,
            "paused_rows": self._paused,
            "threads": self._threads.now,
            **self._memory.details(),
            "measures": self._measures.told(),
        }

    def step(self) -> list[Delta | Refused]:
        """One step for every row."""
        told: list[Delta | Refused] = []
        began = time.monotonic()
        self._admit(told)
        self._prefill(told)
        self._decode(told)
        self._steps += 1
        self._step_time += 0.1 * (time.monotonic() - began - self._step_time)
        return told

    def _admit(self, told: list[Delta | Refused]) -> None:
        for row in list(islice(self._waiting, 2 * self._config.max_rows)):
            if len(self._rows) + len(self._filling) >= self._config.max_rows:
                return
            if self._memory.will_know_more(row, self._filling):
                continue
            if not self._memory.has_room_for([*self._rows, *self._filling, row], _GROWTH):
                return
            self._waiting.remove(row)
            if not row.is_started:
                self._measures.queue_wait.note(time.monotonic() - row.arrived)
            if row.is_over():
                told.append(Delta(row.turn, (), (row.start(), *row.finish())))
                continue
            row.staging, shared = self._memory.opened(row, self._filling)
            # The last token is always computed: its logits are what we are after.
            row.filled = min(shared, len(row.ids) - 1)
            self._reused += row.filled
            self._filling.append(row)
            if not row.is_started:  # one that has paused goes on
                row.cached = min(row.filled, row.asked)
                told.append(Delta(row.turn, (), (row.start(),)))

    def _pause(self) -> None:
        """The youngest row forgets its state and waits; what it has said is read again later."""
        row = max((*self._rows, *self._filling), key=lambda row: row.arrived)
        if row in self._filling:
            self._filling.remove(row)
        else:
            self._memory.leave(self._rows.index(row))
        row.staging, row.filled = None, 0
        self._waiting.appendleft(row)
        self._paused += 1

    def _prefill(self, told: list[Delta | Refused]) -> None:
        """Prompts are read in chunks that keep the others waiting no longer than the stall budget.

        Rows that decode see no gap of more than a few steps: a small model's steps are short, and so are the
        chunks beside them. Where more rows wait for their first token than decode, the gaps are as many times
        longer: they keep fewer waiting than they serve.
        """
        budget = min(self._config.stall_budget, max(_LEAST_STALL, _STEPS_STALLED * self._decode_time))
        if 0 < len(self._rows) < len(self._filling):
            budget = min(_LONGEST_STALL, budget * len(self._filling) / len(self._rows))
        began = time.monotonic()
        while self._filling:
            now = time.monotonic()
            order = sorted(self._filling, key=lambda r: r.unread - _AGEING * (now - r.arrived))
            size = self._chunk(budget - (now - began))
            group = alike(order, size)
            is_through = len(group) > 1 and self._together(group, told)
            if not is_through and (is_through := self._one_chunk(order[0], size, told)):
                self._filling.remove(order[0])
            if not is_through or time.monotonic() >= began + budget / 2:
                return

    def _chunk(self, seconds: float) -> int:
        """How many tokens may be read at once: those of so many seconds, if others wait."""
        seconds = seconds if self._rows else _LONGEST_CHUNK
        return min(self._config.prefill_chunk, max(_LEAST_CHUNK, int(self._prefill_rate * seconds)))

    def _together(self, group: list[Row], told: list[Delta | Refused]) -> bool:
        """Reads several short prompts to their ends in one forward; False when that failed.

        All rows are as long as the longest: a shorter one reads its first new token again, at the same
        place, which changes nothing.
        """
        longest = max(row.unread for row in group)
        block = KvBlock(self._model.layers, rows=len(group), length=max(len(row.ids) for row in group) + 1)
        places = [[row.filled + max(0, n - longest + row.unread) for n in range(longest)] for row in group]
        began = time.monotonic()
        try:
            for number, row in enumerate(group):
                if row.filled and row.staging is not None:
                    block.put(number, row.staging.share(0, row.filled), row.filled)
            ids = [[row.ids[place] for place in own] for row, own in zip(group, places, strict=True)]
            tokens = chosen(self._forward(block, 0, ids, places), group)
        except Exception:
            self._memory.parked.clear()
            return False
        self._note_rate(sum(row.unread for row in group), began)
        for number, (row, token) in enumerate(zip(group, tokens, strict=True)):
            self._filling.remove(row)
            self._read += row.unread
            row.filled = len(row.ids)
            self._is_read(row, block, number, token, told)
        self._sweep()
        return True

    def _one_chunk(self, row: Row, size: int, told: list[Delta | Refused]) -> bool:
        """Reads a chunk of a prompt; True when the row is through (or out)."""
        assert row.staging is not None
        ids = row.ids[row.filled : row.filled + size]
        began = time.monotonic()
        try:
            logits = self._forward(row.staging, 0, [ids], [list(range(row.filled, row.filled + len(ids)))])
            token = chosen(logits, [row])[0]
        except Exception as error:
            told.append(row.failure(error))
            return True
        row.filled += len(ids)
        self._read += len(ids)
        self._note_rate(len(ids), began)
        if row.unread:
            return False
        self._is_read(row, row.staging, 0, token, told)
        self._sweep()
        return True

    def _note_rate(self, tokens: int, began: float) -> None:
        rate = tokens / max(1e-6, time.monotonic() - began)
        self._prefill_rate += 0.5 * (rate - self._prefill_rate)

    def _is_read(
        self, row: Row, block: KvBlock, number: int, token: int | None, told: list[Delta | Refused]
    ) -> None:
        """The prompt, in row `number` of `block`, is through: its row joins, and says its first token."""
        is_alone = not self._rows and self._filling == [row]
        if not self._memory.joins(row, block, number, is_alone=is_alone):
            told.append(row.failure(MemoryError("there is no memory for its state")))
            return
        if row.said_at is None:
            waited = time.monotonic() - row.arrived
            self._first_token = 0.8 * (self._first_token or waited) + 0.2 * waited
        row.said_at = self._measures.token(row.arrived, row.said_at)
        self._said(row, token, told)

    def _decode(self, told: list[Delta | Refused]) -> None:
        """Every row says its next token, and those behind it for as long as they are what was guessed."""
        rows = self._going_on(told)
        if not rows:
            return
        began, before = time.monotonic(), self._generated
        drafts = self._drafted(rows)
        width = 1 + max(map(len, drafts))
        ids, places = side_by_side(rows, drafts, width)
        self._measures.batch_rows.note(len(rows))
        spots = [(place + 1) * width - 1 - len(draft) for place, draft in enumerate(drafts)]
        going, right = list(range(len(rows))), [0] * len(rows)
        logits: torch.Tensor | None = None
        while going:
            speaking = [rows[place] for place in going]
            try:
                if logits is None:
                    logits = self._forward(self._memory.block, 0, ids, places, width)
                own = logits if width == 1 else logits[[spots[place] + right[place] for place in going]]
                tokens = chosen(own, speaking)
            except Exception:
                self._memory.parked.clear()
                tokens, drafts = self._one_by_one(rows, going, told), [[] for _ in rows]
            for row, token in zip(speaking, tokens, strict=True):
                self._next(row, token, told)
            going = [
                place
                for place, token in zip(going, tokens, strict=True)
                if rows[place].end is None and drafts[place][right[place] : right[place] + 1] == [token]
            ]
            for place in going:
                right[place] += 1
        self._judge(rows, drafts, right)
        self._sweep()
        spent = time.monotonic() - began
        self._decode_time += 0.2 * (spent - self._decode_time) if self._decode_time else spent
        if width == 1:
            self._threads.stepped(len(rows), spent)
        rate = (self._generated - before) / max(1e-6, spent)
        self._decode_rate += 0.1 * (rate - self._decode_rate)

    def _going_on(self, told: list[Delta | Refused]) -> list[Row]:
        """The rows of the next step: all of them, or without the youngest ones where memory runs out."""
        growth = 1 + self._config.draft_tokens
        while self._rows:
            longest = max(len(row.ids) for row in self._rows)
            everybody = [*self._rows, *self._filling]
            if self._memory.has_room_for(everybody, growth) and self._memory.grows(
                len(self._rows), longest + growth
            ):
                break
            if len(everybody) > 1:
                self._pause()
                continue
            told.append(self._rows[0].failure(MemoryError("there is no memory for its state")))
            self._memory.leave(0)
        return list(self._rows)

    def _drafted(self, rows: list[Row]) -> list[list[int]]:
        """What each row may say next, as far as it is guessed, and checking it costs next to nothing.

        Rows of unlike length look at their own places only in steps of one token, which saves more.
        """
        most = min(self._config.draft_tokens, self._free_tokens // len(rows) - 1)
        if runs_of([len(row.ids) for row in rows]):
            most = 0
        return [row.guess(min(most, row.room - 1)) if most > 0 else [] for row in rows]

    def _judge(self, rows: list[Row], drafts: list[list[int]], right: list[int]) -> None:
        for row, draft, count in zip(rows, drafts, right, strict=True):
            if draft:
                row.judge(len(draft), count)
                self._drafted_tokens += len(draft)
                self._accepted_tokens += count

    def _next(self, row: Row, token: int | None, told: list[Delta | Refused]) -> None:
        """What the row has read is all that it has said so far; now it says this."""
        row.filled = len(row.ids)
        row.said_at = self._measures.token(row.arrived, row.said_at)
        if row.end is None:
            self._said(row, token, told)

    def _one_by_one(
        self, rows: list[Row], places: list[int], told: list[Delta | Refused]
    ) -> list[int | None]:
        """The step again for each row in these places alone, so that only the guilty one fails."""
        tokens: list[int | None] = []
        for place in places:
            row = rows[place]
            try:
                logits = self._forward(self._memory.block, place, [[row.ids[-1]]], [[len(row.ids) - 1]])
                tokens.append(chosen(logits, [row])[0])
            except Exception as error:
                told.append(row.failure(error))
                row.end = "failed"
                tokens.append(None)
        return tokens

    def _said(self, row: Row, token: int | None, told: list[Delta | Refused]) -> None:
        if token is None:
            told.append(row.failure(ArithmeticError("the model's numbers are not finite")))
            row.end = "failed"
            return
        self._generated += 1
        try:
            parts: list[Part] = row.say(token)
        except Exception as error:
            told.append(row.failure(error))
            row.end = "failed"
            return
        if parts:
            told.append(Delta(row.turn, row.fresh(), tuple(parts)))

    def _sweep(self) -> None:
        """Rows that have ended make room; what they have read is kept for the next turn of their thread."""
        for place in range(len(self._rows) - 1, -1, -1):
            row = self._rows[place]
            if row.end is None:
                continue
            if row.end != "failed":
                self._memory.keep(row, self._memory.block, place)
            self._memory.leave(place)

    def _forward(
        self, block: KvBlock, first: int, ids: list[list[int]], places: list[list[int]], keep: int = 1
    ) -> torch.Tensor:
        device = self._model.device
        return self._model.forward(
            block, first, torch.tensor(ids, device=device), torch.tensor(places, device=device), keep
        )
