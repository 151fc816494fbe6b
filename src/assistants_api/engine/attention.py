"""Attention over a `KvBlock`, as transformers calls it: PyTorch's kernels, on the state that each row has.

Rows that step together lie in one block as long as the longest. Without more, a row of 300 tokens beside one
of 8,000 would look at 8,000 places of which 7,700 are masked. Neighbouring rows of like length are looked at
in one call instead; nothing is gathered or copied for it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "assistants_sdpa"
_SAVES = 0.7  # share of the work at which several calls are quicker than one
Look = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
Run = tuple[int, int, int]  # first row, row after the last, places that they see


def runs_of(seen: list[int]) -> tuple[Run, ...]:
    """Neighbouring rows of like length, by the places that each row sees; empty where one call is as good."""
    found: list[Run] = []
    for row, places in enumerate(seen):
        if found and _class(found[-1][2]) == _class(places):
            first, _, most = found[-1]
            found[-1] = (first, row + 1, max(most, places))
        else:
            found.append((row, row + 1, places))
    work = sum((end - first) * most for first, end, most in found)
    return tuple(found) if work <= _SAVES * len(seen) * max(seen) else ()


def _class(places: int) -> int:
    return (places - 1).bit_length()


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """`[rows, heads, tokens, size]` to `[rows, tokens, heads, size]`, run by run where the key has runs."""
    runs: tuple[Run, ...] = getattr(key, "runs", ())
    look = partial(at_once, module, options=options)
    return by_runs(runs, look, query, key, value, attention_mask), None


def by_runs(
    runs: tuple[Run, ...],
    look: Look,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """What `look` gives for all rows in one call, or for each run in a call of its own."""
    if not runs or mask is None:
        return look(query, key, value, mask)
    parts = [
        look(
            query[first:end],
            key[first:end, :, :seen],
            value[first:end, :, :seen],
            mask[first:end, ..., :seen],
        )
        for first, end, seen in runs
    ]
    return torch.cat(parts)


def at_once(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    options: dict[str, Any],
) -> torch.Tensor:
    """One call. On CPUs the kernel shares key heads; transformers would copy them for each query head."""
    shares = key.shape[1] < query.shape[1] and mask is not None and query.device.type == "cpu"
    is_plain = options.get("position_bias") is None and options.get("softcap") is None
    if shares and is_plain and (query.shape[2] > 1 or query.dtype == torch.bfloat16):
        out = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=options.get("scaling"), enable_gqa=True
        )
        return out.transpose(1, 2).contiguous()
    found: torch.Tensor = sdpa_attention_forward(module, query, key, value, mask, **options)[0]
    return found


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
