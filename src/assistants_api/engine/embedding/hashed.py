"""An embedder without a model: words and letter groups hashed into a vector. For tests and tiny machines."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from assistants_api.ports import Vector

DIMENSIONS = 256
_WORD = re.compile(r"\w+")


class HashEmbedder:
    """Feature hashing with signs: texts are near when they share words or word stems.

    The same text gives the same vector on every machine.
    """

    name = "hash"

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of unit length for each text."""
        return [_vector(text) for text in texts]

    async def count(self, texts: Sequence[str]) -> int:
        """Words of the texts together."""
        return sum(len(_WORD.findall(text)) for text in texts)

    async def close(self) -> None:
        """Nothing was started."""

    def describe(self) -> dict[str, Any]:
        """What this is."""
        return {"name": self.name, "state": "ready", "dimensions": DIMENSIONS}


def _vector(text: str) -> Vector:
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for word in _WORD.findall(text.lower()):
        is_wide = not word.isascii()
        pieces = [word[i : i + 2] for i in range(max(1, len(word) - 1))] if is_wide else [word, word[:5]]
        for piece in pieces:
            digest = hashlib.blake2b(piece.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            place = int.from_bytes(digest[:4], "big") % DIMENSIONS
            vector[place] += 1.0 if digest[4] & 1 else -1.0
    norm = float(np.linalg.norm(vector))
    if norm == 0.0:
        vector[0] = 1.0
        return vector
    return vector / norm
