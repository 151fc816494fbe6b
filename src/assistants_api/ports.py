"""The few Protocols, each with more than one implementation."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from assistants_api.domain.prompt import EngineFacts, Part, Prompt

Vector = npt.NDArray[np.float32]


class Engine(Protocol):
    """Turns a prompt into text and tool calls."""

    async def start(self) -> None:
        """Begin to load; returns at once or soon, readiness shows in `describe`."""

    async def close(self) -> None:
        """Stop everything that was started; turns that are open end with `EngineFailed`."""

    def turn(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """One answer: `Started`, then `Thought`, `Text` and `ToolCall` parts, then exactly one `Stop`.

        Closing the generator cancels the turn within one decode step. Raises `EngineFailed` (or
        `ContextOverflow`) when there will be no answer. A turn that is asked for while the model still
        loads waits for it.
        """

    async def count(self, prompt: Prompt) -> int:
        """Tokens of the prompt as the model would read it, `answer_start` included."""

    def describe(self) -> EngineFacts:
        """What this engine is, right now; never blocks."""


class Blobs(Protocol):
    """Keeps the bytes of files."""

    async def write(self, pieces: AsyncIterable[bytes]) -> str:
        """Store the pieces as one blob, durably; its key. Nothing is left behind when `pieces` raises."""

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The blob in pieces; `FileNotFoundError` when it is not there."""

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """The blob as a file that may be read, for as long as the block lasts."""

    async def remove(self, keys: Iterable[str]) -> None:
        """Forget these blobs; those that are not there are passed over."""

    def older_than(self, seconds: float) -> AsyncIterator[str]:
        """The keys of blobs that were written at least so long ago."""

    def describe(self) -> dict[str, Any]:
        """What this is, for health."""


class Embedder(Protocol):
    """Turns texts into vectors that are near each other when the texts mean the same."""

    name: str

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of unit length for each text; `Unavailable` when there will be none now.

        The first call loads what is needed.
        """

    async def count(self, texts: Sequence[str]) -> int:
        """Tokens of the texts together, as this embedder reads them."""

    async def close(self) -> None:
        """Stop everything that was started."""

    def describe(self) -> dict[str, Any]:
        """What this is, and its state, for health."""
