"""One decode step as a compiled program, by setting: many small operations become few.

It pays where operations are small: little models, few streams. Two programs are made when the model is loaded
(for one row, for several), which takes a C++ compiler and minutes; later they come from a cache. A step that
says something else than the plain one, or that cannot be made, is not used.
"""

from typing import Any

import torch
from transformers import Cache

_MOST_PROGRAMS = 64  # shapes that would each be compiled anew before torch gives up


class _Views(Cache):
    """The state of the rows in a step, as tensors that a program can take: `[rows, kv heads, seen, size]`."""

    def __init__(
        self,
        keys: list[torch.Tensor],
        values: list[torch.Tensor],
        index: torch.Tensor,
        positions: torch.Tensor,
    ) -> None:
        super().__init__(layers=[])
        self._keys, self._values, self._index, self._positions = keys, values, index, positions

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        keys[self._index, :, self._positions] = key_states.transpose(1, 2)
        values[self._index, :, self._positions] = value_states.transpose(1, 2)
        return keys, values

    def get_seq_length(self, *_: Any, **__: Any) -> int:
        return 0

    def get_mask_sizes(self, *_: Any, **__: Any) -> tuple[int, int]:
        return self._keys[0].shape[2], 0

    def __len__(self) -> int:
        return len(self._keys)


class Step:
    """A decode step of `net`; makes its programs when it is first asked."""

    def __init__(self, net: Any) -> None:
        torch._dynamo.config.cache_size_limit = _MOST_PROGRAMS
        self._net = net
        self._program: Any = torch.compile(self._forward, dynamic=True)

    def _forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        index: torch.Tensor,
        masks: Any,
        keys: list[torch.Tensor],
        values: list[torch.Tensor],
    ) -> torch.Tensor:
        out = self._net(
            input_ids=ids,
            position_ids=positions,
            attention_mask=masks,
            past_key_values=_Views(keys, values, index, positions),
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    def __call__(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        masks: Any,
        views: tuple[list[torch.Tensor], list[torch.Tensor]],
    ) -> torch.Tensor:
        """Logits `[rows, vocabulary]` after one more token of each row; its state is written into `views`."""
        index = torch.arange(ids.shape[0], device=ids.device)[:, None]
        logits: torch.Tensor = self._program(ids, positions, index, masks, *views)
        return logits
