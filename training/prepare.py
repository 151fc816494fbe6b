"""Step 1, data: conversations made by programs, rendered with the chat template, as token ids with weights.

    python -m training.prepare [--samples 60000]

Writes `out/tokenizer/` and `out/train.pt` (token ids and their loss weights, end to end).
"""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from training.draw import Draw
from training.mix import sample
from training.swap import SHARE, SKILLS, Swap

OUT = Path(__file__).parent / "out"
TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text()
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tools>", "</tools>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
VOCABULARY = 4096
SEED = 20261124
CONTEXT_WEIGHT = 0.1


def train_tokenizer(samples: int = 12000) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer over made conversations; digits stay single, so that numbers can be copied."""
    rng = Draw(SEED)
    texts = (
        "\n".join(str(m.get("content") or m.get("tool_calls")) for m in made["messages"])
        + str(made.get("tools", ""))
        for made in (sample(rng) for _ in range(samples))
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(MARKS),
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=8,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        bos_token=None,
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )
    fast.add_tokens(MARKS, special_tokens=False)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(OUT / "tokenizer")
    return fast


def encode(fast: PreTrainedTokenizerFast, made: dict) -> tuple[list[int], list[float]]:
    """Token ids of a conversation; what the assistant says weighs 1, the rest a little."""
    text = fast.apply_chat_template(made["messages"], tools=made.get("tools"), tokenize=False)
    ids = fast(text, add_special_tokens=False)["input_ids"]
    start, end = fast.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    opening = fast("assistant\n", add_special_tokens=False)["input_ids"]
    weights = [CONTEXT_WEIGHT] * len(ids)
    place = 0
    while place < len(ids):
        if ids[place] == start and ids[place + 1 : place + 1 + len(opening)] == opening:
            place += 1 + len(opening)
            while place < len(ids):
                weights[place] = 1.0
                if ids[place] == end:
                    break
                place += 1
        place += 1
    return ids, weights


def main() -> None:
    """Make the tokenizer and the training data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=60000)
    parser.add_argument("--draw", type=int, default=1, help="another number, other conversations")
    parser.add_argument("--keep-tokenizer", action="store_true", help="use the one in out/tokenizer")
    parser.add_argument("--to", type=Path, default=OUT / "train.pt")
    arguments = parser.parse_args()
    samples = arguments.samples
    OUT.mkdir(exist_ok=True)
    fast = AutoTokenizer.from_pretrained(OUT / "tokenizer") if arguments.keep_tokenizer else train_tokenizer()
    rng, swap = Draw(SEED + arguments.draw), Swap(fast)
    all_ids: list[int] = []
    all_weights: list[float] = []
    lengths: list[int] = []
    for _ in tqdm(range(samples), desc="conversations", mininterval=10, disable=None):
        made = sample(rng)
        ids, weights = encode(fast, made)
        if made["skill"] in SKILLS and rng.happens(SHARE):
            said = [weight == 1.0 for weight in weights]
            ids = swap(ids, said, rng, made["skill"])
        all_ids += ids
        all_weights += weights
        lengths.append(len(ids))
    data = {
        "ids": torch.tensor(all_ids, dtype=torch.int16),
        "weights": torch.tensor(all_weights, dtype=torch.float16),
        "lengths": lengths,
    }
    unfinished = arguments.to.with_suffix(".new")
    torch.save(data, unfinished)
    unfinished.replace(arguments.to)
    print(f"{samples} conversations, {len(all_ids)} tokens, vocabulary {len(fast)}")


if __name__ == "__main__":
    main()
