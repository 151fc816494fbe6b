"""Step 3, training: first on every token (pre-training), then on what the assistant says (fine-tuning).

    python -m training.train [--minutes 20]

Uses a GPU when there is one. Writes `out/model/` and `out/loss.png`; `--publish` also writes the package.
"""

import argparse
import shutil
import time
from pathlib import Path

import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoTokenizer, GenerationConfig, LlamaForCausalLM

from training.model import new_model
from training.prepare import OUT

LENGTH = 512
ROWS = 8
PRETRAINING_SHARE = 0.25
PEAK, FLOOR = 2e-3, 5e-5
WARMUP_STEPS = 100
BUNDLED = Path(__file__).parent.parent / "src" / "assistants_api" / "bundled"


def packed(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Every conversation once, in a new order, end to end, cut into rows."""
    data = torch.load(OUT / "train.pt")
    order = torch.randperm(len(data["lengths"]), generator=torch.Generator().manual_seed(seed)).tolist()
    ids, weights = torch.split(data["ids"], data["lengths"]), torch.split(data["weights"], data["lengths"])
    ids = torch.cat([ids[place] for place in order]).long()
    weights = torch.cat([weights[place] for place in order]).float()
    rows = len(ids) // LENGTH
    return ids[: rows * LENGTH].view(rows, LENGTH), weights[: rows * LENGTH].view(rows, LENGTH)


def main() -> None:
    """Train for the given time and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--publish", action="store_true", help="write the weights into the package")
    parser.add_argument("--resume", action="store_true", help="go on from out/model, fine-tuning only")
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
    peak, pretraining = (PEAK / 2, 0.0) if arguments.resume else (PEAK, PRETRAINING_SHARE)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters on {device}")
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
        lr=PEAK,
        betas=(0.9, 0.98),
    )
    began, limit = time.monotonic(), arguments.minutes * 60
    losses: list[tuple[float, float]] = []
    step, epoch, smooth = 0, 0, None
    bar = tqdm(total=round(limit), unit="s", mininterval=15)
    while time.monotonic() - began < limit:
        ids, weights = packed(epoch)
        epoch += 1
        for start in range(0, len(ids) - ROWS + 1, ROWS):
            share = (time.monotonic() - began) / limit
            if share >= 1:
                break
            batch = ids[start : start + ROWS].to(device)
            weight = weights[start : start + ROWS, 1:].to(device)
            if share < pretraining:
                weight = torch.ones_like(weight)
            rate = FLOOR + (peak - FLOOR) * 0.5 * (1 + torch.cos(torch.tensor(share * 3.14159)).item())
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / WARMUP_STEPS)
            with torch.autocast(device, torch.bfloat16):
                logits = model(input_ids=batch, use_cache=False).logits
            loss = functional.cross_entropy(
                logits[:, :-1].float().flatten(0, 1), batch[:, 1:].flatten(), reduction="none"
            ).view_as(weight)
            loss = (loss * weight).sum() / weight.sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
            losses.append((share, loss.item()))
            step += 1
            bar.n = round(time.monotonic() - began)
            bar.set_postfix_str(f"step {step} epoch {epoch} loss {smooth:.4f}", refresh=False)
            bar.refresh() if step % 50 == 0 else None
    bar.close()
    save(model, tokenizer, OUT / "model")
    plot(losses)
    if arguments.publish:
        publish()


def save(model: torch.nn.Module, tokenizer: object, folder: Path) -> None:
    """An ordinary model folder, weights in bfloat16."""
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
