"""An embedder behind an OpenAI-style `/v1/embeddings`."""

from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

from assistants_api.domain.errors import Unavailable
from assistants_api.ports import Vector

_PER_REQUEST = 64


class RemoteEmbedder:
    """Sends texts to another server; its vectors are brought to unit length."""

    def __init__(self, base_url: str, *, model: str, api_key: str | None = None) -> None:
        self.name = f"http:{model}"
        self._model = model
        headers = {} if api_key is None else {"authorization": f"Bearer {api_key}"}
        self._http = httpx.AsyncClient(base_url=base_url.rstrip("/") + "/", headers=headers, timeout=60)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of unit length for each text."""
        found: list[Vector] = []
        for first in range(0, len(texts), _PER_REQUEST):
            body = await self._ask(texts[first : first + _PER_REQUEST])
            for item in sorted(body["data"], key=lambda item: int(item["index"])):
                vector = np.asarray(item["embedding"], dtype=np.float32)
                found.append(vector / max(float(np.linalg.norm(vector)), 1e-12))
        return found

    async def count(self, texts: Sequence[str]) -> int:
        """What the other server says that it read."""
        return int((await self._ask(texts)).get("usage", {}).get("prompt_tokens", 0))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def describe(self) -> dict[str, Any]:
        """What this is."""
        return {"name": self.name, "state": "ready", "url": str(self._http.base_url)}

    async def _ask(self, texts: Sequence[str]) -> dict[str, Any]:
        wanted = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        try:
            response = await self._http.post("embeddings", json=wanted)
            response.raise_for_status()
            body: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"The embedding server cannot be used: {error}") from error
        if len(body.get("data", ())) != len(texts):
            raise Unavailable("The embedding server gave another number of vectors than it was asked for.")
        return body
