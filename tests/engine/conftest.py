"""The tiny model's folder, built once, and an engine that runs it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.local import TransformersEngine
from tests.engine import tiny


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random model."""
    return tiny.build(tmp_path_factory.mktemp("tiny"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tiny_folder: Path) -> AsyncIterator[TransformersEngine]:
    """A running engine, shared by the tests of a module."""
    running = TransformersEngine(EngineConfig(model=tiny_folder, threads=1, restart_after=0.01))
    await running.start()
    yield running
    await running.close()


async def until(is_so: Callable[[], object]) -> None:
    """Waits, at most twenty seconds, for a state that is told by no event."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 — a poll is the point
            await asyncio.sleep(0.005)


def a_prompt(text: str = "hello", **sampling: object) -> Prompt:
    """A user's message, answered greedily unless said otherwise."""
    settings = Sampling(**{"temperature": 0.0, "max_tokens": 24, **sampling})  # type: ignore[arg-type]
    return Prompt("run_test", "tiny", (ChatMessage("user", text),), sampling=settings)
