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
        self._most = _PER_REQUEST
        self._fleet = Fleet(addresses, model=model, patience=patience)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of unit length for each text."""
        found: list[Vector] = []
        async for rows, _ in self._in_parts(texts):
            found += [row / max(float(np.linalg.norm(row)), 1e-12) for row in rows]
        return found

    async def count(self, texts: Sequence[str]) -> int:
        """What the other server says that it read."""
        return sum([tokens async for _, tokens in self._in_parts(texts)])

    async def close(self) -> None:
        """Close the connections."""
        await self._fleet.close()

    def describe(self) -> dict[str, Any]:
        """What this is, and what is known of its servers."""
        fleet = self._fleet
        is_failed = fleet.is_known and not fleet.is_usable
        state = {"state": "failed", "reason": fleet.failure().message} if is_failed else {"state": "ready"}
        return {"name": self.name, **state, "upstreams": fleet.describe()}

    async def _in_parts(self, texts: Sequence[str]) -> AsyncGenerator[tuple[Vector, int], None]:
        """Rows for each text in turn, and the tokens that were read; in as many requests as it takes."""
        first = 0
        while first < len(texts):
            part = texts[first : first + self._most]
            try:
                answers = await self._halved(part)
            except EngineFailed as failure:
                raise Unavailable(f"The embedding server cannot be used: {failure.message}") from failure
            for answer in answers:
                yield answer
            first += len(part)

    async def _halved(self, texts: Sequence[str]) -> list[tuple[Vector, int]]:
        """In halves where all at once are refused; if that does, no more are sent at once from then on."""
        try:
            return [await self._ask(texts)]
        except EngineFailed as failure:
            if failure.code != "invalid_prompt" or len(texts) < 2:
                raise
        middle = len(texts) // 2
        answers = [*await self._halved(texts[:middle]), *await self._halved(texts[middle:])]
        self._most = min(self._most, middle)
        return answers

    async def _ask(self, texts: Sequence[str]) -> tuple[Vector, int]:
        """A row for each text, and the tokens that were read."""
        await self._fleet.start()
        async with aclosing(self._fleet.ask(partial(_embedded, texts))) as answers:
            return await anext(answers)


async def _embedded(texts: Sequence[str], server: Server) -> AsyncGenerator[tuple[Vector, int], None]:
    """One server's vectors for these texts, row by row, and the tokens that it read."""
    wanted = {"model": server.model, "input": list(texts), "encoding_format": "float"}
    try:
        response = await server.client.post("embeddings", json=wanted)
        await check(response)
        body: Any = response.json()
    except httpx.HTTPError as error:
        raise lost(error) from error
    except ValueError as error:
        raise Broken(EngineFailed("It sent something that is not JSON.")) from error
    try:
        answer = _rows(body["data"], len(texts)), int((body.get("usage") or {}).get("prompt_tokens") or 0)
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise Broken(EngineFailed("It gave not a vector for each text.")) from error
    yield answer


def _rows(data: Any, count: int) -> Vector:
    """The vectors in the order of their texts. Raises ValueError, or what a wrong shape comes to."""
    by_place = {int(item["index"]): item["embedding"] for item in data}
    with np.errstate(over="ignore"):  # what is too large is not finite, and refused as that
        rows = np.array([by_place[place] for place in range(count)], dtype=np.float32)
    if len(data) != count or rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ValueError("not vectors")
    return rows
