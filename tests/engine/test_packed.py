"""Packed layers say what the plain ones say, and what cannot be packed stays as it is."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from assistants_api.engine import model as model_module
from assistants_api.engine import packed
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.model import Model
from tests.engine import test_alone, test_architectures, tiny
from tests.engine.processor import CAN_PACK, needs_fbgemm, needs_packing


def a_net(dtype=torch.bfloat16) -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(96, 160), nn.GELU(), nn.Linear(160, 64, bias=False)).to(dtype).eval()


def before_and_after(net: nn.Module, x: torch.Tensor, **how: bool) -> tuple[torch.Tensor, torch.Tensor, int]:
    """What the net makes of `x`, what it makes of it once it is packed, and how many layers are."""
    with torch.inference_mode():
        wanted = net(x)
        count = packed.pack(net, **how)
        return wanted, net(x), count


@needs_packing
@pytest.mark.parametrize("rows", [1, 7, 40])
def test_a_packed_net_says_what_the_plain_one_says(rows):
    net = a_net()
    wanted, got, count = before_and_after(net, torch.randn(2, rows, 96).to(torch.bfloat16))

    assert count == 2
    assert all(isinstance(layer, packed.PackedLinear) for layer in (net[0], net[2]))
    torch.testing.assert_close(got.float(), wanted.float(), rtol=0.05, atol=0.05)


@needs_packing
@pytest.mark.parametrize("rows", [1, 2, 3, 40])
def test_a_net_in_eight_bits_says_nearly_the_same(rows):
    net = a_net()
    wanted, got, count = before_and_after(net, torch.randn(rows, 96).to(torch.bfloat16), int8=True)

    assert count == 2
    assert all(isinstance(layer, packed.Int8Linear) for layer in (net[0], net[2]))
    assert float((wanted - got).float().norm() / wanted.float().norm()) < 0.03


@pytest.mark.parametrize("rows", [1, 2, 7, 40])
def test_large_layers_in_full_precision_are_packed_and_say_the_same(rows, monkeypatch):
    monkeypatch.setattr(packed.platform, "machine", lambda: "x86_64")
    torch.manual_seed(5)
    net = nn.Sequential(nn.Linear(1024, 1024), nn.GELU(), nn.Linear(1024, 64)).eval()
    wanted, got, count = before_and_after(net, torch.randn(2, rows, 1024))

    assert count == 1
    assert isinstance(net[0], packed.PackedLinear)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def saved_in_sixteen_bits(*sizes: int, dtype: torch.dtype = torch.bfloat16) -> nn.Sequential:
    """Layers as published checkpoints have them, in full precision."""
    torch.manual_seed(5)
    layers = [nn.Linear(before, after) for before, after in pairwise(sizes)]
    return nn.Sequential(*layers).to(dtype).float().eval()


@needs_fbgemm
@pytest.mark.parametrize("rows", [1, 2, 7, 40])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_full_precision_over_weights_of_sixteen_bits_keeps_them_in_sixteen(rows, dtype):
    net = saved_in_sixteen_bits(512, 512, 256, dtype=dtype)
    net[1].bias = None
    weight = net[0].weight.detach().clone()
    wanted, got, count = before_and_after(net, torch.randn(2, rows, 512))

    assert count == 2
    assert all(isinstance(layer, packed.HalvedLinear) for layer in net)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net[0].weight, weight, rtol=0, atol=1e-7)


@pytest.mark.parametrize("spoiled_by", [1.0 + 2**-12, 1e5])
def test_weights_that_sixteen_bits_do_not_hold_stay_in_full(spoiled_by):
    net = saved_in_sixteen_bits(512, 512)
    with torch.no_grad():
        net[0].weight[:8] *= spoiled_by

    assert packed.pack(net) == 0
    assert type(net[0]) is nn.Linear


def test_without_fbgemm_large_layers_are_packed_by_onednn(monkeypatch):
    monkeypatch.setattr(packed.platform, "machine", lambda: "x86_64")
    net = saved_in_sixteen_bits(1024, 1024, 256)

    def missing(_plain):
        raise AttributeError("no such operator")

    monkeypatch.setattr(packed, "HalvedLinear", missing)

    assert packed.pack(net) == 1
    assert isinstance(net[0], packed.PackedLinear)
    assert type(net[1]) is nn.Linear


class Tied(nn.Module):
    """An embedding whose weights are the output layer's too, and a layer between."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 512)
        self.layer = nn.Linear(512, 512)
        self.norm = nn.LayerNorm(512)
        self.output = nn.Linear(512, 40, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.output(self.norm(self.layer(self.embedding(ids))))
        return out


@pytest.mark.parametrize("is_x86", [True, False])
def test_a_net_that_was_saved_in_sixteen_bits_is_widened_layer_by_layer(is_x86, monkeypatch):
    if not is_x86:
        monkeypatch.setattr(packed.platform, "machine", lambda: "arm64")
    torch.manual_seed(5)
    net = Tied().to(torch.bfloat16).eval()
    wanted = copy.deepcopy(net).float()
    ids = torch.arange(40)[None]

    packed.widen(net)
    assert net.layer.weight.dtype == torch.bfloat16
    assert net.embedding.weight.dtype == net.layer.bias.dtype == net.norm.weight.dtype == torch.float32
    packed.pack(net, full=True)

    assert {each.dtype for each in net.parameters()} == {torch.float32}
    with torch.inference_mode():
        torch.testing.assert_close(net(ids), wanted(ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["llama 3", "qwen3", "gemma 3", "mixtral", "gpt-2", "mamba", "t5"])
@pytest.mark.parametrize("least", [0, 1 << 30])
def test_a_checkpoint_in_sixteen_bits_says_in_full_precision_what_it_says_in_transformers(
    name, least, tmp_path, monkeypatch
):
    alone = {name: (name, changes) for name, (changes, _) in test_alone.TABLE.items()}
    kind, changes = {**test_architectures.TABLE, **alone}[name]
    monkeypatch.setattr(packed, "_LEAST_HALVED", least)
    monkeypatch.setattr(packed, "_LEAST_WEIGHTS", least)
    folder = tiny.build(tmp_path, kind=kind, **changes)
    has_encoder = kind == "t5"
    loader = AutoModelForSeq2SeqLM if has_encoder else AutoModelForCausalLM
    loader.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    plain = loader.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.arange(3, 20)[None]
    asked = {"input_ids": ids, **({"decoder_input_ids": ids} if has_encoder else {})}

    model = Model(EngineConfig(model=folder, dtype="fp32", device="cpu"))

    assert bool(model.packed_layers) == (
        least == 0 and "fbgemm" in torch.backends.quantized.supported_engines
    )
    assert {each.dtype for each in model.net.parameters()} == {torch.float32}
    with torch.inference_mode():
        wanted, got = plain(**asked).logits, model.net(**asked).logits
    torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-4)


def test_eight_bits_where_they_cannot_be_held_are_left_to_auto(tmp_path, monkeypatch, caplog):
    """bfloat16 without its units would be several times slower than full precision."""
    monkeypatch.setattr(model_module, "can_pack_bfloat16", lambda: False)

    model = Model(EngineConfig(model=tiny.build(tmp_path), dtype="int8", device="cpu"))

    assert model.precision == "float32"
    assert "ASSISTANTS_DTYPE=int8 is for processors with AVX-512" in caplog.text


@needs_fbgemm
def test_the_bundled_model_keeps_its_weights_in_sixteen_bits():
    model = Model(EngineConfig(device="cpu"))

    assert model.precision == "float32"
    assert (
        sum(isinstance(layer, packed.HalvedLinear) for layer in model.net.modules())
        == model.packed_layers
        > 12
    )


def test_models_that_look_at_weights_themselves_find_them(monkeypatch, tmp_path):
    from assistants_api.engine.alone import Alone

    monkeypatch.setattr(packed, "_LEAST_WEIGHTS", 0)
    monkeypatch.setattr(packed.platform, "machine", lambda: "x86_64")
    config = EngineConfig(model=tiny.build(tmp_path, kind="mamba"), dtype="fp32", device="cpu")
    model = Model(config)

    assert model.packed_layers
    Alone(model, config)  # proves that it can be stepped


def test_small_layers_in_full_precision_stay_plain():
    net = a_net(torch.float32)

    assert packed.pack(net) == 0
    assert type(net[0]) is nn.Linear


def test_full_precision_stays_plain_on_processors_where_it_was_not_measured(monkeypatch):
    monkeypatch.setattr(packed.platform, "machine", lambda: "arm64")
    net = nn.Sequential(nn.Linear(1024, 1024))

    assert packed.pack(net) == 0


def test_a_layer_that_would_say_something_else_stays_plain(monkeypatch):
    net = a_net()
    monkeypatch.setattr(
        packed.PackedLinear, "forward", lambda self, x: torch.zeros(len(x), self.out_features)
    )

    assert packed.pack(net) == 0
    assert type(net[0]) is nn.Linear


def test_a_torch_without_the_operators_leaves_everything_plain(monkeypatch):
    net = a_net()

    def missing(_plain):
        raise AttributeError("no such operator")

    monkeypatch.setattr(packed, "PackedLinear", missing)

    assert packed.pack(net) == 0
    assert type(net[0]) is nn.Linear


def test_a_model_in_bf16_is_packed_where_it_can_be_and_keeps_its_size(tiny_folder):
    plain = Model(EngineConfig(model=tiny_folder, dtype="fp32", device="cpu"))
    model = Model(EngineConfig(model=tiny_folder, dtype="bf16", device="cpu"))

    assert plain.packed_layers == 0
    assert (model.packed_layers > 10) == CAN_PACK
    assert model.parameters == plain.parameters
