"""Linear layers whose weights lie in memory as the processor's matrix kernels want them.

oneDNN reorders a plain bfloat16 weight again in every product. Reordered once at load, a decode step of a
model of half a billion parameters takes two thirds of the time. The operators are what `torch.compile` with
freezing uses; they are no public interface, so each layer is proved against the plain one, and stays plain
where that fails.
"""

import logging
from typing import Any

import torch
from torch import nn

log = logging.getLogger(__name__)

_ROWS = 3  # of the proof
_MOST_ERROR = 0.02


class PackedLinear(nn.Module):
    """`nn.Linear` over a weight `[out, in]` that was reordered; only for inference on CPUs."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.bias = plain.bias
        self._packed = torch.ops.mkldnn._reorder_linear_weight(plain.weight.detach().contiguous())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x @ weight.T + bias`, `[..., in]` to `[..., out]`."""
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return out


def pack(net: nn.Module) -> int:
    """Packs the plain bfloat16 linear layers of a model on a CPU, in place; how many were packed."""
    packed = 0
    with torch.inference_mode(False), torch.no_grad():
        for module in list(net.modules()):
            for name, child in list(module.named_children()):
                if type(child) is not nn.Linear or child.weight.dtype != torch.bfloat16:
                    continue
                if (made := _proved(child)) is None:
                    return packed
                setattr(module, name, made)
                packed += 1
    return packed


def _proved(plain: nn.Linear) -> PackedLinear | None:
    """The layer packed, if it can be and says the same."""
    generator = torch.Generator().manual_seed(1)
    x: Any = torch.randn(_ROWS, plain.in_features, generator=generator).to(torch.bfloat16)
    try:
        made = PackedLinear(plain)
        wanted, got = plain(x).float(), made(x).float()
    except (RuntimeError, AttributeError) as error:
        log.warning("weights are not packed: %s", " ".join(str(error).split())[:200])
        return None
    if not float((wanted - got).norm()) <= _MOST_ERROR * float(wanted.norm()) + 1e-6:
        log.warning("weights are not packed: a packed layer does not say what the plain one says")
        return None
    return made
