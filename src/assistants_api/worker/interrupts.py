"""A signal that stops a run's model between two parts of its answer, and nowhere else."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

from assistants_api.services.recording import Interrupted

T = TypeVar("T")


class StopSignal:
    """Set from anywhere in the event loop; seen while a run waits for its engine."""

    def __init__(self) -> None:
        self.is_set = False
        self._waiting: asyncio.Task[object] | None = None

    def set(self, payload: object = None) -> None:
        """Stop the run at its next chance, which is now if it waits for the engine."""
        self.is_set = True
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    async def guard(self, parts: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """The parts as they come; raises `Interrupted` once the signal is set."""
        task = asyncio.current_task()
        assert task is not None
        while not self.is_set:
            self._waiting = task
            try:
                part = await anext(parts)
            except StopAsyncIteration:
                return
            except asyncio.CancelledError:
                if self.is_set and self._waiting is None:
                    task.uncancel()
                    break
                raise
            finally:
                self._waiting = None
            yield part
        raise Interrupted
