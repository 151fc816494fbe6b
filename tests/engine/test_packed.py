"""Packed layers say what the plain ones say, and what cannot be packed stays as it is."""

import pytest
import torch
from torch import nn

from assistants_api.engine import packed
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.model import Model
from tests.engine.processor import CAN_PACK, needs_packing


def a_net(dtype=torch.bfloat16) -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(96, 160), nn.GELU(), nn.Linear(160, 64, bias=False)).to(dtype).eval()


@needs_packing
@pytest.mark.parametrize("rows", [1, 7, 40])
def test_a_packed_net_says_what_the_plain_one_says(rows):
    net = a_net()
    x = torch.randn(2, rows, 96).to(torch.bfloat16)
    with torch.inference_mode():
        wanted = net(x)
        count = packed.pack(net)
        got = net(x)

    assert count == 2
    assert all(isinstance(layer, packed.PackedLinear) for layer in (net[0], net[2]))
    torch.testing.assert_close(got.float(), wanted.float(), rtol=0.05, atol=0.05)


@needs_packing
@pytest.mark.parametrize("rows", [1, 2, 3, 40])
def test_a_net_in_eight_bits_says_nearly_the_same(rows):
    net = a_net()
    x = torch.randn(rows, 96).to(torch.bfloat16)
    with torch.inference_mode():
        wanted = net(x).float()
        count = packed.pack(net, int8=True)
        got = net(x).float()

    assert count == 2
    assert all(isinstance(layer, packed.Int8Linear) for layer in (net[0], net[2]))
    assert float((wanted - got).norm() / wanted.norm()) < 0.03


def test_full_precision_stays_plain():
    net = a_net(torch.float32)

    assert packed.pack(net) == 0
    assert type(net[0]) is nn.Linear


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
