"""The few Protocols, each with more than one implementation."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from assistants_api.domain.prompt import EngineFacts, Part, Prompt
from assistants_api.domain.sandbox import FileMade, Output, SandboxFacts

Vector = npt.NDArray[np.float32]


class Engine(Protocol):
    """Turns a prompt into text and tool calls."""

    async def start(self) -> None:
        """Begin to load; returns at once or soon, readiness shows in `describe`."""

    async def close(self) -> None:
        """Stop everything that was started; turns that are open end with `EngineFailed`."""

    def turn(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """One answer: `Started`, then what the model says as it says it, then exactly one `Stop`.

        Closing the generator cancels the turn within one decode step. Raises `EngineFailed` (or
        `ContextOverflow`) when there will be no answer. A turn that is asked for while the model still
        loads waits for it.
        """

    async def count(self, prompt: Prompt) -> int:
        """Tokens of the prompt as the model would read it, `answer_start` included."""

    def describe(self, model: str | None = None) -> EngineFacts:
        """What this engine is for a served model, the default one if none is named; never blocks."""


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
        """The keys of blobs that were written at least so long ago; of nothing else that lies there."""

    async def owner(self, database_id: str) -> str:
        """The id of the database whose blobs these are: that of the first which asked."""

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


class Session(Protocol):
    """One guest with its variables, imports and files, in a jail of its own. One call at a time.

    Every call raises `SessionEnded` when the guest is gone; `execute` then says so in its `Done` instead.
    """

    @property
    def ended(self) -> str | None:
        """Why the guest is gone (a sentence), or None while it lives."""

    def execute(self, code: str, timeout: float) -> AsyncGenerator[Output, None]:
        """Runs a cell: outputs as they come, then exactly one `Done`.

        After `timeout` seconds the code is interrupted and its state kept; code that does not heed that is
        killed with its session one second later. Closing the generator early interrupts in the same way.
        """

    async def put(self, name: str, source: AsyncIterable[bytes]) -> None:
        """Writes a file under /mnt/data.

        Raises `InvalidRequest` for a bad name or a file that does not fit.
        """

    def read(self, name: str) -> AsyncGenerator[bytes, None]:
        """The bytes of a file under /mnt/data, as the guest sends them. Raises `NotFound`."""

    async def list(self) -> tuple[FileMade, ...]:
        """The files under /mnt/data."""

    async def close(self) -> None:
        """Kills the guest and everything it started; returns when all of it is gone."""


class Sandbox(Protocol):
    """Makes jails."""

    async def start(self) -> None:
        """Tries whether the jail holds. Raises `SandboxOff` when it does not, with the reason."""

    async def open(self, *, preload: bool = False) -> Session:
        """A new guest, ready for its first cell; `preload` imports the big libraries first.

        Raises `SandboxOff` where there is none, `Unavailable` when this one could not be started.
        """

    def describe(self) -> SandboxFacts:
        """What this sandbox is, right now; never blocks."""

    async def close(self) -> None:
        """Removes what the sandbox keeps on the host; sessions are closed before."""
