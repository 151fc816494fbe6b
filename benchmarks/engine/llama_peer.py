"""llama.cpp as a contender of `benchmarks.engine`: many streams in one context, greedy, by its own batch decoding.

Runs under a Python of its own that has llama-cpp-python, gguf and safetensors' dependencies; knows nothing of ours.

    python llama_peer.py FOLDER GGUF F16|BF16
"""

import ctypes
import json
import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def read_tensors(path: Path) -> "dict[str, tuple[str, tuple[int, ...], bytes]]":
    """The tensors of a safetensors file: type, shape and bytes, so that no other library is needed."""
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    found = {}
    for name, facts in header.items():
        if name != "__metadata__":
            first, last = facts["data_offsets"]
            body = raw[8 + size + first : 8 + size + last]
            found[name] = (facts["dtype"], tuple(facts["shape"]), body)
    return found


def permuted(weight: Any, heads: int) -> Any:
    """llama.cpp wants the halves of each head's rotary pairs side by side."""
    shape = weight.shape
    return weight.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
LAYER = {
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}


def convert(folder: Path, target: Path, wanted: str) -> None:
    """Writes a Llama of transformers that was saved in bfloat16 as GGUF, its matrices as `wanted`."""
    import gguf

    config = json.loads((folder / "config.json").read_text())
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(str(target), "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    tokens = _vocabulary(folder, config["vocab_size"])
    merges = json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges([" ".join(each) if isinstance(each, list) else each for each in merges])
    for file in sorted(folder.glob("*.safetensors")):
        for name, (dtype, shape, body) in read_tensors(file).items():
            if name in NAMES:
                new = NAMES[name]
            else:
                _, _, layer, rest = name.split(".", 3)
                new = f"blk.{layer}.{LAYER[rest]}"
            weight = np.frombuffer(body, dtype={"BF16": np.uint16}[dtype]).reshape(shape)
            if new.endswith(("attn_q.weight", "attn_k.weight")):
                weight = permuted(weight, heads if "attn_q" in new else kv_heads)
            weight = np.ascontiguousarray(weight)
            full = (weight.astype(np.uint32) << 16).view(np.float32)
            if weight.ndim == 1:
                writer.add_tensor(new, full)  # norms are kept in full precision
            elif wanted == "BF16":
                writer.add_tensor(new, weight.view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
            else:
                writer.add_tensor(new, full.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _vocabulary(folder: Path, size: int) -> "list[str]":
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    named = dict(tokenizer["model"]["vocab"])
    named.update({each["content"]: each["id"] for each in tokenizer["added_tokens"]})
    by_id = {number: token for token, number in named.items()}
    return [by_id.get(number, f"<unused{number}>") for number in range(size)]


class Llama:
    """A context for as many streams as are asked for."""

    def __init__(self, gguf: Path) -> None:
        import llama_cpp

        self._lib: Any = llama_cpp
        self._lib.llama_backend_init()
        settings = self._lib.llama_model_default_params()
        self._model = self._lib.llama_model_load_from_file(str(gguf).encode(), settings)
        self._vocabulary = self._lib.llama_model_get_vocab(self._model)
        self._size = self._lib.llama_vocab_n_tokens(self._vocabulary)
        if not self._model:
            raise RuntimeError("llama.cpp cannot load it")

    def ids(self, text: str) -> "list[int]":
        """Tokens of a rendered text."""
        raw = text.encode()
        room = (ctypes.c_int32 * (len(raw) + 8))()
        count = self._lib.llama_tokenize(self._vocabulary, raw, len(raw), room, len(room), False, True)
        return list(room[:count])

    def measure(self, questions: "list[str]", new: int, form: Any = None) -> "dict[str, Any]":
        """All questions at once: prompts in turn, then one batch a step."""
        lib = self._lib
        prompts = [
            self.ids(f"<|im_start|>user\n{each}<|im_end|>\n<|im_start|>assistant\n") for each in questions
        ]
        settings = lib.llama_context_default_params()
        longest = max(len(each) for each in prompts) + new + 8
        settings.n_ctx = longest * len(prompts)
        settings.n_batch = max(512, len(prompts))
        settings.n_ubatch = 512
        settings.n_seq_max = len(prompts)
        settings.n_threads = settings.n_threads_batch = len(os.sched_getaffinity(0))
        context = lib.llama_init_from_model(self._model, settings)
        batch = lib.llama_batch_init(max(512, len(prompts)), 0, 1)
        began = time.perf_counter()
        at: list[list[float]] = [[] for _ in prompts]
        last = [0] * len(prompts)
        for number, prompt in enumerate(prompts):
            for start in range(0, len(prompt), 512):
                piece = prompt[start : start + 512]
                self._fill(batch, [(token, start + place, number) for place, token in enumerate(piece)])
                self._decode(context, batch)
            last[number] = self._likeliest(context, len(piece) - 1)
            at[number].append(time.perf_counter() - began)
        for step in range(1, new):
            rows = [(last[n], len(prompts[n]) + step - 1, n) for n in range(len(prompts))]
            self._fill(batch, rows, every=True)
            self._decode(context, batch)
            for number in range(len(prompts)):
                last[number] = self._likeliest(context, number)
                at[number].append(time.perf_counter() - began)
        seconds = time.perf_counter() - began
        lib.llama_batch_free(batch)
        lib.llama_free(context)
        return {"seconds": seconds, "answers": [[new, each] for each in at]}

    def _fill(self, batch: Any, rows: "list[tuple[int, int, int]]", *, every: bool = False) -> None:
        batch.n_tokens = len(rows)
        for place, (token, position, sequence) in enumerate(rows):
            batch.token[place] = token
            batch.pos[place] = position
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = sequence
            batch.logits[place] = every or place == len(rows) - 1

    def _decode(self, context: Any, batch: Any) -> None:
        if self._lib.llama_decode(context, batch) != 0:
            raise RuntimeError("llama_decode failed")

    def _likeliest(self, context: Any, place: int) -> int:
        found = self._lib.llama_get_logits_ith(context, place)
        return int(np.ctypeslib.as_array(found, shape=(self._size,)).argmax())


def main() -> None:
    """The child's side of `benchmarks.engine`."""
    sink = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder, target, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    if not target.exists():
        convert(folder, target, kind)
    llama = Llama(target)
    print("ready", file=sink, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        verb = job.pop("verb")
        try:
            told = getattr(llama, verb)(**job)
        except Exception as error:
            told = {"failed": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(told), file=sink, flush=True)


if __name__ == "__main__":
    main()
