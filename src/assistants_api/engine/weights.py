"""A model's weights: from where they lie to where they are used, in the precision that is computed there."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from assistants_api.engine import attention, machine
from assistants_api.engine.packed import widen

SMALL = 32_000_000  # parameters below which fp32 is as quick as bf16, and one thread as two


class CannotLoadModel(Exception):
    """Why this model does not run here."""


def check_place(source: str) -> None:
    """What can only be meant as a folder must be one with a model."""
    folder = Path(source)
    if folder.is_file():
        raise CannotLoadModel(
            f"{source} is a file; a model is a folder with config.json, weights and a tokenizer. A GGUF file"
            " is for a server like llama.cpp, with ASSISTANTS_ENGINE=remote."
        )
    is_path = folder.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1
    if is_path and not folder.exists():
        raise CannotLoadModel(f"There is no folder {source}.")
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise CannotLoadModel(f"The folder {source} holds no model (config.json is missing).")


def device_for(wanted: str) -> torch.device:
    """The device of this name; `auto` is the best that there is."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def load(
    source: str, settings: Any, dtype: str, device: torch.device, *, may_widen: bool
) -> tuple[Any, bool]:
    """The model, and whether it computes in full precision.

    `may_widen`: its matrices may then stay in the sixteen bits that they were saved in until they are packed.
    """
    names = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    names |= {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
    if dtype != "auto" and dtype not in names:
        raise CannotLoadModel(f"Unknown dtype '{dtype}'. Use auto, bf16, fp16, fp32 or int8.")
    wanted = names.get(dtype)
    is_quantised = getattr(settings, "quantization_config", None) is not None
    may_widen = may_widen and not is_quantised and device.type == "cpu"
    net: Any
    kind: Any = AutoModelForCausalLM
    if getattr(settings, "is_encoder_decoder", False):
        kind = AutoModelForSeq2SeqLM
    as_saved = wanted is None or (wanted == torch.float32 and may_widen)
    options: dict[str, Any] = {"dtype": "auto" if as_saved else wanted, "config": settings}
    try:
        net = kind.from_pretrained(source, attn_implementation="sdpa", **options)
        net.set_attn_implementation(attention.NAME)
    except ValueError as error:
        if "scaled_dot_product" not in str(error) and "sdpa" not in str(error):
            raise
        net = kind.from_pretrained(source, attn_implementation="eager", **options)
    if getattr(net, "hf_quantizer", None) is None:
        wanted = wanted or _best_dtype(net, device)
        if wanted == torch.float32 and may_widen:
            widen(net)
        else:
            net = net.to(wanted)
    return net.to(device).eval(), wanted == torch.float32


def adapted(net: Any, folder: Path) -> Any:
    """The model with a LoRA adapter added to its weights; no step is slower for it."""
    if not (folder / "adapter_config.json").is_file():
        raise CannotLoadModel(f"The folder {folder} holds no adapter (adapter_config.json is missing).")
    try:
        from peft import PeftModel
    except ImportError as error:
        raise CannotLoadModel(
            f"ASSISTANTS_ADAPTER needs pip install 'assistants-api[lora]': {error}"
        ) from error
    try:
        whole: Any = PeftModel.from_pretrained(net, str(folder))
        return whole.merge_and_unload().eval()
    except (RuntimeError, ValueError, KeyError) as error:
        words = " ".join(str(error).split())[:300]
        raise CannotLoadModel(f"The adapter {folder} does not fit the model: {words}") from error


def _best_dtype(net: Any, device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    is_small = sum(p.numel() for p in net.parameters()) < SMALL
    return torch.bfloat16 if machine.has_quick_bf16() and not is_small else torch.float32
