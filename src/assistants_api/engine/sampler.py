"""Chooses the next token of every row at once, each row by its own settings and its own random numbers."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

_CANDIDATES = 256


@dataclass(frozen=True, slots=True)
class Draw:
    """How one row's next token is chosen; `uniform` is its random number in [0, 1).

    `top_k` (0 for none) and `min_p` are no fields of the API: they are the model's own, from its
    generation config.
    """

    temperature: float
    top_p: float
    uniform: float
    top_k: int = 0
    min_p: float = 0.0


def uniform(seed: int, position: int) -> float:
    """The random number of a position; neighbours and restarts do not change it."""
    digest = hashlib.blake2b(f"{seed}:{position}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def choose(logits: torch.Tensor, draws: Sequence[Draw]) -> list[int | None]:
    """The next token of each row of `logits` `[rows, vocabulary]`; None where they are not finite."""
    logits = logits.float()
    greedy = logits.argmax(dim=-1)
    total = torch.logsumexp(logits, dim=-1)
    tokens: list[int | None] = [
        token if good else None
        for token, good in zip(greedy.tolist(), torch.isfinite(total).tolist(), strict=True)
    ]
    drawn = [row for row, draw in enumerate(draws) if draw.temperature > 0 and tokens[row] is not None]
    if drawn:
        rows = torch.tensor(drawn, device=logits.device)
        for row, token in zip(drawn, _drawn(logits[rows], [draws[row] for row in drawn]), strict=True):
            tokens[row] = token
    return tokens


def _drawn(logits: torch.Tensor, draws: Sequence[Draw]) -> list[int]:
    """Each row's random number points into its tokens, most likely first, without the tail beyond `top_p`."""
    device = logits.device
    heat = torch.tensor([max(draw.temperature, 1e-4) for draw in draws], device=device)[:, None]
    top_p = torch.tensor([draw.top_p for draw in draws], dtype=torch.float64, device=device)[:, None]
    random = torch.tensor([draw.uniform for draw in draws], dtype=torch.float64, device=device)[:, None]
    scaled = logits / heat
    total = torch.logsumexp(scaled, dim=-1, keepdim=True)
    best, index = scaled.topk(min(_CANDIDATES, scaled.shape[-1]), dim=-1)
    mass = torch.exp(best - total).double().cumsum(dim=-1)
    last = best.shape[-1] - 1
    end = torch.minimum((mass < top_p).sum(dim=-1, keepdim=True), _own_end(best, draws)).clamp(max=last)
    is_cut = (top_p < 1) | (end < last)
    kept = torch.where(is_cut, mass.gather(-1, end), torch.ones_like(top_p))
    is_short = (end == last) & torch.where(top_p < 1, mass[:, -1:] < top_p, random >= mass[:, -1:])
    place = torch.minimum((mass <= random * kept).sum(dim=-1, keepdim=True), end)
    tokens: list[int] = index.gather(-1, place).squeeze(-1).tolist()
    if best.shape[-1] < scaled.shape[-1]:
        for row in is_short.squeeze(-1).nonzero().squeeze(-1).tolist():
            tokens[row] = _beyond(scaled[row] - total[row], draws[row])
    return tokens


def _own_end(best: torch.Tensor, draws: Sequence[Draw]) -> torch.Tensor:
    """The last of the likeliest tokens that the model's own `top_k` and `min_p` leave."""
    if not any(draw.top_k or draw.min_p for draw in draws):
        return torch.full((len(draws), 1), best.shape[-1], device=best.device)
    most = torch.tensor([draw.top_k or best.shape[-1] + 1 for draw in draws], device=best.device)[:, None]
    least = torch.tensor([math.log(max(draw.min_p, 1e-30)) for draw in draws], device=best.device)[:, None]
    return torch.minimum(most, (best - best[:, :1] >= least).sum(dim=-1, keepdim=True)) - 1


def _beyond(logs: torch.Tensor, draw: Draw) -> int:
    """The same over the whole vocabulary, for the few rows that the likeliest tokens do not settle."""
    order = logs.argsort(descending=True)
    mass = torch.exp(logs[order]).double().cumsum(dim=-1)
    end = len(mass) - 1
    if draw.top_p < 1:
        end = min(end, int((mass < draw.top_p).sum()))
    return int(order[min(end, int((mass <= draw.uniform * float(mass[end])).sum()))])
