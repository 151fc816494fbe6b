"""Chooses the next token of every row at once, each row by its own settings and its own random numbers."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

_FEW, _MORE = 64, 2048  # so many of a row's likeliest tokens are looked at; where they settle nothing, all


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

    @property
    def heat(self) -> float:
        """What logits are divided by."""
        return max(self.temperature, 1e-4)

    @property
    def is_cut(self) -> bool:
        """Whether some tokens are left out, however the row's random number falls."""
        return bool(self.top_k or self.min_p > 0 or self.top_p < 1)


def uniform(seed: int, position: int) -> float:
    """The random number of a position; neighbours and restarts do not change it."""
    digest = hashlib.blake2b(f"{seed}:{position}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def choose(logits: torch.Tensor, draws: Sequence[Draw]) -> list[int | None]:
    """The next token of each row of `logits` `[rows, vocabulary]`; None where they are not finite."""
    logits = logits.float()
    drawn = [row for row, draw in enumerate(draws) if draw.temperature > 0]
    if len(drawn) == len(draws):
        return _drawn(logits, draws)
    tokens = _likeliest(logits)
    if drawn:
        for row, token in zip(drawn, _drawn(logits[drawn], [draws[row] for row in drawn]), strict=True):
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


def _likeliest(logits: torch.Tensor) -> list[int | None]:
    if logits.device.type == "cpu":  # where numpy takes a tenth of the time that PyTorch takes
        values = logits.numpy()
        places = values.argmax(-1)
        best = values[np.arange(len(values)), places]
    else:
        best, places = (part.cpu().numpy() for part in logits.max(-1))
    good = np.isfinite(best).tolist()
    return [token if is_good else None for token, is_good in zip(places.tolist(), good, strict=True)]


def _drawn(logits: torch.Tensor, draws: Sequence[Draw]) -> list[int | None]:
    """Each row's random number points into its tokens, most likely first, without those that are cut off."""
    size = logits.shape[-1]
    found = logits.topk(min(_FEW, size))
    wholes = _wholes(logits, found.values[:, :1], draws)
    best, index = found.values.cpu().numpy(), found.indices.cpu().numpy()
    tokens: list[int | None] = []
    for row, (draw, whole) in enumerate(zip(draws, wholes, strict=True)):
        if not np.isfinite(best[row, 0]):
            tokens.append(None)
            continue
        place = _place(best[row], draw, whole, is_all=best.shape[-1] == size)
        tokens.append(_further(logits[row], draw, whole) if place is None else int(index[row, place]))
    return tokens


def _wholes(logits: torch.Tensor, best: torch.Tensor, draws: Sequence[Draw]) -> list[float]:
    """How many times as likely as its likeliest token a row's tokens are together; 0 where nobody asks.

    `best`: the logits of the likeliest, `[rows, 1]`.
    """
    if all(draw.top_p >= 1 and draw.is_cut for draw in draws):
        return [0.0] * len(draws)
    heats = torch.tensor([draw.heat for draw in draws], device=logits.device)
    wholes: list[float] = ((logits - best) / heats[:, None]).exp_().sum(dim=-1).tolist()
    return wholes


def _further(logits: torch.Tensor, draw: Draw, whole: float) -> int:
    """The token of one row that its likeliest few do not settle."""
    values = logits.cpu().numpy()
    index = np.argpartition(values, -_MORE)[-_MORE:] if len(values) > _MORE else np.arange(len(values))
    while True:
        index = index[np.argsort(-values[index])]
        place = _place(values[index], draw, whole, is_all=len(index) == len(values))
        if place is not None:
            return int(index[place])
        index = np.arange(len(values))


def _place(best: Any, draw: Draw, whole: float, *, is_all: bool) -> int | None:
    """The place in `best`, logits of the likeliest tokens in order, that is drawn; None if it may lie beyond.

    `is_all`: there are no others.
    """
    logs = (best.astype(np.float64) - best[0]) / draw.heat
    mass = np.exp(logs).cumsum()
    seen = len(mass)
    ends = [draw.top_k or seen + 1]  # how many tokens each of the cuts leaves, as far as they are seen
    if draw.min_p > 0:
        likely = int((logs >= math.log(draw.min_p)).sum())
        ends.append(likely if likely < seen else seen + 1)
    if draw.top_p < 1:
        ends.append(int(mass.searchsorted(draw.top_p * whole)) + 1)
    end = min(ends)
    if end > seen and not is_all:
        place = int(mass.searchsorted(draw.uniform * whole, side="right"))
        return None if draw.is_cut or place == seen else place
    end = min(end, seen)
    return min(int(mass[:end].searchsorted(draw.uniform * mass[end - 1], side="right")), end - 1)
