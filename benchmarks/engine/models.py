"""The models, and what they are asked."""

import json
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, int]] = {
    "100m": {
        "hidden_size": 768,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_key_value_heads": 4,
        "vocab_size": 32000,
    },
    "600m": {
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "vocab_size": 151936,
    },
}


SPOKEN = (
    "function call, functions never seen",
    "tells the output",
    "grounded answer with its marker",
    "extraction by a schema",
    "Python call",
    "glossary, other wordings",
)

FORM = {
    "type": "object",
    "properties": {
        "topic": {"enum": ["weather", "orders", "documents", "computing", "other"]},
        "is_a_question": {"type": "boolean"},
        "person": {"type": ["string", "null"]},
        "order_number": {"type": ["string", "null"]},
    },
    "required": ["topic", "is_a_question", "person", "order_number"],
    "additionalProperties": False,
}

WORDS = "the quick brown fox jumps over the lazy dog while it rains in the harbour "


def prepare(name: str, folder: Path) -> Path:
    """A folder with the model of this name, whose answers do not end by themselves."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from assistants_api.engine.config import BUNDLED_MODEL

    tokenizer: Any = AutoTokenizer.from_pretrained(str(BUNDLED_MODEL))
    known = len(tokenizer)
    net: Any
    if name == "bundled":
        net = AutoModelForCausalLM.from_pretrained(str(BUNDLED_MODEL), dtype=torch.bfloat16)
    else:
        torch.manual_seed(1)
        shape = SHAPES[name]
        config = LlamaConfig(
            **shape, head_dim=64, max_position_embeddings=8192, tie_word_embeddings=True, eos_token_id=2
        )
        net = LlamaForCausalLM(config).to(torch.bfloat16)
    ends = {tokenizer.eos_token_id, *tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    with torch.no_grad():
        weight = net.get_input_embeddings().weight
        weight[sorted(ends)] = 0
        weight[known:] = 0
    net.generation_config.do_sample = False
    net.generation_config.min_p = None
    net.generation_config.temperature = None
    target = folder / name
    net.save_pretrained(str(target))
    tokenizer.save_pretrained(str(target))
    return target


def computes_in_full(folder: Path) -> bool:
    """Whether everybody computes with this model in full precision; all weights are saved in bfloat16."""
    from assistants_api.engine.machine import has_quick_bf16

    return folder.name == "bundled" or not has_quick_bf16()


def question(tokens: int, number: int) -> str:
    """About so many tokens, different from the first word on for each number."""
    return f"{number} " + WORDS * max(1, tokens // 28)


def conversations(seed: int, *, in_form: bool = False) -> list[Any]:
    """Prompts of the kinds that the bundled model was made for, from what it was never trained on; or all in a form."""
    from training.draw import Draw
    from training.evaluate import SKILLS, item_of

    from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, ToolCall

    prompts = []
    for number, name in enumerate(SPOKEN):
        rng = Draw(seed + number, held=True)
        for item in (item_of(SKILLS[name], SKILLS[name].maker(rng)) for _ in range(6)):
            messages = []
            for said in item.messages:
                calls = tuple(
                    ToolCall(call["id"], call["function"]["name"], json.dumps(call["function"]["arguments"]))
                    for call in said.get("tool_calls", ())
                )
                text = said.get("content") or ""
                messages.append(ChatMessage(said["role"], text, calls, said.get("tool_call_id")))
            sampling = Sampling(temperature=0.0, max_tokens=120)
            form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": FORM, "strict": True}}
            prompts.append(
                Prompt(
                    "bench",
                    "m",
                    tuple(messages),
                    tools=() if in_form else tuple(item.tools or ()),
                    sampling=sampling,
                    response_format=form if in_form else "auto",
                )
            )
    return prompts
