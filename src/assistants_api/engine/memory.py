"""Where rows keep their attention state: the block in which they decode, and what waits for a next turn."""

import logging
from collections.abc import Callable
from typing import Any

from assistants_api.engine import machine
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.kv import KvBlock
from assistants_api.engine.model import Model
from assistants_api.engine.parked import Known, Parked, common_beginning
from assistants_api.engine.rows import Row

log = logging.getLogger(__name__)

_KEPT_KV = 64 << 20  # in a block without rows
_WORTH_KEEPING = 32  # tokens
_WORTH_WAITING = 64
_REFUSED = (MemoryError, OSError, RuntimeError)  # as torch and the system say it
_ANSWER = 256  # tokens of an answer for which there is room behind its prompt


class Memory:
    """Row `i` of `block` is `rows[i]`; what is `parked` makes room for them."""

    def __init__(self, model: Model, config: EngineConfig) -> None:
        self._model = model
        self.rows: list[Row] = []
        self.block = self._empty()
        self._limit = config.kv_bytes or machine.room_for_state()
        self.parked = Parked(int(self._limit * config.parked_share))

    def details(self) -> dict[str, Any]:
        """Numbers for `describe`."""
        return {
            "kv_bytes": self.block.bytes(),
            "kv_limit": self._limit,
            "parked_rows": len(self.parked),
            "parked_bytes": self.parked.bytes,
        }

    def opened(self, row: Row, filling: list[Row]) -> tuple[KvBlock, int]:
        """A block for the row's prompt, and how many of its tokens are known.

        What was kept for a thread that goes on is its block now; what another one has is copied. Where the
        memory for that is refused, nothing is known.
        """
        length = len(row.ids) + 1 + min(row.room, _ANSWER)
        if known := self._known(row.ids, filling):
            try:
                return self._begun(known, length), known.shared
            except _REFUSED:
                self.parked.clear()
        return KvBlock(self._model.layers, rows=1, length=length), 0

    def _begun(self, known: Known, length: int) -> KvBlock:
        if known.parked and len(known.parked) - known.shared < _WORTH_KEEPING:
            block = self.parked.take(known.parked)
            block.grow(rows=1, length=length)
        else:
            block = KvBlock(self._model.layers, rows=1, length=length)
            block.put(0, known.block.share(known.row, known.shared), known.shared)
        return block

    def will_know_more(self, row: Row, filling: list[Row]) -> bool:
        """Whether a prompt that begins alike is being read just now, so that waiting for it saves much."""
        for other in filling:
            if other.ids[:_WORTH_WAITING] != row.ids[:_WORTH_WAITING]:
                continue
            shared = min(common_beginning(other.ids, row.ids), len(row.ids) - 1)
            if shared <= other.filled or shared < _WORTH_WAITING:
                continue
            if row.known is None:
                known = self._known(row.ids, [])
                row.known = known.shared if known else 0
            if shared - row.known >= _WORTH_WAITING:
                return True
        return False

    def _known(self, ids: list[int], filling: list[Row]) -> Known | None:
        """Who holds the longest beginning of these: one that has ended, rather than one that still speaks."""
        found = [
            Known(block, place, common_beginning(row.ids[: row.filled], ids))
            for block, place, row in (
                *((self.block, place, row) for place, row in enumerate(self.rows)),
                *((row.staging, 0, row) for row in filling if row.staging is not None),
            )
        ]
        if parked := self.parked.find(ids):
            found.insert(0, parked)
        return max(found, key=lambda known: known.shared, default=None)

    def has_room_for(self, rows: list[Row], growth: int) -> bool:
        """Whether these rows, each with so many more tokens, stay within the limit; a lone row always may.

        Rows whose prompts are not read yet are held twice when they join. What is parked makes room.
        """
        if len(rows) < 2:
            return True
        per_token = self.block.token_bytes
        unread = sum(len(row.ids) for row in rows if row not in self.rows)
        wanted = self.block.bytes_for([len(row.ids) + growth for row in rows]) + per_token * unread
        if wanted > self._limit and wanted > self.block.bytes():
            return False
        self.parked.shrink(max(0, self._limit - wanted))
        return True

    def joins(self, row: Row, block: KvBlock, number: int, *, is_alone: bool) -> bool:
        """The row, number `number` of `block`, takes its place among those that decode.

        False where there is no memory for it. `is_alone`: its block may be the one of all.
        """
        if block is row.staging and is_alone:
            self.block, row.staging = block, None
            self.rows.append(row)
            return True
        place = len(self.rows)
        longest = max([len(row.ids), *(len(one.ids) for one in self.rows)])
        if not self.grows(place + 1, longest + 1):
            return False
        if not self._gets(lambda: self.block.put(place, block.share(number, row.filled), row.filled)):
            return False
        row.staging = None
        self.rows.append(row)
        return True

    def grows(self, rows: int, length: int) -> bool:
        """Room in the block; False where the memory is refused though nothing is parked any more."""
        return self._gets(lambda: self.block.grow(rows=rows, length=length))

    def _gets(self, memory: Callable[[], None]) -> bool:
        """Whether there was memory for that, once nothing is parked any more."""
        for _ in range(2):
            try:
                memory()
            except _REFUSED as error:
                refused = " ".join(str(error).split())[:200]
                self.parked.clear()
            else:
                return True
        log.warning("attention state was refused its memory: %s", refused)
        return False

    def keep(self, row: Row, block: KvBlock, place: int) -> None:
        """What the row in this place has read stays for the next turn of its thread.

        Where the memory for a copy is refused, nothing is kept: others need it more.
        """
        if row.filled <= _WORTH_KEEPING:
            return
        try:
            kept = block if block.rows == 1 else block.take(place, row.filled)
        except _REFUSED:
            self.parked.clear()
            return
        if kept is self.block:
            self.block = self._empty()
        self.parked.keep(tuple(row.ids[: row.filled]), kept)

    def leave(self, place: int) -> None:
        """The last row moves into the gap, so that the rows in use stay the first ones."""
        last = self.rows.pop()
        if place < len(self.rows):
            self.block.move(len(self.rows), place, last.filled)
            self.rows[place] = last
        self.block.vacate(len(self.rows))
        if not self.rows and self.block.bytes() > _KEPT_KV:
            self.block = self._empty()

    def _empty(self) -> KvBlock:
        return KvBlock(self._model.layers, rows=1, length=256, token_bytes=self._model.token_bytes)
