"""Step 3, training: first on every token (pre-training), then on what the assistant says (fine-tuning).

    python -m training.train [--minutes 20]

Uses a GPU when there is one. Writes `out/model/` and `out/loss.png`; `--publish` also writes the package.
"""

import argparse
import copy
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoTokenizer, GenerationConfig, LlamaForCausalLM

from training.model import new_model
from training.prepare import OUT

# Rows and their length: attention over short rows costs a quarter of a step's time, over rows of 1,024 two thirds.
SHAPES = ((16, 256), (11, 384), (8, 512), (6, 704), (4, 1024), (2, 2048))
LONG_SHARE = 0.05  # of the conversations go into the longest rows, so that late positions are learned too
EAGER_LENGTH = 704
DRAW = 12_000  # conversations; each is seen once, while the next draw is being made
PRETRAINING_SHARE = 0.2
PEAK, MATRIX_PEAK, FLOOR_SHARE = 1.5e-3, 4e-3, 0.02
DECAY_SHARE = 0.5  # the rates stay at their peak, and fall linearly in this last share
WARMUP_STEPS = 50
SAVE_SECONDS = 300
BUNDLED = Path(__file__).parent.parent / "src" / "assistants_api" / "bundled"
Batch = tuple[torch.Tensor, torch.Tensor]


class Draws:
    """Endless conversations: the next draw is made by a process of its own while one is trained on."""

    def __init__(self, first: int) -> None:
        self._number = first
        self._next = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            (sys.executable, "-m", "training.prepare", "--keep-tokenizer")
            + ("--samples", str(DRAW), "--draw", str(self._number), "--to", str(OUT / "next.pt"))
        )

    def take(self) -> list[Batch]:
        """The batches of the next draw."""
        if self._next.wait():
            raise SystemExit("a draw failed: see above")
        made = batches(torch.load(OUT / "next.pt"), self._number)
        self._number += 1
        self._next = self._start()
        return made

    def close(self) -> None:
        """End the draw that nobody will use."""
        self._next.terminate()
        self._next.wait()


def batches(data: dict[str, Any], seed: int) -> list[Batch]:
    """Every conversation once, in a new order, packed whole into rows: ids and weights, (rows, length) each."""
    rng = random.Random(seed)
    ids, weights = torch.split(data["ids"], data["lengths"]), torch.split(data["weights"], data["lengths"])
    order = list(range(len(ids)))
    rng.shuffle(order)
    split: list[list[int]] = [[] for _ in SHAPES]
    for place in order:
        fitting = [n for n, (_, length) in enumerate(SHAPES) if len(ids[place]) <= length]
        if fitting:
            split[fitting[-1] if rng.random() < LONG_SHARE else fitting[0]].append(place)
    made = []
    for (rows, length), places in zip(SHAPES, split, strict=True):
        packed = rows_of(places, [len(i) for i in ids], length)
        for start in range(0, len(packed) - rows + 1, rows):
            batch = torch.zeros(rows, length, dtype=torch.long)
            weight = torch.zeros(rows, length)
            for number, row in enumerate(packed[start : start + rows]):
                joined = torch.cat([ids[place] for place in row])
                batch[number, : len(joined)] = joined
                weight[number, : len(joined)] = torch.cat([weights[place] for place in row])
            made.append((batch, weight))
    rng.shuffle(made)
    return made


def rows_of(places: list[int], sizes: list[int], length: int) -> list[list[int]]:
    """First fit among the last few open rows; what is longer than a row is left out."""
    closed: list[list[int]] = []
    unfilled: list[tuple[int, list[int]]] = []
    for place in places:
        if sizes[place] > length:
            continue
        for number, (used, row) in enumerate(unfilled):
            if used + sizes[place] <= length:
                row.append(place)
                unfilled[number] = (used + sizes[place], row)
                break
        else:
            unfilled.append((sizes[place], [place]))
            if len(unfilled) > 12:
                fullest = max(range(len(unfilled)), key=lambda n: unfilled[n][0])
                closed.append(unfilled.pop(fullest)[1])
    return closed + [row for _, row in unfilled]


def main() -> None:
    """Train for the given time and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--publish", action="store_true", help="write the weights into the package")
    parser.add_argument("--resume", action="store_true", help="go on from out/model, fine-tuning only")
    parser.add_argument("--first-draw", type=int, default=1, help="another number, other conversations")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(OUT / "tokenizer")
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    model = new_model(len(tokenizer), end=end, pad=pad)
    if arguments.resume:
        model.load_state_dict(LlamaForCausalLM.from_pretrained(OUT / "model").float().state_dict())
    model.to(device)
    pretraining = 0.0 if arguments.resume else PRETRAINING_SHARE
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters on {device}")
    body = torch.compile(model.model, dynamic=False) if shutil.which("gcc") else model.model
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers = (
        (
            torch.optim.Muon(matrices, lr=MATRIX_PEAK, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
            MATRIX_PEAK,
        ),
        (torch.optim.AdamW(others, lr=PEAK, betas=(0.9, 0.98), weight_decay=0.01), PEAK),
    )
    began, limit = time.monotonic(), arguments.minutes * 60
    saved = began
    losses: list[tuple[float, float]] = []
    step, epoch, smooth = 0, 0, None
    draws = Draws(arguments.first_draw)
    bar = tqdm(total=round(limit), unit="s", mininterval=15, disable=None)
    while time.monotonic() - began < limit:
        for batch, weight in draws.take():
            share = (time.monotonic() - began) / limit
            if share >= 1:
                break
            weight = weight[:, 1:].flatten()
            chosen = weight > (0.0 if share < pretraining else 0.5)
            slope = FLOOR_SHARE + (1 - FLOOR_SHARE) * min(1.0, (1 - share) / DECAY_SHARE)
            for optimizer, peak in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = peak * slope * min(1.0, (step + 1) / WARMUP_STEPS)
            if device == "cpu":  # on CPUs the fused attention takes twice as long over short rows
                model.config._attn_implementation = "eager" if batch.shape[1] <= EAGER_LENGTH else "sdpa"
            with torch.autocast(device, torch.bfloat16):
                hidden = body(input_ids=batch.to(device), use_cache=False).last_hidden_state
                logits = model.lm_head(hidden[:, :-1].flatten(0, 1)[chosen.to(device)])
            loss = functional.cross_entropy(logits.float(), batch[:, 1:].flatten()[chosen].to(device))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer, _ in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
            losses.append((share, loss.item()))
            step += 1
            bar.n = round(time.monotonic() - began)
            if step % 50 == 0:
                bar.set_postfix_str(f"step {step} epoch {epoch} loss {smooth:.4f}")
                if bar.disable:
                    print(f"{bar.n} s, step {step}, draw {epoch}, loss {smooth:.4f}", flush=True)
            if time.monotonic() - saved > SAVE_SECONDS:
                saved = time.monotonic()
                save(model, tokenizer, OUT / "checkpoint")
        epoch += 1
    draws.close()
    bar.close()
    save(model, tokenizer, OUT / "model")
    plot(losses)
    if arguments.publish:
        publish()


def save(model: torch.nn.Module, tokenizer: object, folder: Path) -> None:
    """An ordinary model folder, weights in bfloat16."""
    model = copy.deepcopy(model)
    end, pad = model.config.eos_token_id, model.config.pad_token_id
    model.generation_config = GenerationConfig(
        eos_token_id=[end, pad], pad_token_id=pad, do_sample=True, min_p=0.6, max_new_tokens=512
    )
    model.to("cpu", torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def publish() -> None:
    """Put the trained model into the package; its card stays."""
    for file in sorted((OUT / "model").iterdir()):
        shutil.copy(file, BUNDLED / file.name)
    print(f"published to {BUNDLED}")


def plot(losses: list[tuple[float, float]]) -> None:
    """The loss over the training, as a picture."""
    try:
        import matplotlib
    except ImportError:
        print("no matplotlib: no loss plot (pip install -e '.[training]')")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.plot([share for share, _ in losses], [loss for _, loss in losses], linewidth=0.5)
    axes.axvline(PRETRAINING_SHARE, color="grey", linestyle=":", label="pre-training | fine-tuning")
    axes.set(xlabel="share of the training time", ylabel="loss", yscale="log")
    axes.legend()
    figure.tight_layout()
    figure.savefig(OUT / "loss.png", dpi=110)


if __name__ == "__main__":
    main()
