"""Step 1, data: conversations made by programs, rendered with the chat template, as token ids with weights.

    python -m training.prepare [--samples 60000]

Writes `out/tokenizer/` and `out/train.pt` (token ids and their loss weights, end to end).
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from training.draw import Draw
from training.mix import sample
from training.swap import SHARE, SKILLS, Swap
from training.tokens import train_tokenizer

OUT = Path(__file__).parent / "out"
SEED = 20261124
CONTEXT_WEIGHT = 0.1


def texts(samples: int = 12000) -> Iterator[str]:
    """What the tokenizer is trained on."""
    rng = Draw(SEED)
    for made in (sample(rng) for _ in range(samples)):
        said = (m.get("content") or json.dumps(m.get("tool_calls"), ensure_ascii=False) for m in made["messages"])
        yield "\n".join(said) + json.dumps(made.get("tools"), ensure_ascii=False)


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
    if not arguments.keep_tokenizer:
        train_tokenizer(texts()).save_pretrained(OUT / "tokenizer")
    fast = AutoTokenizer.from_pretrained(OUT / "tokenizer")
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
