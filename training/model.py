"""Step 2, model: a small Llama, an architecture that every inference server loads."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

CONTEXT = 4096


def new_model(vocabulary: int, *, end: int, pad: int) -> LlamaForCausalLM:
    """About three million random parameters."""
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=192,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=3,
        head_dim=32,
        intermediate_size=512,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        rms_norm_eps=1e-6,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        attention_dropout=0.0,
    )
    return LlamaForCausalLM(config)
