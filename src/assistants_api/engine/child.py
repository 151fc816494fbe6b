"""One life of the model's process, as the server process sees it."""

import asyncio
import contextlib
import os
import signal
import sys
from typing import Any

from assistants_api.engine import machine, messages
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.messages import ToModel

_GRACE = 3.0
_CATCH_UP = 3.0  # within which a process that lives is heard, once this one goes on


class Child:
    """A started process and its pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, config: EngineConfig) -> "Child":
        """Starts the process and tells it what to load."""
        threads = config.threads or machine.cores()
        environment = machine.environment(threads, dedicated=config.dedicated, offline=config.offline)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "assistants_api.engine.process",
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**environment, **dict(config.environment)},
        )
        child = cls(process)
        child.send(config)
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, message: ToModel) -> None:
        """Hands a message over; one for a process that has died is lost, as its answer would be."""
        stdin = self._process.stdin
        assert stdin is not None, "the process was started with a pipe"
        if not stdin.is_closing():
            stdin.write(messages.packed(message))

    async def receive(self, patience: float | None) -> Any:
        """The next message; None when the process has closed its end, `TimeoutError` when it is silent.

        Where this process itself stood still, patience has run out before what was said meanwhile is read.
        """
        reading = asyncio.ensure_future(self._read())
        try:
            for seconds in (patience, _CATCH_UP):
                done, _ = await asyncio.wait({reading}, timeout=seconds)
                if done:
                    return reading.result()
            raise TimeoutError
        finally:
            reading.cancel()

    async def _read(self) -> Any:
        stdout = self._process.stdout
        assert stdout is not None, "the process was started with a pipe"
        try:
            header = await stdout.readexactly(messages.HEADER)
            return messages.unpacked(await stdout.readexactly(messages.size_of(header)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def kill(self) -> None:
        """Ends the process at once: it no longer listens."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Ends the process if it still runs, and waits until it has."""
        stdin = self._process.stdin
        assert stdin is not None, "the process was started with a pipe"
        stdin.close()
        try:
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        with contextlib.suppress(BrokenPipeError, ConnectionError):
            await stdin.wait_closed()

    @property
    def was_killed(self) -> bool:
        """It has ended by a signal."""
        code = self._process.returncode
        return code is not None and code < 0

    def how_it_ended(self) -> str:
        """In words, for logs and reasons."""
        code = self._process.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (out of memory, perhaps)" if -code == signal.SIGKILL else ""
            return f"was ended by {name}{hint}"
        return f"ended with status {code}"
