"""One decode step of a Llama-like model in few operations, over the weights that transformers loaded.

A step of one token per row is bound by what each operation costs to start, not by arithmetic, where
models are small or rows few. Transformers runs about sixty operations and a dozen modules per layer; here it
is twenty: queries, keys and values are one product, gate and up another, residuals are added by the product
before them, query heads that share a key head look together. Prompts are read by transformers as before.

A step is used only where it says what transformers says, proved when the model is loaded; see `Model`.
"""

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from assistants_api.engine.attention import Run
from assistants_api.engine.kv import KvBlock

# Their layers differ in biases and in norms over query and key heads, which are found by looking.
MODEL_TYPES = {"llama", "mistral", "qwen2", "qwen3"}


class _Layer(NamedTuple):
    """The parts of a decoder layer; `attention` and `gate_up` are one joined layer, or the separate ones."""

    attention_norm: torch.Tensor
    attention: tuple[nn.Module, ...]
    head_norm: torch.Tensor | None  # `[query and key heads, head size]`
    output: nn.Module
    mlp_norm: torch.Tensor
    gate_up: tuple[nn.Module, ...]
    down: nn.Module


class FusedStep:
    """A decode step of `net`, whose type is among `MODEL_TYPES`; joined weights replace the separate ones.

    Raises `AttributeError` or `TypeError` for a net that is not made of the parts that this knows.
    """

    def __init__(self, net: Any) -> None:
        config, body = net.config, net.model
        if config.hidden_act != "silu":
            raise TypeError(f"The activation {config.hidden_act} is not known here.")
        self._size: int = body.layers[0].self_attn.head_dim
        self._heads: int = config.num_attention_heads
        self._key_heads: int = config.num_key_value_heads
        self._epsilon: float = config.rms_norm_eps
        self._scale: float = body.layers[0].self_attn.scaling
        self._embedding: torch.Tensor = body.embed_tokens.weight
        self._rotary: nn.Module = body.rotary_emb
        self._layers = [self._parts(layer) for layer in body.layers]
        self._norm: torch.Tensor = body.norm.weight
        self._head: nn.Module = net.lm_head

    def _parts(self, layer: Any) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        norms: torch.Tensor | None = None
        if hasattr(attention, "q_norm"):
            queries = attention.q_norm.weight.expand(self._heads, -1)
            norms = torch.cat((queries, attention.k_norm.weight.expand(self._key_heads, -1)))
        return _Layer(
            layer.input_layernorm.weight,
            _joined(attention.q_proj, attention.k_proj, attention.v_proj),
            norms,
            attention.o_proj,
            layer.post_attention_layernorm.weight,
            _joined(mlp.gate_proj, mlp.up_proj),
            mlp.down_proj,
        )

    def __call__(
        self, block: KvBlock, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Logits `[rows, vocabulary]` after one more token of each row, `ids` and `positions` `[rows, 1]`.

        The block has been aimed at these positions; `mask` `[rows, 1, 1, seen]` is added to scores, None
        where a row may look at all that it has.
        """
        x = functional.embedding(ids[:, 0], self._embedding)
        cosines, sines = self._rotary(x[:, None], position_ids=positions)
        first, second = sines.chunk(2, -1)
        sines = torch.cat((-first, second), -1)
        for number, layer in enumerate(self._layers):
            y = self._normed(x, layer.attention_norm)
            seen = self._attended(block, number, layer, y, cosines, sines, mask)
            x = _added(x, seen, layer.output)
            y = self._normed(x, layer.mlp_norm)
            x = _added(x, _gated(y, layer.gate_up), layer.down)
        logits: torch.Tensor = self._head(self._normed(x, self._norm))
        return logits

    def _normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(x, (x.shape[-1],), weight, self._epsilon)

    def _attended(
        self,
        block: KvBlock,
        number: int,
        layer: _Layer,
        y: torch.Tensor,
        cosines: torch.Tensor,
        sines: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """What the heads bring, `[rows, width]` to `[rows, query heads · head size]`."""
        rows, turned = y.shape[0], self._heads + self._key_heads
        made = [part(y) for part in layer.attention]
        heads = (made[0] if len(made) == 1 else torch.cat(made, -1)).view(rows, -1, self._size)
        both = heads[:, :turned]
        if layer.head_norm is not None:
            both = functional.rms_norm(both, (self._size,), None, self._epsilon) * layer.head_norm
        both = torch.addcmul(both * cosines, both.roll(self._size // 2, -1), sines)
        queries = both[:, : self._heads].unflatten(1, (self._key_heads, -1))
        keys, values = block.update(both[:, self._heads :, None], heads[:, turned:, None], number)
        if mask is None:
            last = block.last + 1
            keys, values = keys[:, :, :last], values[:, :, :last]
        runs: tuple[Run, ...] = block.runs or ((0, rows, keys.shape[2]),)
        parts = [
            functional.scaled_dot_product_attention(
                queries[first:end],
                keys[first:end, :, :seen],
                values[first:end, :, :seen],
                attn_mask=None if mask is None else mask[first:end, ..., :seen],
                scale=self._scale,
            )
            for first, end, seen in runs
        ]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).reshape(rows, -1)


def _joined(*plain: nn.Module) -> tuple[nn.Module, ...]:
    """One layer that computes what these do, side by side; they become views of it. Unless all are plain."""
    if any(type(each) is not nn.Linear for each in plain):
        return plain
    linears = [each for each in plain if isinstance(each, nn.Linear)]
    weight = torch.cat([each.weight.detach() for each in linears])
    biases = [each.bias.detach() for each in linears if each.bias is not None]
    if biases and len(biases) < len(linears):
        return plain
    whole = nn.Linear(weight.shape[1], weight.shape[0], bias=bool(biases), device="meta", dtype=weight.dtype)
    whole.weight = nn.Parameter(weight, requires_grad=False)
    if biases:
        whole.bias = nn.Parameter(torch.cat(biases), requires_grad=False)
    sizes = [each.out_features for each in linears]
    for each, part in zip(linears, whole.weight.split(sizes), strict=True):
        each.weight = nn.Parameter(part, requires_grad=False)
    return (whole,)


def _gated(y: torch.Tensor, gate_up: tuple[nn.Module, ...]) -> torch.Tensor:
    gate, up = gate_up[0](y).chunk(2, -1) if len(gate_up) == 1 else (part(y) for part in gate_up)
    return functional.silu(gate).mul_(up)


def _added(x: torch.Tensor, y: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    """`x` and what the layer makes of `y`."""
    if type(layer) is nn.Linear and layer.bias is None:
        return torch.addmm(x, y, layer.weight.t())
    out: torch.Tensor = layer(y)
    return x + out
