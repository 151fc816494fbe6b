"""Linear layers whose weights lie in memory as the processor's matrix kernels want them.

oneDNN reorders a plain bfloat16 weight again in every product, and MKL a plain full-precision one wherever
there is more than one row. Reordered once at load, a decode step of a model of half a billion parameters
takes two thirds of the time in bfloat16, and several rows of one in full precision about half.

Full precision is what processors without bfloat16 units compute in, over weights that were saved in sixteen
bits. FBGEMM keeps them in sixteen and widens them in its registers: half the memory, and from half to three
quarters of the time for up to sixteen rows, since reading weights is what takes it.

The operators are what `torch.compile` with freezing uses, and what torch's quantised layers use; they are no
public interface, so each layer is proved against the plain one, and stays plain where that fails.
"""

import logging
import platform
from typing import Any

import torch
from torch import nn

log = logging.getLogger(__name__)

_ROWS = 3  # of the proof
_MOST_ERROR = {torch.bfloat16: 0.02, torch.float32: 1e-4}
_LEAST_WEIGHTS = 1 << 20  # of a layer in full precision: smaller plain ones are as quick
_LEAST_HALVED = 1 << 17  # of one whose weights are kept in sixteen bits
_MOST_LOST = 1e-6  # of the weights' size, where sixteen bits hold them: what full precision rounds away
_FEW_ROWS = 2  # up to which reading half the bytes saves more than the product in int8 costs


class PackedLinear(nn.Module):
    """`nn.Linear` over a weight `[out, in]` that was reordered; only for inference on CPUs."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.bias = plain.bias
        self._packed = self._reordered(plain.weight.detach().contiguous())

    def _reordered(self, weight: torch.Tensor) -> Any:
        return torch.ops.mkldnn._reorder_linear_weight(weight)

    @property
    def weight(self) -> torch.Tensor:
        """The plain weight, made anew, for models that look at it themselves."""
        plain: torch.Tensor = self._packed.to_dense()
        return plain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x @ weight.T + bias`, `[..., in]` to `[..., out]`."""
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return out


class Int8Linear(PackedLinear):
    """The same, with a second copy of the weight in eight bits, one scale per output, for one or two rows.

    One stream is bound by how fast weights are read; from a few rows on, bfloat16 is quicker.
    """

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__(plain)
        weight = plain.weight.detach().float()
        scales = (weight.abs().amax(dim=1) / 127).clamp(min=1e-12)
        self._int8 = (weight / scales[:, None]).round().to(torch.int8).contiguous()
        self._scales = scales.to(torch.bfloat16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x @ weight.T + bias`, `[..., in]` to `[..., out]`, in eight bits when it is few rows."""
        rows = x.reshape(-1, self.in_features)
        if len(rows) > _FEW_ROWS:
            return super().forward(x)
        out: torch.Tensor = torch.ops.aten._weight_int8pack_mm(rows, self._int8, self._scales)
        if self.bias is not None:
            out = out + self.bias
        return out.reshape(*x.shape[:-1], self.out_features)


class HalvedLinear(PackedLinear):
    """The same in full precision, over a weight that sixteen bits (IEEE 754) hold without loss.

    They have 31 of the 256 exponents of bfloat16, enough for what networks learn; see `_fits_sixteen_bits`.
    """

    def _reordered(self, weight: torch.Tensor) -> Any:
        return torch.ops.quantized.linear_prepack_fp16(weight, self.bias)

    @property
    def weight(self) -> torch.Tensor:
        """The plain weight, made anew, for models that look at it themselves."""
        plain: torch.Tensor = torch.ops.quantized.linear_unpack_fp16(self._packed)[0]
        return plain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x @ weight.T + bias`, `[..., in]` to `[..., out]`."""
        out: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._packed)
        return out


def can_pack_bfloat16() -> bool:
    """Whether oneDNN does here: with AVX-512 or AVX-NE-CONVERT. Eight bits are kept beside it."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (RuntimeError, AttributeError):
        return False


def widen(net: nn.Module) -> None:
    """Full precision for all but the matrices of plain linear layers, which `pack` takes as they are.

    So a model that was saved in sixteen bits never takes the memory of all its weights in thirty-two.
    """
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.is_floating_point() and not (type(module) is nn.Linear and name == "weight"):
                parameter.data = parameter.data.float()
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_floating_point():
                setattr(module, name, buffer.float())


def pack(net: nn.Module, *, int8: bool = False, full: bool = False, for_compiler: bool = False) -> int:
    """Packs the plain linear layers of a model on a CPU, in place; how many were packed.

    `full` is for a net that was widened: layers that stay plain are in full precision too. Eight bits go with
    bfloat16. torch's compiler cannot read layers that are packed in full precision.
    """
    packed = 0
    failed: set[type[PackedLinear]] = set()
    with torch.inference_mode(False), torch.no_grad():
        for module in list(net.modules()):
            for name, child in list(module.named_children()):
                if type(child) is not nn.Linear:
                    continue
                plain = _in_full(child) if full else child
                kinds = _kinds(plain.weight, int8=int8, for_compiler=for_compiler)
                made = _first_proved(plain, kinds, failed)
                setattr(module, name, made or plain)
                packed += made is not None
    return packed


def _in_full(layer: nn.Linear) -> nn.Linear:
    """The layer itself, if it is in full precision, or one that is."""
    if layer.weight.dtype == torch.float32:
        return layer
    wide = nn.Linear(layer.in_features, layer.out_features, bias=False, device="meta")
    wide.weight = nn.Parameter(layer.weight.detach().float(), requires_grad=False)
    wide.bias = layer.bias
    return wide


def _first_proved(
    plain: nn.Linear, kinds: list[type[PackedLinear]], failed: set[type[PackedLinear]]
) -> PackedLinear | None:
    """The layer as the first of these kinds that can be, without those that have `failed` before."""
    for kind in kinds:
        if kind not in failed:
            if (made := _proved(plain, kind)) is not None:
                return made
            failed.add(kind)
    return None


def _kinds(weight: torch.Tensor, *, int8: bool, for_compiler: bool) -> list[type[PackedLinear]]:
    """What a layer with this weight may become, the best first."""
    if weight.dtype == torch.bfloat16:
        return [Int8Linear if int8 else PackedLinear]
    was_measured = platform.machine() in {"x86_64", "AMD64"}
    if weight.dtype != torch.float32 or not was_measured or for_compiler:
        return []
    kinds: list[type[PackedLinear]] = []
    if weight.numel() >= _LEAST_HALVED and _fits_sixteen_bits(weight):
        kinds.append(HalvedLinear)
    if weight.numel() >= _LEAST_WEIGHTS:
        kinds.append(PackedLinear)
    return kinds


def _fits_sixteen_bits(weight: torch.Tensor) -> bool:
    """Whether nothing is lost, as of weights that were saved in sixteen bits.

    Those below 8e-6 may lose their last bits, which is less than what sums in full precision lose.
    """
    lost = torch.linalg.vector_norm(weight - weight.half())
    return bool(lost <= _MOST_LOST * torch.linalg.vector_norm(weight))


def _proved(plain: nn.Linear, kind: type[PackedLinear]) -> PackedLinear | None:
    """The layer packed, if it can be and says the same, for one row as for several."""
    generator = torch.Generator().manual_seed(1)
    x: Any = torch.randn(_ROWS, plain.in_features, generator=generator).to(plain.weight.dtype)
    try:
        made = kind(plain)
        checks = [(plain(rows).float(), made(rows).float()) for rows in (x, x[:1])]
    except (RuntimeError, AttributeError) as error:
        log.warning("weights are not packed: %s", " ".join(str(error).split())[:200])
        return None
    for wanted, got in checks:
        if not float((wanted - got).norm()) <= _MOST_ERROR[plain.weight.dtype] * float(wanted.norm()) + 1e-6:
            log.warning("weights are not packed: a packed layer does not say what the plain one says")
            return None
    return made
