"""An embedder behind OpenAI-style `/v1/embeddings`, at one server or at several."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import httpx
import numpy as np

from assistants_api.domain.errors import EngineFailed, Unavailable
from assistants_api.engine.fleet import Fleet, check, lost
from assistants_api.engine.server import Address, Broken, Patience, Server
from assistants_api.ports import Vector

_PER_REQUEST = 64
_PATIENCE = Patience(silent_after=60.0)


class RemoteEmbedder:
    """Sends texts to other servers; their vectors are brought to unit length."""

    def __init__(self, addresses: Sequence[Address], *, model: str, patience: Patience = _PATIENCE) -> None:
        """Every server must have the same model: vectors of two models cannot be compared."""
        self.name = f"http:{model}"
        self._fleet = Fleet(addresses, model=model, patience=patience)

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
        await self._fleet.close()

    def describe(self) -> dict[str, Any]:
        """What this is, and what is known of its servers."""
        fleet = self._fleet
        is_failed = fleet.is_known and not fleet.is_usable
        state = {"state": "failed", "reason": fleet.failure().message} if is_failed else {"state": "ready"}
        return {"name": self.name, **state, "upstreams": fleet.describe()}

    async def _ask(self, texts: Sequence[str]) -> dict[str, Any]:
        await self._fleet.start()
        try:
            async with aclosing(self._fleet.ask(partial(_embedded, texts))) as bodies:
                return await anext(bodies)
        except EngineFailed as failure:
            raise Unavailable(f"The embedding server cannot be used: {failure.message}") from failure


async def _embedded(texts: Sequence[str], server: Server) -> AsyncGenerator[dict[str, Any], None]:
    """One server's vectors for these texts."""
    wanted = {"model": server.model, "input": list(texts), "encoding_format": "float"}
    try:
        response = await server.client.post("embeddings", json=wanted)
        await check(response)
        body: dict[str, Any] = response.json()
    except httpx.HTTPError as error:
        raise lost(error) from error
    except ValueError as error:
        raise Broken(EngineFailed("It sent something that is not JSON.")) from error
    if not isinstance(body, dict) or len(body.get("data") or ()) != len(texts):
        raise Broken(EngineFailed("It gave another number of vectors than it was asked for."))
    yield body
