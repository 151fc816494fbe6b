"""Chooses the next token of every row at once, each row by its own settings and its own random numbers."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

_CANDIDATES = 256


@dataclass(frozen=True, slots=True)
class Draw:
    """How one row's next token is chosen; `uniform` is its random number in [0, 1).

    `top_k` (0 for none) and `min_p` are asked for, or else the model's own from its generation config.
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


def weigh(
    logits: torch.Tensor,
    said: Mapping[int, int],
    frequency: float,
    presence: float,
    bias: Sequence[tuple[int, float]],
) -> None:
    """Changes one row of `logits` `[vocabulary]` in place by its penalties and its bias.

    `said` counts the tokens that the answer has. A token loses `frequency` for each time and `presence` once.
    """
    if said and (frequency or presence):
        tokens = torch.tensor(list(said), device=logits.device)
        counts = torch.tensor(list(said.values()), dtype=logits.dtype, device=logits.device)
        logits[tokens] -= counts * frequency + presence
    if bias:
        tokens = torch.tensor([token for token, _ in bias], device=logits.device)
        logits[tokens] += torch.tensor([by for _, by in bias], dtype=logits.dtype, device=logits.device)


def confine(logits: torch.Tensor, allowed: Sequence[bytes | None]) -> None:
    """Bars in `logits` `[rows, vocabulary]`, in place, the tokens that a row is not allowed.

    `allowed` has a bit for each token, the first one lowest; None where any may come.
    """
    held = [(row, bits) for row, bits in enumerate(allowed) if bits is not None]
    if not held:
        return
    rows = [row for row, _ in held]
    packed = np.frombuffer(b"".join(bits for _, bits in held), dtype=np.uint8).reshape(len(held), -1)
    bits = np.unpackbits(packed, axis=1, count=logits.shape[1], bitorder="little")
    barred = torch.from_numpy(bits == 0).to(logits.device)
    if len(rows) == len(logits):
        logits.masked_fill_(barred, float("-inf"))
    else:
        logits[rows] = logits[rows].masked_fill(barred, float("-inf"))


def logprobs(logits: torch.Tensor, token: int, top: int) -> tuple[float, list[tuple[int, float]]]:
    """The natural log probability of `token` by `logits` `[vocabulary]`, and those of the `top` likeliest."""
    logs = torch.log_softmax(logits.float(), dim=-1)
    best, index = logs.topk(min(top, len(logs)))
    return float(logs[token]), list(zip(index.tolist(), best.tolist(), strict=True))


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
    is_short = (end == last) & torch.where(
        top_p < 1, mass[:, -1:] < top_p, (random >= mass[:, -1:]) | _reaches_beyond(best, draws)
    )
    place = torch.minimum((mass <= random * kept).sum(dim=-1, keepdim=True), end)
    tokens: list[int] = index.gather(-1, place).squeeze(-1).tolist()
    if best.shape[-1] < scaled.shape[-1]:
        for row in is_short.squeeze(-1).nonzero().squeeze(-1).tolist():
            tokens[row] = _beyond(scaled[row] - total[row], draws[row])
    return tokens


def _own_end(best: torch.Tensor, draws: Sequence[Draw]) -> torch.Tensor:
    """The last of the likeliest tokens that `top_k` and `min_p` leave."""
    if not any(draw.top_k or draw.min_p for draw in draws):
        return torch.full((len(draws), 1), best.shape[-1], device=best.device)
    most = torch.tensor([draw.top_k or best.shape[-1] + 1 for draw in draws], device=best.device)[:, None]
    least = torch.tensor([math.log(max(draw.min_p, 1e-30)) for draw in draws], device=best.device)[:, None]
    return torch.minimum(most, (best - best[:, :1] >= least).sum(dim=-1, keepdim=True)) - 1


def _reaches_beyond(best: torch.Tensor, draws: Sequence[Draw]) -> torch.Tensor:
    """Rows whose `top_k` or `min_p` may leave more tokens than those that were looked at."""
    width = best.shape[-1]
    floors = [math.log(draw.min_p) if draw.min_p > 0 else math.inf for draw in draws]
    least = torch.tensor(floors, device=best.device)[:, None]
    many = torch.tensor([draw.top_k > width for draw in draws], device=best.device)[:, None]
    few = torch.tensor([0 < draw.top_k <= width for draw in draws], device=best.device)[:, None]
    return (many | (best[:, -1:] - best[:, :1] >= least)) & ~few


def _beyond(logs: torch.Tensor, draw: Draw) -> int:
    """The same over the whole vocabulary, for the few rows that the likeliest tokens do not settle."""
    order = logs.argsort(descending=True)
    sorted_logs = logs[order]
    mass = torch.exp(sorted_logs).double().cumsum(dim=-1)
    end = len(mass) - 1
    if draw.top_k:
        end = min(end, draw.top_k - 1)
    if draw.min_p > 0:
        end = min(end, int((sorted_logs - sorted_logs[0] >= math.log(draw.min_p)).sum()) - 1)
    if draw.top_p < 1:
        end = min(end, int((mass < draw.top_p).sum()))
    return int(order[min(end, int((mass <= draw.uniform * float(mass[end])).sum()))])
