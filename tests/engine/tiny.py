"""Builds a tiny random model with a tokenizer of its own, as an ordinary local folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEMPLATE = """{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}
{% endif %}<tools>
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}</tools>
Call: <tool_call>{"name": ..., "arguments": ...}</tool_call><|im_end|>
{% elif messages[0].role == 'system' %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif %}{%- for m in messages %}{% if m.role == 'system' %}{% elif m.role == 'tool' %}<|im_start|>user
<tool_response>
{{ m.content }}
</tool_response><|im_end|>
{% else %}<|im_start|>{{ m.role }}
{{ m.content }}{% for call in m.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

_WORDS = [
    "hello there, how are you today?",
    "the quick brown fox jumps over the lazy dog",
    "什么是人工智能？ 人工智能是计算机科学的一个分支。",
    '{"name": "get_weather", "arguments": {"city": "Paris"}}',
    "grüße aus Köln, naïve café 🙂🚀",
]


def build(
    folder: Path,
    *,
    seed: int = 7,
    kind: str = "qwen3",
    window: int = 1024,
    template: str = TEMPLATE,
    special: Sequence[str] = (),
    **changes: Any,
) -> Path:
    """A folder with a random model of about a hundred thousand parameters.

    `special` are more special tokens. `changes` replace fields of the model's configuration; a field that is
    None is left to its default.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
        PreTrainedTokenizerFast,
    )

    torch.set_num_threads(1)  # two threads of many tests on few cores mostly wait for each other
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", *special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_WORDS * 4, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    wrapped.chat_template = template
    wrapped.save_pretrained(folder)
    fields: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": window,
        "tie_word_embeddings": True,
        "initializer_range": 0.25,
    }
    fields = {name: value for name, value in {**fields, **changes}.items() if value is not None}
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(wrapped),
        eos_token_id=wrapped.eos_token_id,
        pad_token_id=wrapped.pad_token_id,
        bos_token_id=None,
        **fields,
    )
    torch.manual_seed(seed)
    of = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = of.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    return folder
