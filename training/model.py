"""Step 2, model: a small Llama, an architecture that every inference server loads, written out for fast training.

`Net` computes what `LlamaForCausalLM` computes, with matrices joined and everything in `precision.COMPUTE`: about a third faster on CPUs.
`exported` turns it into an ordinary model folder.

It does not start from noise alone. Copying needs two attention heads in a row: one that looks at the token before, one that
looks for the place where the current token stood earlier (Olsson et al. 2022, "In-context Learning and Induction Heads"). A small model
finds that pair late, or never, so `wire_copying` lays it into the first two layers, and training goes on from there (starting from
structures that training would find: Trockman and Kolter 2023, "Mimetic Initialization of Self-Attention Layers"). Rotary positions turn
with a base of ten million: the slow half of each head then hardly turns and can compare contents over any distance.

Tokens that are forms of one (`kitchen`, ` kitchen`, `Kitchen`; `tokens.forms`) share one embedding while they are trained, and two differences for all
words: what is learned of one form is known of the others, and what is copied keeps its word when it changes its form. Each has
a small difference of its own besides. The published table is the sum.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from training.precision import COMPUTE
from training.tokens import Forms, carried, forms

CONTEXT = 4096
WIDTH, LAYERS, HEADS, HEAD, INNER = 256, 6, 4, 64, 704
BASE = 1e7
EPSILON = 1e-6
SCALE = 0.06  # of the embeddings
COPYING_HEADS = 2
EMBEDDINGS = "model.embed_tokens.weight", "lm_head.weight"
LONG = 256  # tokens a row, from which PyTorch's attention kernel is quicker than plain products on a CPU


def turns(length: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary positions, each (length, half a head)."""
    speeds = BASE ** (-torch.arange(0, HEAD, 2) / HEAD)
    angles = torch.arange(length)[:, None] * speeds
    return angles.cos().to(COMPUTE), angles.sin().to(COMPUTE)


def causal(length: int) -> Tensor:
    """What attention adds to scores: nothing for the past, very little for the future; (length, length)."""
    return torch.full((length, length), -1e4).triu(1).to(COMPUTE)


def _normed(x: Tensor, weight: Tensor) -> Tensor:
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + EPSILON) * weight).to(COMPUTE)


def _turned(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), -1)


class Net(nn.Module):
    """The layers' matrices, queries, keys and values in one, gate and up in one. `kin`: which tokens are forms of one."""

    def __init__(self, kin: Forms) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.register_buffer("root", kin.root)
        self.register_buffer("marks", kin.marks)
        vocabulary = len(kin.root)

        def matrix(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * 0.02)

        self.embedding = matrix(vocabulary, WIDTH)  # of the roots
        self.own = nn.Parameter(torch.zeros(vocabulary, WIDTH))
        self.differences = nn.Parameter(torch.zeros(2, WIDTH))
        self.attention = nn.ParameterList([matrix(3 * HEADS * HEAD, WIDTH) for _ in range(LAYERS)])
        self.output = nn.ParameterList([matrix(WIDTH, HEADS * HEAD) for _ in range(LAYERS)])
        self.gate_up = nn.ParameterList([matrix(2 * INNER, WIDTH) for _ in range(LAYERS)])
        self.down = nn.ParameterList([matrix(WIDTH, INNER) for _ in range(LAYERS)])
        self.norms = nn.ParameterList([nn.Parameter(torch.ones(WIDTH)) for _ in range(2 * LAYERS + 1)])

    def table(self) -> Tensor:
        """The embeddings of all tokens: (vocabulary, width)."""
        return self.embedding[self.root] + self.own + self.marks @ self.differences

    def hidden(self, ids: Tensor, table: Tensor, cosines: Tensor, sines: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Ids (rows, length), one conversation a row, to what enters the last layer and what its heads bring, each (rows, length, width)."""
        x = functional.embedding(ids, table).to(COMPUTE)
        for layer in range(LAYERS - 1):
            x = self._further(layer, x, self._seen(layer, x, cosines, sines, mask))
        return x, self._seen(LAYERS - 1, x, cosines, sines, mask)

    def scores(self, x: Tensor, seen: Tensor, table: Tensor) -> Tensor:
        """What `hidden` gives, (places, width) of those places that matter, to a score for each token (places, vocabulary)."""
        last = _normed(self._further(LAYERS - 1, x, seen), self.norms[-1])
        return functional.linear(last, table.to(COMPUTE)).float()

    def _seen(self, layer: int, x: Tensor, cosines: Tensor, sines: Tensor, mask: Tensor) -> Tensor:
        """What the layer's heads bring from the places before."""
        rows, length = x.shape[:2]
        joined = functional.linear(_normed(x, self.norms[2 * layer]), self.attention[layer].to(COMPUTE))
        queries, keys, values = joined.view(rows, length, 3 * HEADS, HEAD).transpose(1, 2).chunk(3, 1)
        queries, keys = _turned(queries, cosines, sines), _turned(keys, cosines, sines)
        if length > LONG:
            mixed = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        else:
            scores = (queries @ keys.transpose(-1, -2)) * HEAD**-0.5 + mask
            mixed = torch.softmax(scores.float(), -1).to(COMPUTE) @ values
        return mixed.transpose(1, 2).reshape(rows, length, HEADS * HEAD)

    def _further(self, layer: int, x: Tensor, seen: Tensor) -> Tensor:
        """What leaves the layer, each place for itself."""
        x = x + functional.linear(seen, self.output[layer].to(COMPUTE))
        y = _normed(x, self.norms[2 * layer + 1])
        gate, up = functional.linear(y, self.gate_up[layer].to(COMPUTE)).chunk(2, -1)
        return x + functional.linear(functional.silu(gate) * up, self.down[layer].to(COMPUTE))


@torch.no_grad()
def wire_copying(net: Net) -> None:
    """Lay the pair of heads for copying into the first two layers.

    The first half of the width holds the token itself (its first place is the same for all tokens), the second half what the
    first layer brings from the token before. The second layer asks: which place has my token before it? And says what stands there.
    """
    half, middle, size = HEAD // 2, WIDTH // 2, HEADS * HEAD
    speeds = BASE ** (-torch.arange(0, HEAD, 2) / HEAD)
    net.embedding.zero_()
    net.embedding[:, 1:middle].normal_(0, SCALE)
    net.embedding[:, 0] = SCALE
    slow = [place for place in range(half) if speeds[place] < 1 / 150]
    compared = [*slow, *(place + half for place in slow)]
    for head in range(COPYING_HEADS):
        query, key, value = (slice(part * size + head * HEAD, part * size + (head + 1) * HEAD) for part in range(3))
        out = slice(head * HEAD, (head + 1) * HEAD)
        first, second = net.attention[0], net.attention[1]
        for matrix in (first, second):
            matrix[query], matrix[key], matrix[value] = 0, 0, 0
        for place in range(8):  # the fast turns: they tell the token before from its neighbours
            first[query.start + place, 0] = 5.0
            first[key.start + place, 0] = 5.0 * torch.cos(speeds[place])
            first[key.start + place + half, 0] = 5.0 * torch.sin(speeds[place])
        first[value, out] = torch.eye(HEAD)
        net.output[0][:, out] = 0
        net.output[0][middle + out.start : middle + out.stop, out] = torch.eye(HEAD) * SCALE * 0.7
        for place in compared:
            if out.start + place:  # the constant first place tells nothing
                second[query.start + place, out.start + place] = 2.0
                second[key.start + place, middle + out.start + place] = 2.0
        second[value, out] = torch.eye(HEAD)
        net.output[1][:, out] = 0
        net.output[1][out, out] = torch.eye(HEAD) * SCALE * 4


def exported(net: Net, *, end: int, pad: int) -> LlamaForCausalLM:
    """The same weights as an ordinary Llama."""
    config = LlamaConfig(
        vocab_size=len(net.root),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        head_dim=HEAD,
        intermediate_size=INNER,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": BASE},
        tie_word_embeddings=True,
        rms_norm_eps=EPSILON,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        attention_dropout=0.0,
    )
    model = LlamaForCausalLM(config)
    model.load_state_dict({name: weight.detach().clone() for name, weight in _as_llama(net).items()})
    return model


@torch.no_grad()
def imported(folder: Path, tokenizer: PreTrainedTokenizerFast) -> Net:
    """A net with the weights of a folder that `exported` made: training goes on from a published model, with its tokens or with others."""
    model = LlamaForCausalLM.from_pretrained(folder)
    if (model.config.hidden_size, model.config.num_hidden_layers) != (WIDTH, LAYERS):
        raise SystemExit(f"{folder} holds a model of another size: training cannot go on from it")
    weights = model.float().state_dict()
    before, net = AutoTokenizer.from_pretrained(folder), Net(forms(tokenizer))
    for name, place in _as_llama(net).items():
        if name not in EMBEDDINGS:
            place.copy_(weights[name])
    table = weights[EMBEDDINGS[0]]
    _part(net, table if before.get_vocab() == tokenizer.get_vocab() else carried(before, table, tokenizer))
    return net


def _part(net: Net, table: Tensor) -> None:
    """Set what the table is the sum of: the differences that the forms have in the mean, the roots without them, each one's own."""
    for kind in range(2):
        with_it = net.marks[:, kind].bool() & (net.marks.sum(1) == 1)
        if with_it.any():
            net.differences[kind] = (table[with_it] - table[net.root[with_it]]).mean(0)
    plain = table - net.marks @ net.differences
    count = torch.zeros(len(table)).index_add_(0, net.root, torch.ones(len(table)))
    net.embedding.zero_().index_add_(0, net.root, plain)
    net.embedding.div_(count.clamp(min=1)[:, None])
    net.own.copy_(plain - net.embedding[net.root])


def _as_llama(net: Net) -> dict[str, Tensor]:
    """The parts of the net's matrices, by the names that they have in a Llama."""
    size = HEADS * HEAD
    weights = {**dict.fromkeys(EMBEDDINGS, net.table()), "model.norm.weight": net.norms[-1]}
    for layer in range(LAYERS):
        inside = f"model.layers.{layer}."
        for place, name in enumerate("qkv"):
            weights[f"{inside}self_attn.{name}_proj.weight"] = net.attention[layer][place * size : (place + 1) * size]
        weights[f"{inside}self_attn.o_proj.weight"] = net.output[layer]
        weights[f"{inside}mlp.gate_proj.weight"] = net.gate_up[layer][:INNER]
        weights[f"{inside}mlp.up_proj.weight"] = net.gate_up[layer][INNER:]
        weights[f"{inside}mlp.down_proj.weight"] = net.down[layer]
        weights[f"{inside}input_layernorm.weight"] = net.norms[2 * layer]
        weights[f"{inside}post_attention_layernorm.weight"] = net.norms[2 * layer + 1]
    return weights
