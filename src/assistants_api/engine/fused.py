"""The forward of Llama-like models in few operations, over the weights that transformers loaded.

Where models are small or rows few, a step is bound by what each operation costs to start: Python calls a
dozen modules per layer, and each product wakes the threads that sleep between two of them. Transformers runs
about sixty operations per layer; here it is twenty. Queries, keys and values are one product, gate and up
another; residuals are added by the product before them; query heads that share a key head look together.

It is used only where it says what transformers says, proved when the model is loaded; see `Model`.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from assistants_api.engine.attention import at_once, by_runs
from assistants_api.engine.kv import KvBlock

# Their layers differ in biases and in norms over query and key heads, which are found by looking.
MODEL_TYPES = {"llama", "mistral", "qwen2", "qwen3"}
_JOINED = {
    "self_attn": ("qkv_proj", ("q_proj", "k_proj", "v_proj")),
    "mlp": ("gate_up_proj", ("gate_proj", "up_proj")),
}


class FusedForward:
    """The forward of `net`, whose type is among `MODEL_TYPES`, over a `KvBlock`.

    Joined layers take the place of separate ones in `net`, which says the same as before, only more slowly.
    Raises `AttributeError` or `TypeError` for a net that is not made of the parts that this knows.
    """

    def __init__(self, net: Any) -> None:
        config, body = net.config, net.model
        if config.hidden_act != "silu":
            raise TypeError(f"The activation {config.hidden_act} is not known here.")
        first = body.layers[0].self_attn
        self._size: int = first.head_dim
        self._scale: float = first.scaling
        self._heads: int = config.num_attention_heads
        self._key_heads: int = config.num_key_value_heads
        self._epsilon: float = config.rms_norm_eps
        self._net = net
        self._layers: list[Any] = list(body.layers)
        self._head_norms = [self._head_norm(layer.self_attn) for layer in self._layers]
        try:
            for layer in self._layers:
                for name, (whole, parts) in _JOINED.items():
                    _join(getattr(layer, name), whole, parts)
        except (AttributeError, TypeError):
            self.undo()
            raise

    def _head_norm(self, attention: Any) -> torch.Tensor | None:
        """The norms' weights of query and key heads, `[heads, head size]`."""
        if not hasattr(attention, "q_norm"):
            return None
        queries = attention.q_norm.weight.expand(self._heads, -1)
        return torch.cat((queries, attention.k_norm.weight.expand(self._key_heads, -1)))

    def undo(self) -> None:
        """Gives `net` its separate layers back, plain ones."""
        for layer in self._layers:
            for name, (whole, parts) in _JOINED.items():
                _separate(getattr(layer, name), whole, parts)

    def __call__(
        self,
        block: KvBlock,
        ids: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor | None,
        keep: int = 1,
    ) -> torch.Tensor:
        """Logits `[rows · keep, vocabulary]` after the last `keep` of each row's `ids`, `[rows, tokens]`.

        The block has been aimed at these positions; `mask` `[rows, 1, tokens, seen]` is added to scores, None
        where one new token may look at all that its row has.
        """
        rows, tokens = ids.shape
        body = self._net.model
        embedded = functional.embedding(ids, body.embed_tokens.weight)
        cosines, sines = body.rotary_emb(embedded, position_ids=positions)
        first, second = sines.chunk(2, -1)
        turns = (
            cosines.reshape(rows * tokens, 1, -1),
            torch.cat((-first, second), -1).reshape(rows * tokens, 1, -1),
        )
        x = embedded.reshape(rows * tokens, -1)
        for number, layer in enumerate(self._layers):
            y = self._normed(x, layer.input_layernorm)
            seen = self._attended(block, number, layer.self_attn, y, turns, mask)
            x = _added(x, seen, layer.self_attn.o_proj)
            y = self._normed(x, layer.post_attention_layernorm)
            gate, up = layer.mlp.gate_up_proj(y).chunk(2, -1)
            x = _added(x, functional.silu(gate).mul_(up), layer.mlp.down_proj)
        last = x.view(rows, tokens, -1)[:, -keep:].flatten(0, 1)
        logits: torch.Tensor = self._net.lm_head(self._normed(last, body.norm))
        return logits

    def _normed(self, x: torch.Tensor, norm: Any) -> torch.Tensor:
        return functional.rms_norm(x, (x.shape[-1],), norm.weight, self._epsilon)

    def _attended(
        self,
        block: KvBlock,
        number: int,
        attention: Any,
        y: torch.Tensor,
        turns: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """What the heads bring, `[rows · tokens, width]` to `[rows · tokens, query heads · head size]`."""
        rows, turned = block.rows_aimed, self._heads + self._key_heads
        heads = attention.qkv_proj(y).view(len(y), -1, self._size)
        both = heads[:, :turned]
        if (weight := self._head_norms[number]) is not None:
            both = functional.rms_norm(both, (self._size,), None, self._epsilon) * weight
        cosines, sines = turns
        both = torch.addcmul(both * cosines, both.roll(self._size // 2, -1), sines)
        own = (rows, -1, self._key_heads, self._size)
        keys, values = block.update(
            both[:, self._heads :].reshape(own).transpose(1, 2),
            heads[:, turned:].reshape(own).transpose(1, 2),
            number,
        )
        queries = both[:, : self._heads]
        if len(y) > rows:
            many = queries.view(rows, -1, self._heads, self._size).transpose(1, 2)
            options = {"scaling": self._scale, "dropout": 0.0}
            return at_once(attention, many, keys, values, mask, options).reshape(len(y), -1)
        if mask is None:
            keys, values = keys[:, :, : block.last + 1], values[:, :, : block.last + 1]
        # One token of each row: the heads that share a key head are as tokens.
        sharing = queries.view(rows, self._key_heads, -1, self._size)
        return by_runs(block.runs, self._look, sharing, keys, values, mask).reshape(rows, -1)

    def _look(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=self._scale)


class _Part(nn.Module):
    """The outputs `[first, end)` of a joined layer, for callers that know only the separate one."""

    def __init__(self, parent: nn.Module, whole: str, first: int, end: int) -> None:
        super().__init__()
        self._parent = (parent,)  # in a tuple: the parent is no part of its part
        self._whole, self._first, self._end = whole, first, end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = getattr(self._parent[0], self._whole)(x)
        return out[..., self._first : self._end]


def _join(parent: Any, whole: str, parts: tuple[str, ...]) -> None:
    """Puts one plain layer into `parent` that computes what its `parts` do, side by side."""
    layers = [getattr(parent, name) for name in parts]
    if any(type(layer) is not nn.Linear for layer in layers):
        raise TypeError(f"Its {parts[0]} is no plain layer.")
    biases = [layer.bias for layer in layers if layer.bias is not None]
    if biases and len(biases) < len(layers):
        raise TypeError(f"Only some of {', '.join(parts)} have a bias.")
    weight = torch.cat([layer.weight.detach() for layer in layers])
    setattr(parent, whole, _linear(weight, torch.cat([b.detach() for b in biases]) if biases else None))
    first = 0
    for name, layer in zip(parts, layers, strict=True):
        setattr(parent, name, _Part(parent, whole, first, first + layer.out_features))
        first += layer.out_features


def _separate(parent: Any, whole: str, parts: tuple[str, ...]) -> None:
    """Undoes `_join`; the separate weights are views of the joined one."""
    joined = getattr(parent, whole, None)
    if joined is None:
        return
    for name in parts:
        part = getattr(parent, name)
        at = slice(part._first, part._end)
        setattr(parent, name, _linear(joined.weight[at], None if joined.bias is None else joined.bias[at]))
    delattr(parent, whole)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    """A layer with these weights, `[out, in]`."""
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    made.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias, requires_grad=False)
    return made


def _added(x: torch.Tensor, y: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    """`x` and what the layer makes of `y`."""
    if type(layer) is nn.Linear and layer.bias is None:
        return torch.addmm(x, y, layer.weight.t())
    out: torch.Tensor = layer(y)
    return x + out
