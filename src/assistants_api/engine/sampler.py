"""Chooses the next token of every row at once, each row by its own settings and its own random numbers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

_CANDIDATES = 1024


@dataclass(frozen=True, slots=True)
class Draw:
    """How one row's next token is chosen; `uniform` is its random number in [0, 1)."""

    temperature: float
    top_p: float
    uniform: float


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
    device = logits.device
    heat = torch.tensor([max(draw.temperature, 1e-4) for draw in draws], device=device)[:, None]
    wanted = torch.tensor([draw.top_p for draw in draws], device=device)
    scaled = logits / heat
    total = torch.logsumexp(scaled, dim=-1, keepdim=True)
    best, index = scaled.topk(min(_CANDIDATES, scaled.shape[-1]), dim=-1)
    mass = torch.exp(best - total).double().cumsum(dim=-1)
    is_short = (mass[:, -1] < wanted) & (best.shape[-1] < scaled.shape[-1])
    tokens: list[int] = []
    for row, draw in enumerate(draws):
        if bool(is_short[row]):
            order = scaled[row].argsort(descending=True)
            row_mass = torch.exp(scaled[row][order] - total[row]).double().cumsum(dim=-1)
            tokens.append(int(order[_place(row_mass, draw)]))
        else:
            tokens.append(int(index[row][_place(mass[row], draw)]))
    return tokens


def _place(mass: torch.Tensor, draw: Draw) -> int:
    """Where in a falling order the random number points, after the tail beyond `top_p` is cut off."""
    end = len(mass) - 1
    if draw.top_p < 1:
        end = min(end, int(torch.searchsorted(mass, draw.top_p)))
    aim = draw.uniform * float(mass[end])
    return min(end, int(torch.searchsorted(mass[: end + 1], aim, right=True)))
