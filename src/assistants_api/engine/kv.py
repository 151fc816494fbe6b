"""Attention state of rows in one contiguous block: `[rows, kv heads, length, head size]` per layer.

A row is one answer that is being written. Rows that step together need no gather, because the rows in use
are always the first ones. The block grows, in rows and in length, when it must; on CPUs its short rows take
no more memory than they need (see `pages`).
"""

from typing import Any

import torch
from transformers import Cache

from assistants_api.engine import pages
from assistants_api.engine.attention import Run, runs_of

_ROUND = 64
_ROWS = 8  # by which a block grows that takes memory by need
_SPARE = 256  # tokens for which a row of its own has room beyond those it holds, likewise
_WORTH_GIVING_BACK = 16 << 20  # bytes of a row
Layers = list[tuple[torch.Tensor, torch.Tensor]]  # keys and values, each [kv heads, length, head size]


class KvBlock(Cache):
    """A `Cache` for transformers whose rows stand at positions of their own.

    Before a forward, `aim` says which rows take part, at which positions their new tokens lie, and how
    much of the length is looked at.
    """

    def __init__(self, layers: int, *, rows: int, length: int, token_bytes: int = 0) -> None:
        super().__init__(layers=[])
        self._told_bytes, self._own_bytes = token_bytes, 0
        self._is_paged = True
        self._count = layers
        self.rows = rows
        self.length = _rounded(length)
        self._keys: list[torch.Tensor | None] = [None] * layers
        self._values: list[torch.Tensor | None] = [None] * layers
        self._written = [0] * rows  # places of each row that may hold something
        self._first = 0
        self._positions = torch.zeros((1, 1), dtype=torch.long)
        self._index = torch.zeros((1, 1), dtype=torch.long)
        self._seen = 0
        self.rows_aimed = 0  # in the present forward
        self.last = 0  # the furthest position of the present forward
        self.runs: tuple[Run, ...] = ()  # rows of like length in the present forward, where that pays

    def aim(self, first: int, positions: torch.Tensor) -> torch.Tensor:
        """The next forward is of the rows from `first` on; returns what each token may look at.

        `positions` is `[rows, tokens]`; the answer is a mask `[rows, 1, tokens, seen]`.
        """
        self._first = first
        self._positions = positions
        self.rows_aimed = rows = positions.shape[0]
        self._index = torch.arange(rows, device=positions.device)[:, None]
        ends = [own + 1 for own in positions[:, -1].tolist()]
        for row, end in enumerate(ends, first):
            self._written[row] = max(self._written[row], end)
        self.last = max(ends) - 1
        self._seen = min(_rounded(self.last + 1), self.length)
        is_step = rows > 1 and positions.shape[1] == 1
        self.runs = runs_of([min(_rounded(end), self.length) for end in ends]) if is_step else ()
        seen = torch.arange(self._seen, device=positions.device)
        return (seen[None, None, None, :] <= positions[:, None, :, None]).contiguous()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes the new tokens' state in place, and gives back what the mask of `aim` covers."""
        keys, values = self._layer(layer_idx, key_states, value_states)
        rows = key_states.shape[0]
        keys, values = keys[self._first : self._first + rows], values[self._first : self._first + rows]
        if rows == 1:
            start, end = self.last + 1 - key_states.shape[2], self.last + 1
            keys[:, :, start:end] = key_states
            values[:, :, start:end] = value_states
        else:
            keys[self._index, :, self._positions] = key_states.transpose(1, 2)
            values[self._index, :, self._positions] = value_states.transpose(1, 2)
        keys, values = keys[:, :, : self._seen], values[:, :, : self._seen]
        keys.runs = self.runs  # type: ignore[attr-defined]  # for `attend`
        return keys, values

    def views(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Keys and values that the present forward sees, of a block that holds something."""
        pairs = self._pairs()
        rows = slice(self._first, self._first + self.rows_aimed)
        return [k[rows, :, : self._seen] for k, _ in pairs], [v[rows, :, : self._seen] for _, v in pairs]

    def get_seq_length(self, *_: Any, **__: Any) -> int:
        """How far the present forward sees, before its own tokens."""
        return int(self._positions[0, 0])

    def get_mask_sizes(self, *_: Any, **__: Any) -> tuple[int, int]:
        """The length of the state that the mask covers, and where it starts."""
        return self._seen, 0

    def __len__(self) -> int:
        return self._count

    def grow(self, *, rows: int, length: int) -> None:
        """Makes room for at least so many rows, which are all that are in use, of at least this length."""
        wanted = self._grown(rows, length)
        if wanted == (self.rows, self.length):
            return
        for layer in range(self._count):
            self._keys[layer] = self._enlarged(self._keys[layer], *wanted)
            self._values[layer] = self._enlarged(self._values[layer], *wanted)
        self._written = [*self._written, *[0] * (wanted[0] - self.rows)][: wanted[0]]
        self.rows, self.length = wanted

    def _grown(self, rows: int, length: int) -> tuple[int, int]:
        """Rows and length of a block that has room for these.

        Where every place takes memory, longer rows are only those in use.
        """
        if length > self.length:
            longer = _rounded(max(length, self.length + self.length // 2))
            return (max(rows, self.rows) if self._is_paged else rows), longer
        if rows <= self.rows:
            return self.rows, self.length
        most = self.rows + _ROWS if self._is_paged else min(2 * self.rows, rows + 8)
        return max(rows, most), self.length

    def _enlarged(self, tensor: torch.Tensor | None, rows: int, length: int) -> torch.Tensor | None:
        if tensor is None:
            return None
        larger = pages.zeros((rows, tensor.shape[1], length, tensor.shape[3]), tensor)
        if pages.can_hold(larger):
            for row, end in enumerate(self._written[:rows]):
                larger[row, :, :end] = tensor[row, :, :end]
        else:
            held = min(rows, self.rows)
            larger[:held, :, : self.length] = tensor[:held, :, : self.length]
        return larger

    def take(self, row: int, length: int) -> "KvBlock":
        """A block of one row: a copy of the first `length` positions of this one."""
        taken = KvBlock(self._count, rows=1, length=length + (_SPARE if self._is_paged else 0))
        taken.put(0, self.share(row, length), length)
        return taken

    def share(self, row: int, length: int) -> Layers:
        """Keys and values of the first `length` positions of a row, without a copy."""
        return [(keys[row, :, :length], values[row, :, :length]) for keys, values in self._pairs()]

    def put(self, row: int, shared: Layers, length: int) -> None:
        """Fills the first `length` positions of a row."""
        self._written[row] = max(self._written[row], length)
        for layer, (key, value) in enumerate(shared):
            keys, values = self._layer(layer, key[None], value[None])
            keys[row, :, :length] = key[:, :length]
            values[row, :, :length] = value[:, :length]

    def move(self, source: int, target: int, length: int) -> None:
        """Copies the first `length` positions of one row over another."""
        if source != target:
            self._written[target] = max(self._written[target], length)
            for keys, values in self._pairs():
                keys[target, :, :length] = keys[source, :, :length]
                values[target, :, :length] = values[source, :, :length]

    def vacate(self, row: int) -> None:
        """Nobody needs what the row holds; where it is much, its memory becomes the system's."""
        if self._written[row] * self.token_bytes >= _WORTH_GIVING_BACK and all(
            pages.give_back(tensor, row) for pair in self._pairs() for tensor in pair
        ):
            self._written[row] = 0

    @property
    def token_bytes(self) -> int:
        """Memory for a token's state in all layers; as it was told, before anything was written."""
        return self._own_bytes or self._told_bytes

    def bytes(self) -> int:
        """Memory held."""
        return self._needed(self._written, self.rows, self.length) if self._own_bytes else 0

    def bytes_for(self, lengths: list[int]) -> int:
        """The memory that it would hold with rows of so many tokens, and no others."""
        return self._needed(lengths, *self._grown(len(lengths), max(lengths)))

    def _needed(self, lengths: list[int], rows: int, length: int) -> int:
        return self.token_bytes * (sum(map(_rounded, lengths)) if self._is_paged else rows * length)

    def _pairs(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        pairs = zip(self._keys, self._values, strict=True)
        return [(keys, values) for keys, values in pairs if keys is not None and values is not None]

    def _layer(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = self._keys[layer], self._values[layer]
        if keys is None or values is None:
            keys = pages.zeros((self.rows, key.shape[1], self.length, key.shape[3]), key)
            values = pages.zeros((self.rows, value.shape[1], self.length, value.shape[3]), value)
            self._keys[layer], self._values[layer] = keys, values
            self._own_bytes += (keys.nbytes + values.nbytes) // (self.rows * self.length)
            self._is_paged = pages.can_hold(keys)
        return keys, values


def _rounded(length: int) -> int:
    return -(-length // _ROUND) * _ROUND
