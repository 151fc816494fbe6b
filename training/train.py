"""Step 3, training: copying first, then every token (pre-training), then what the assistant says (fine-tuning).

    python -m training.train [--minutes 80]

    python -m training.train --start src/assistants_api/bundled --minutes 60 --first-draw 4000 --peak 0.4
    python -m training.train --start src/assistants_api/bundled --minutes 8 --first-draw 5000 --tokens 65536 --makers 14  # a GPU, 16 cores

Uses a GPU when there is one. Writes `out/model/` and `out/loss.png`; `--publish` also writes the package. `--start` goes on from a model
that was trained before; give it another first draw.
"""

import argparse
import random
import shutil
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoTokenizer, GenerationConfig

from training.model import Net, causal, exported, imported, turns, wire_copying
from training.precision import Muon
from training.prepare import OUT
from training.tokens import forms, siblings

# One conversation a row, padded to the next of these lengths; longer ones are left out.
LENGTHS = (96, 128, 192, 256, 320, 384, 512, 640, 768, 1024)
DRAW = 16_000  # conversations; each is seen once, while the next draw is being made
COPYING_STEPS = 200
PRETRAINING_SHARE = 0.12
PEAK, MATRIX_PEAK, FLOOR_SHARE = 4e-4, 4e-3, 0.02  # a faster embedding undoes what `wire_copying` laid
OWN_PEAK = 1e-4  # what a form of a word has of its own is learned last
DECAY_SHARE = 0.45  # the rates stay at their peak, and fall linearly in this last share; from the first step with `--start`
WARMUP_STEPS = 40
SAVE_SECONDS = 240
SPECIALS = 10  # ids below are never copied
BUNDLED = Path(__file__).parent.parent / "src" / "assistants_api" / "bundled"
MAKER = "nice", "-n", "15", sys.executable, "-m", "training.prepare", "--keep-tokenizer"
Batch = tuple[torch.Tensor, torch.Tensor]


class Draws:
    """Endless conversations: the next draws are made by processes of their own while one is trained on."""

    def __init__(self, first: int, makers: int) -> None:
        self._next = first
        self._making: deque[tuple[Path, subprocess.Popen[bytes]]] = deque()
        for _ in range(makers):
            self._start()

    def _start(self) -> None:
        file = OUT / f"draw_{self._next}.pt"
        made = subprocess.Popen(  # behind the training: the cores are its own when it wants them
            (*MAKER, "--samples", str(DRAW), "--draw", str(self._next), "--to", str(file))
        )
        self._making.append((file, made))
        self._next += 1

    def take(self) -> dict[str, Any]:
        """The next draw: what `prepare` saves."""
        file, made = self._making.popleft()
        if made.wait():
            raise SystemExit("a draw failed: see above")
        self._start()
        data: dict[str, Any] = torch.load(file)
        file.unlink()
        return data

    def close(self) -> None:
        """End the draws that nobody will use."""
        for _, made in self._making:
            made.terminate()
        for file, made in self._making:
            made.wait()
            file.unlink(missing_ok=True)


def batches(data: dict[str, Any], tokens: int, seed: int) -> list[Batch]:
    """Every conversation once, those of like length together: ids and weights, (rows, length) each, about `tokens` a batch."""
    rng = random.Random(seed)
    ids, weights = torch.split(data["ids"], data["lengths"]), torch.split(data["weights"], data["lengths"])
    waiting: dict[int, list[int]] = {length: [] for length in LENGTHS}
    made = []
    order = list(range(len(ids)))
    rng.shuffle(order)
    for place in order:
        length = next((n for n in LENGTHS if n >= len(ids[place])), None)
        if length is None:
            continue
        waiting[length].append(place)
        if len(waiting[length]) * length + length > tokens:
            made.append(_padded([ids[p] for p in waiting[length]], [weights[p] for p in waiting[length]], length))
            waiting[length] = []
    rng.shuffle(made)
    return made


def _padded(ids: list[torch.Tensor], weights: list[torch.Tensor], length: int) -> Batch:
    batch, weight = torch.zeros(len(ids), length, dtype=torch.long), torch.zeros(len(ids), length)
    for row, (one, its) in enumerate(zip(ids, weights, strict=True)):
        batch[row, : len(one)], weight[row, : len(one)] = one, its
    return batch, weight


def copies(rng: random.Random, others: torch.Tensor, tokens: int, length: int) -> Batch:
    """Random tokens, some stretches said again, half of them with another form of their first: half of what can be foretold weighs 1."""
    rows = tokens // length
    ids, weight = torch.randint(SPECIALS, len(others), (rows, length)), torch.zeros(rows, length)
    for row in range(rows):
        place = rng.randint(6, length // 3)
        while place < length - 4:
            start = rng.randint(0, place - 3)
            size = min(rng.randint(3, 32), place - start, length - place)
            ids[row, place : place + size] = ids[row, start : start + size].clone()
            if rng.random() < 0.5:
                ids[row, place] = others[ids[row, place]]
            weight[row, place + 1 : place + size] = (torch.rand(size - 1) < 0.5).float()
            place += size + rng.randint(1, 6)
    return ids, weight


def main() -> None:
    """Train for the given time and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--publish", action="store_true", help="write the weights into the package")
    parser.add_argument("--start", type=Path, help="a model folder to go on from, fine-tuning only")
    parser.add_argument("--new-tokens", action="store_true", help="with --start: go on with the tokenizer in out/tokenizer")
    parser.add_argument("--first-draw", type=int, default=1, help="another number, other conversations")
    parser.add_argument("--peak", type=float, default=1.0, help="share of the usual rates")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=8192, help="a batch")
    parser.add_argument("--copying", type=float, default=0.08, help="share of batches of random tokens to copy; half of it in the second half")
    parser.add_argument("--makers", type=int, default=1, help="processes that draw conversations: with a GPU, one for each core")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    start = arguments.start
    if start and not arguments.new_tokens:  # with its own tokenizer, which the draws use too
        AutoTokenizer.from_pretrained(start).save_pretrained(OUT / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(OUT / "tokenizer")
    kin = forms(tokenizer)
    others = siblings(kin)
    net = imported(start, tokenizer) if start else Net(kin)
    if not start:
        wire_copying(net)
    net.to(device)
    pretraining = 0.0 if start else PRETRAINING_SHARE
    decay = 1.0 if start else DECAY_SHARE
    copying_steps = 0 if start else COPYING_STEPS
    print(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} million parameters on {device}")
    torch._dynamo.config.cache_size_limit = 4 * len(LENGTHS)
    hidden = torch.compile(net.hidden, dynamic=False) if shutil.which("gcc") else net.hidden
    tables = {length: tuple(t.to(device) for t in (*turns(length), causal(length))) for length in LENGTHS}
    apart = {"embedding", "own", "differences"}
    matrices = [p for n, p in net.named_parameters() if p.ndim == 2 and n not in apart]
    vectors = [p for n, p in net.named_parameters() if p.ndim != 2] + [net.embedding, net.differences]
    optimizers = (
        (
            Muon(matrices, lr=MATRIX_PEAK, weight_decay=0.02),
            MATRIX_PEAK,
        ),
        (torch.optim.AdamW(vectors, lr=PEAK, betas=(0.9, 0.98), weight_decay=0.01, fused=True), PEAK),
        (torch.optim.AdamW([net.own], lr=OWN_PEAK, betas=(0.9, 0.98), weight_decay=0.1, fused=True), OWN_PEAK),
    )
    rng = random.Random(arguments.first_draw)
    began, limit = time.monotonic(), arguments.minutes * 60
    saved, seen = began, 0
    losses: list[tuple[float, float]] = []
    smooth: dict[str, float] = {}
    draws = Draws(arguments.first_draw, arguments.makers)
    waiting: list[Batch] = []
    bar = tqdm(total=round(limit), unit="s", mininterval=15, disable=None)
    for step in range(10**9):
        share = (time.monotonic() - began) / limit
        if share >= 1:
            break
        copying = step < copying_steps or rng.random() < arguments.copying * (0.5 if share > 0.5 else 1.0)
        if copying:
            batch, weight = copies(rng, others, arguments.tokens, rng.choice((128, 128, 128, 256, 512)))
        else:
            waiting = waiting or batches(draws.take(), arguments.tokens, step)
            batch, weight = waiting.pop()
        chosen = weight[:, 1:].flatten() > (0.0 if share < pretraining else 0.5)
        slope = FLOOR_SHARE + (1 - FLOOR_SHARE) * min(1.0, (1 - share) / decay)
        for optimizer, peak in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = arguments.peak * peak * slope * min(1.0, (step + 1) / WARMUP_STEPS)
        table = net.table()
        parts = hidden(batch.to(device), table, *tables[batch.shape[1]])
        scores = net.scores(*(part[:, :-1].flatten(0, 1)[chosen.to(device)] for part in parts), table)
        loss = functional.cross_entropy(scores, batch[:, 1:].flatten()[chosen].to(device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for optimizer, _ in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        kind, value = "copying" if copying else "said", loss.item()
        smooth[kind] = 0.98 * smooth.get(kind, value) + 0.02 * value
        losses.append((share, value))
        seen += batch.numel()
        bar.n = round(time.monotonic() - began)
        if step % 50 == 49:
            shown = ", ".join(f"{name} {value:.4f}" for name, value in smooth.items())
            bar.set_postfix_str(f"step {step + 1} loss {shown}")
            if bar.disable:
                print(f"{bar.n} s, step {step + 1}, {seen / 1e6:.1f} million tokens, loss {shown}", flush=True)
        if time.monotonic() - saved > SAVE_SECONDS:
            saved = time.monotonic()
            save(net, tokenizer, OUT / "checkpoint")
    draws.close()
    bar.close()
    save(net, tokenizer, OUT / "model")
    plot(losses)
    if arguments.publish:
        publish()


def save(net: Net, tokenizer: Any, folder: Path) -> None:
    """An ordinary model folder, weights in bfloat16."""
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    model = exported(net, end=end, pad=pad)
    model.generation_config = GenerationConfig(
        eos_token_id=[end, pad], pad_token_id=pad, do_sample=True, min_p=0.8, max_new_tokens=512
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
