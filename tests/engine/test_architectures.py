"""Real architectures, shrunk: our step loop says token for token what transformers' own `generate` says."""

from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.prompt import ChatMessage, Prompt, Started, Stop
from assistants_api.engine.config import EngineConfig
from tests.engine import tiny
from tests.engine.conftest import a_prompt
from tests.engine.test_scheduler import Loop, generated

pytestmark = pytest.mark.model

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 256,
}
LONG_ROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0, 1.1, 1.3, 1.7, 2.0, 2.2, 2.5, 3.0],
    "long_factor": [1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0],
    "original_max_position_embeddings": 512,
}
GEMMA3_ROPE = {
    "full_attention": {"rope_type": "linear", "rope_theta": 1_000_000.0, "factor": 8.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
}
MLA = {
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
    "num_key_value_heads": 4,
    "head_dim": None,
    "first_k_dense_replace": 1,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 1,
    "moe_intermediate_size": 32,
}
NEAR = {"sliding_window": 16}
LOCAL = {**NEAR, "layer_types": ["sliding_attention", "sliding_attention", "full_attention"]}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}

# The shapes that make each family different: wide heads, shared heads, windows, caps, scaled positions.
TABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {"head_dim": 32}),
    "qwen3, scaled by yarn": ("qwen3", {"rope_parameters": YARN}),
    "llama 3": ("llama", {"rope_parameters": LLAMA3_ROPE, "tie_word_embeddings": False}),
    "smollm2": ("llama", {"num_attention_heads": 3, "num_key_value_heads": 1, "hidden_size": 48}),
    "smollm3": ("smollm3", {"no_rope_layers": [1, 1, 0]}),
    "mistral 0.1, sliding": ("mistral", NEAR),
    "mistral 0.3": ("mistral", {"sliding_window": None, "head_dim": 32}),
    "gemma": ("gemma", {"num_key_value_heads": 1}),
    "gemma 2, capped": (
        "gemma2",
        {**NEAR, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "query_pre_attn_scalar": 24},
    ),
    "gemma 3": ("gemma3_text", {**LOCAL, "rope_parameters": GEMMA3_ROPE}),
    "phi": ("phi", {"num_key_value_heads": 4}),
    "phi 3, sliding": ("phi3", NEAR),
    "phi 3.5, long": ("phi3", {"rope_parameters": LONG_ROPE}),
    "mixtral": ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen3 moe": ("qwen3_moe", EXPERTS),
    "gpt-oss, sinks": ("gpt_oss", {**LOCAL, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "deepseek 3, latent attention": ("deepseek_v3", MLA),
    "olmo 3": ("olmo3", LOCAL),
    "granite": ("granite", {"attention_multiplier": 0.3, "residual_multiplier": 0.5, "logits_scaling": 2.0}),
    "cohere 2": ("cohere2", LOCAL),
    "glm 4": ("glm4", {}),
    "gpt-2": ("gpt2", {}),
    "gpt-neox": ("gpt_neox", {}),
    "opt": ("opt", {}),
}

PROMPTS = [a_prompt("hello " * n + "什么是🙂 " * (n % 4), max_tokens=16 + n) for n in (2, 9, 5, 14)]


def oracle(folder: Path, model: Any) -> Any:
    """The same weights with plain attention, behind the face that `generated` knows."""
    import torch
    from transformers import AutoModelForCausalLM

    class Oracle:
        ids, template = model.ids, model.template
        net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")

    return Oracle


def thread(loop: Loop, question: str, answer: str) -> Prompt:
    """The second turn of a thread."""
    messages = (
        ChatMessage("user", question),
        ChatMessage("assistant", answer),
        ChatMessage("user", "and then?"),
    )
    return Prompt("r", "m", messages, sampling=a_prompt(max_tokens=20).sampling)


@pytest.mark.parametrize("name", TABLE)
def test_every_architecture_says_what_generate_says(name: str, tmp_path: Path) -> None:
    """Greedy, fp32: neighbours come and go, prompts are read in chunks, a second turn finds its first."""
    from assistants_api.engine.model import Model

    kind, changes = TABLE[name]
    folder = tiny.build(tmp_path, kind=kind, **changes)
    model = Model(EngineConfig(model=folder, dtype="fp32", max_context=512))
    plain = oracle(folder, model)
    loop = Loop(model, prefill_chunk=16)
    loop.submit(9, a_prompt("a neighbour that goes away", max_tokens=200, temperature=1.0))
    for turn, prompt in enumerate(PROMPTS):
        loop.submit(turn, prompt)
        loop.step()
        if turn == 2:
            loop.scheduler.cancel(9)
    loop.run()
    question = "the quick brown fox jumps over the lazy dog " * 2
    loop.submit(10, a_prompt(question, max_tokens=8))
    loop.run()
    second = thread(loop, question, loop.text(10))
    loop.submit(11, second)
    loop.submit(12, PROMPTS[0])
    loop.run()

    assert model.net.dtype == plain.net.dtype
    for turn, prompt in [*enumerate(PROMPTS), (11, second), (12, PROMPTS[0])]:
        count = prompt.sampling.max_tokens or 0
        assert loop.tokens[turn] == generated(plain, prompt, count)[: len(loop.tokens[turn])]
        assert isinstance(loop.parts[turn][-1], Stop)
    started = loop.parts[11][0]
    assert isinstance(started, Started)
    assert started.cached_tokens > 16
