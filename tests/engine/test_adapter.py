"""LoRA adapters from a folder: the answers are the adapted model's, and what does not fit says why."""

from pathlib import Path
from typing import Any

import pytest
import torch

from assistants_api.engine.config import EngineConfig
from assistants_api.engine.model import Model
from assistants_api.engine.weights import CannotLoadModel
from tests.engine.conftest import a_prompt
from tests.engine.processor import CAN_PACK
from tests.engine.test_scheduler import Loop

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),
]


@pytest.fixture(scope="module")
def adapter(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an adapter that changes much."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    net: Any = AutoModelForCausalLM.from_pretrained(str(tiny_folder))
    settings = LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("adapter")
    get_peft_model(net, settings).save_pretrained(str(folder))
    return folder


def logits(model: Model) -> torch.Tensor:
    with torch.inference_mode():
        return model.net(input_ids=torch.arange(3, 20)[None]).logits[0, -1].float()


def test_the_model_says_what_peft_says(tiny_folder: Path, adapter: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    net: Any = AutoModelForCausalLM.from_pretrained(str(tiny_folder))
    adapted: Any = PeftModel.from_pretrained(net, str(adapter)).eval()
    model = Model(EngineConfig(model=tiny_folder, dtype="fp32", device="cpu", adapter=adapter))
    with torch.inference_mode():
        wanted = adapted(input_ids=torch.arange(3, 20)[None]).logits[0, -1].float()

    torch.testing.assert_close(logits(model), wanted, rtol=1e-3, atol=1e-4)
    plain = Model(EngineConfig(model=tiny_folder, dtype="fp32", device="cpu"))
    assert float((logits(plain) - wanted).norm()) > 0.01 * float(wanted.norm())
    assert model.alone_because is None


@pytest.mark.parametrize("dtype", ["bf16", "int8"])
def test_an_adapted_model_can_be_packed(tiny_folder: Path, adapter: Path, dtype: str) -> None:
    model = Model(EngineConfig(model=tiny_folder, dtype=dtype, device="cpu", adapter=adapter))

    assert (model.packed_layers > 10) == CAN_PACK
    precisions = {"bf16": "bfloat16", "int8": "int8" if CAN_PACK else "float32"}
    assert model.precision == precisions[dtype]
    loop = Loop(model)
    for turn in range(4):  # from many rows down to one
        loop.submit(turn, a_prompt(f"hello {turn}", max_tokens=8 * (turn + 1)))
    loop.run()
    assert not loop.refused
    assert all(loop.stop(turn).usage.completion_tokens > 0 for turn in range(4))


def test_what_is_no_adapter_or_does_not_fit_says_why(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotLoadModel, match=r"adapter_config\.json is missing"):
        Model(EngineConfig(model=tiny_folder, device="cpu", adapter=tmp_path))
    (tmp_path / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "r": 4, "target_modules": ["no_such_layer"], "task_type": "CAUSAL_LM"}'
    )
    with pytest.raises(CannotLoadModel, match="does not fit the model"):
        Model(EngineConfig(model=tiny_folder, device="cpu", adapter=tmp_path))
