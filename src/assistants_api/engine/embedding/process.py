"""The embedding model's own process: loads an encoder folder, then embeds until the server goes away."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from assistants_api.engine import machine
from assistants_api.engine.embedding.messages import CannotEmbed, Embed, Embedded, EmbedReady
from assistants_api.engine.process import Pipe

log = logging.getLogger(__name__)

_BATCH = 16
_MOST_TOKENS = 512
_NICENESS = 5


class Encoder:
    """A BERT-like encoder with mean pooling, or pooling at its first token where the folder says so."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        self._torch = torch
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        quick = torch.cuda.is_available() or machine.has_quick_bf16()
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.bfloat16 if quick else torch.float32
        self._net: Any = AutoModel.from_pretrained(folder, dtype=dtype).to(self._device).eval()
        positions = getattr(self._net.config, "max_position_embeddings", _MOST_TOKENS)
        self._most = min(_MOST_TOKENS, positions)
        self._takes_first = _pools_first(folder)
        self.dimensions = int(self._net.config.hidden_size)
        self.details = {
            "dimensions": self.dimensions,
            "dtype": str(dtype).removeprefix("torch."),
            "device": str(self._device),
        }

    def embed(self, texts: tuple[str, ...]) -> tuple[bytes, int]:
        """Unit vectors, float32 row by row, and the tokens that were read."""
        torch = self._torch
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        rows: list[Any] = [None] * len(texts)
        tokens = 0
        for first in range(0, len(order), _BATCH):
            places = order[first : first + _BATCH]
            given = self._tokenizer(
                [texts[place] for place in places],
                padding=True,
                truncation=True,
                max_length=self._most,
                return_tensors="pt",
            ).to(self._device)
            mask = given["attention_mask"]
            tokens += int(mask.sum())
            with torch.inference_mode():
                hidden = self._net(**given).last_hidden_state.float()
            if self._takes_first:
                pooled = hidden[:, 0]
            else:
                weights = mask.unsqueeze(-1).float()
                pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
            unit = torch.nn.functional.normalize(pooled, dim=-1).cpu()
            for place, row in zip(places, unit, strict=True):
                rows[place] = row
        return torch.stack(rows).contiguous().numpy().tobytes(), tokens

    def count(self, texts: tuple[str, ...]) -> int:
        """Tokens of the texts together, uncut."""
        return sum(len(ids) for ids in self._tokenizer(list(texts), truncation=False)["input_ids"])


def _pools_first(folder: Path) -> bool:
    """Whether a sentence-transformers pooling file asks for the first token instead of the mean."""
    for path in folder.glob("*_Pooling/config.json"):
        return bool(json.loads(path.read_text(encoding="utf-8")).get("pooling_mode_cls_token"))
    return False


def serve(pipe: Pipe, folder: Path) -> None:
    """Loads the model, says so or says why not, and serves."""
    try:
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        encoder = Encoder(folder)
    except Exception as error:
        log.warning("the embedding model cannot be loaded", exc_info=error)
        pipe.write(CannotEmbed(0, " ".join(str(error).split())[:300]))
        return
    pipe.write(EmbedReady(encoder.details))
    while True:
        message: Embed = pipe.read()
        try:
            if message.count_only:
                pipe.write(Embedded(message.number, b"", 0, encoder.count(message.texts)))
                continue
            vectors, tokens = encoder.embed(message.texts)
            pipe.write(Embedded(message.number, vectors, encoder.dimensions, tokens))
        except Exception as error:
            log.warning("texts could not be embedded", exc_info=error)
            pipe.write(CannotEmbed(message.number, " ".join(str(error).split())[:300]))


def main() -> None:
    """Started by `LocalEmbedder` with the parent's process id and the model's folder."""
    machine.tie_to_parent(int(sys.argv[1]))
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    logging.basicConfig(level=logging.WARNING, format="embedder: %(levelname)s %(message)s")
    # Libraries may print: our messages keep the real standard output to themselves.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(Pipe(os.fdopen(os.dup(0), "rb"), sink), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
