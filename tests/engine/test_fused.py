"""The fused forward says what transformers says, for the models that it is written for; for others it is not used.

That whole answers stay the same, with neighbours and over turns, is shown in `test_architectures.py`.
"""

from pathlib import Path
from typing import Any

import pytest

from assistants_api.engine.config import BUNDLED_MODEL, EngineConfig
from tests.engine import tiny
from tests.engine.conftest import a_prompt
from tests.engine.processor import needs_packing
from tests.engine.test_architectures import TABLE
from tests.engine.test_scheduler import Loop, generated

pytestmark = pytest.mark.model

FUSED = {
    name for name, (kind, _) in TABLE.items() if kind in {"llama", "mistral", "qwen2", "qwen3"}
}  # by their type
LENGTHS = {"alike": [70, 71, 75], "unlike": [5, 6, 600]}


def loaded(folder: Path, dtype: str = "fp32") -> Any:
    from assistants_api.engine.model import Model

    return Model(EngineConfig(model=folder, dtype=dtype, device="cpu", max_context=1024))


def logits(model: Any, lengths: list[int]) -> Any:
    """What follows after one more token of rows that have so many."""
    import torch

    from assistants_api.engine.kv import KvBlock

    state = torch.Generator().manual_seed(1)
    block = KvBlock(model.layers, rows=len(lengths), length=max(lengths) + 1)
    for row, length in enumerate(lengths):
        ids = torch.randint(0, model.config.vocab_size, (1, length), generator=state)
        alone = KvBlock(model.layers, rows=1, length=length)
        model.forward(alone, 0, ids, torch.arange(length)[None])
        block.put(row, alone.share(0, length), length)
    last = torch.randint(0, model.config.vocab_size, (len(lengths), 1), generator=state)
    return model.forward(block, 0, last, torch.tensor(lengths)[:, None])


@pytest.mark.parametrize("name", TABLE)
def test_only_models_that_it_is_written_for_step_fused(name: str, tmp_path: Path) -> None:
    kind, changes = TABLE[name]

    model = loaded(tiny.build(tmp_path, kind=kind, **changes))

    assert model.is_fused == (name in FUSED)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("name", sorted(FUSED))
def test_rows_that_step_fused_say_what_plain_ones_say(name: str, lengths: str, tmp_path: Path) -> None:
    import torch

    kind, changes = TABLE[name]
    model = loaded(tiny.build(tmp_path, kind=kind, **changes))
    assert model.is_fused

    for rows in (LENGTHS[lengths], LENGTHS[lengths][-1:]):
        got = logits(model, rows)
        model._fused, step = None, model._fused
        wanted = logits(model, rows)
        model._fused = step
        assert torch.allclose(got, wanted, rtol=1e-4, atol=1e-4)


@needs_packing
def test_in_bfloat16_the_step_goes_over_packed_weights(tmp_path: Path) -> None:
    model = loaded(tiny.build(tmp_path, kind="llama"), dtype="bf16")

    assert model.packed_layers
    assert model.is_fused


def test_a_trained_model_in_bfloat16_steps_fused() -> None:
    """Trained weights make large activations: two right orders of the same sums differ by more than 2 % here."""
    model = loaded(BUNDLED_MODEL, dtype="bf16")

    assert model.is_fused


def test_biases_of_all_layers_are_added(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path, kind="llama", attention_bias=True, mlp_bias=True)
    _randomize_biases(folder)

    model = loaded(folder)

    assert model.is_fused


def _randomize_biases(folder: Path) -> None:
    """A new model's biases are zero, which would prove nothing."""
    import torch
    from transformers import AutoModelForCausalLM

    net: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if name.endswith("bias"):
                weight.normal_()
    net.save_pretrained(folder)


@pytest.mark.parametrize("least", [0, 1 << 30])  # the smallest layer that is packed
def test_a_step_that_says_something_else_is_not_used(
    least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from assistants_api.engine import packed
    from assistants_api.engine.fused import FusedForward

    monkeypatch.setattr(packed, "_LEAST_WEIGHTS", least)
    right = FusedForward.__call__
    monkeypatch.setattr(FusedForward, "__call__", lambda self, *asked: right(self, *asked) * 1.01)

    model = loaded(tiny.build(tmp_path))

    assert not model.is_fused
    assert "the fused forward is not used" in caplog.text
    loop = Loop(model)
    loop.submit(1, a_prompt("hello", max_tokens=6))
    loop.run()
    assert loop.tokens[1] == generated(model, a_prompt("hello", max_tokens=6), 6)


def test_a_net_with_a_layer_of_another_kind_is_left_as_it_is(tmp_path: Path) -> None:
    """As in checkpoints of which some layers are quantised."""
    import torch
    from transformers import AutoModelForCausalLM

    from assistants_api.engine.fused import FusedForward

    class Other(torch.nn.Linear):
        pass

    net: Any = AutoModelForCausalLM.from_pretrained(tiny.build(tmp_path))
    ids = torch.arange(9)[None]
    wanted = net(ids).logits
    last = net.model.layers[-1].mlp
    last.up_proj.__class__ = Other

    with pytest.raises(TypeError, match="gate_proj"):
        FusedForward(net)

    assert torch.equal(net(ids).logits, wanted)
    assert {type(layer.self_attn.q_proj) for layer in net.model.layers} == {torch.nn.Linear}
    assert not any(hasattr(layer.self_attn, "qkv_proj") for layer in net.model.layers)
