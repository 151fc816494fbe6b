"""The precision of training's products: bfloat16 where the machine multiplies it in hardware, else float32.

A processor without bf16 units takes fifteen to fifty times as long for a product in bfloat16 as for one in float32.
"""

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor

from assistants_api.engine.machine import has_quick_bf16

COMPUTE = torch.bfloat16 if torch.cuda.is_available() or has_quick_bf16() else torch.float32


class Muon(torch.optim.Muon):
    """`torch.optim.Muon`, which multiplies in bfloat16 on every machine, in `COMPUTE`; matrices of one shape at once.

    Rates are matched to AdamW's (`match_rms_adamw`; Liu et al. 2025, "Muon is Scalable for LLM Training").
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; a closure is not called."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[torch.nn.Parameter]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for shape, matrices in alike.items():
                updates = torch.stack([self._pushed(matrix, group["momentum"]) for matrix in matrices])
                for matrix, update in zip(matrices, orthogonal(updates.to(COMPUTE)), strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(update, alpha=-group["lr"] * 0.2 * max(shape) ** 0.5)

    def _pushed(self, matrix: torch.nn.Parameter, momentum: float) -> Tensor:
        """The gradient with its momentum, as Nesterov has it."""
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        mean = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(mean, momentum)


def orthogonal(matrices: Tensor) -> Tensor:
    """Near-orthogonal matrices of the same row and column spaces, (n, rows, columns): five Newton-Schulz steps."""
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonal(matrices.mT).mT
    x = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x
