"""Several models in one engine: loaded when asked for, ended when memory is short, never under a turn."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.prompt import EngineFacts, Part, Prompt, Started, Stop, Text
from assistants_api.domain.usage import Usage
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.local import TransformersEngine
from assistants_api.engine.several import SeveralEngines
from tests.engine import tiny
from tests.engine.conftest import a_prompt, until


class Fake:
    """An engine of a given size that says its name, and notices when it is used while it does not run."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.bytes = size
        self.is_running = False
        self.loads = 0
        self.open = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.end_gate = asyncio.Event()
        self.end_gate.set()

    async def start(self) -> None:
        await asyncio.sleep(0)
        self.is_running = True
        self.loads += 1

    async def close(self) -> None:
        assert self.open == 0, "a model was ended under a turn"
        self.is_running = False
        await self.end_gate.wait()
        await asyncio.sleep(0)

    async def count(self, prompt: Prompt) -> int:
        assert self.is_running
        return len(self.name)

    async def turn(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        assert self.is_running
        self.open += 1
        try:
            yield Started(1)
            await self.gate.wait()
            await asyncio.sleep(0)
            yield Text(self.name, 1)
            yield Stop("stop", Usage(1, 1))
        finally:
            self.open -= 1

    def describe(self, model: str | None = None) -> EngineFacts:
        return EngineFacts("fake", self.name, "ready" if self.is_running else "stopped", self.bytes)


def asking(model: str) -> Prompt:
    return replace(a_prompt(), model=model)


async def said(engine: Any, model: str) -> str:
    async with aclosing(engine.turn(asking(model))) as parts:
        return "".join([part.text async for part in parts if isinstance(part, Text)])


def house(limit: int | None, **sizes: int) -> tuple[SeveralEngines, dict[str, Fake]]:
    fakes = {name: Fake(name, size) for name, size in sizes.items()}
    return SeveralEngines(fakes, limit), fakes


async def test_only_the_default_is_loaded_before_somebody_asks() -> None:
    engine, fakes = house(None, a=1, b=1)
    await engine.start()

    assert [fake.is_running for fake in fakes.values()] == [True, False]
    assert await said(engine, "b") == "b"
    assert await said(engine, "somebody") == "a"
    assert await engine.count(asking("b")) == 1
    assert [fake.loads for fake in fakes.values()] == [1, 1]
    assert engine.describe().model == "a"
    assert engine.describe("b").model == "b"
    assert engine.describe().details["models"] == {"a": "ready", "b": "ready"}


async def test_the_model_that_was_unused_for_longest_makes_room() -> None:
    engine, fakes = house(25, a=10, b=10, c=10)
    assert engine.describe().state == "stopped"
    for name in ("a", "b", "a", "c"):
        assert await said(engine, name) == name
        assert engine.describe().state == "ready"

    assert [fake.is_running for fake in fakes.values()] == [True, False, True]
    assert await said(engine, "b") == "b"
    assert [fake.is_running for fake in fakes.values()] == [False, True, True]
    assert engine.describe("a").state == "stopped"
    assert engine.describe().state == "ready"
    await engine.close()
    assert engine.describe().state == "stopped"


async def test_one_that_is_larger_than_all_memory_is_tried_alone() -> None:
    engine, fakes = house(25, a=10, huge=100)
    await engine.start()

    assert await said(engine, "huge") == "huge"
    assert not fakes["a"].is_running


async def test_a_model_at_work_is_waited_for_and_a_busy_one_keeps_nobody_out() -> None:
    engine, fakes = house(15, a=10, b=10)
    fakes["a"].gate.clear()
    busy = asyncio.create_task(said(engine, "a"))
    await until(lambda: fakes["a"].open)
    other = asyncio.create_task(said(engine, "b"))
    await until(lambda: engine._wanted == "b")
    late = asyncio.create_task(said(engine, "a"))  # comes after `b`, so it has its turn after it
    for _ in range(20):
        await asyncio.sleep(0)
    assert not other.done()
    assert fakes["a"].open == 1

    fakes["a"].gate.set()

    assert [await busy, await other, await late] == ["a", "b", "a"]
    assert fakes["a"].loads == 2


async def test_a_turn_that_is_given_up_while_it_waits_leaves_the_door_open() -> None:
    engine, fakes = house(15, a=10, b=10)
    fakes["a"].gate.clear()
    busy = asyncio.create_task(said(engine, "a"))
    await until(lambda: fakes["a"].open)
    other = asyncio.create_task(said(engine, "b"))
    await until(lambda: engine._wanted == "b")
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    late = asyncio.create_task(said(engine, "a"))
    await until(lambda: fakes["a"].open == 2)
    fakes["a"].gate.set()

    assert [await busy, await late] == ["a", "a"]
    assert await said(engine, "b") == "b"


async def test_a_turn_that_is_given_up_while_another_model_ends_does_not_go_on() -> None:
    engine, fakes = house(15, a=10, b=10)
    await engine.start()
    fakes["a"].end_gate.clear()
    other = asyncio.create_task(said(engine, "b"))
    await until(lambda: engine._closing == "a")
    other.cancel()
    await asyncio.wait({other})
    assert other.cancelled()

    # Its memory is not free before it has ended.
    again = asyncio.create_task(said(engine, "b"))
    late = asyncio.create_task(said(engine, "a"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert fakes["b"].loads == 0
    fakes["a"].end_gate.set()

    assert [await again, await late] == ["b", "a"]
    assert [fake.loads for fake in fakes.values()] == [2, 1]


@pytest.mark.parametrize("seed", range(5))
async def test_many_turns_of_many_models_all_end(seed: int) -> None:
    dice = random.Random(seed)
    engine, fakes = house(25, a=10, b=10, c=10, d=20)
    await engine.start()

    async def one() -> None:
        name = dice.choice("abcd")
        for _ in range(dice.randrange(5)):
            await asyncio.sleep(0)
        if dice.random() < 0.2:
            return await left(engine, name)
        assert await said(engine, name) == name

    async with asyncio.timeout(60):
        await asyncio.gather(*(one() for _ in range(200)))
    assert sum(fake.bytes for fake in fakes.values() if fake.is_running) <= 25
    assert all(fake.open == 0 for fake in fakes.values())
    await engine.close()
    assert not any(fake.is_running for fake in fakes.values())


async def left(engine: SeveralEngines, name: str) -> None:
    """A turn whose caller leaves after the first part."""
    async with aclosing(engine.turn(asking(name))) as parts:
        async for _ in parts:
            return


@pytest.mark.model
async def test_two_real_models_take_turns_in_the_memory_of_one(tiny_folder: Path, tmp_path: Path) -> None:
    other = tiny.build(tmp_path / "other", seed=11)
    one, two = (
        TransformersEngine(EngineConfig(model=folder, threads=1, name=name))
        for name, folder in (("one", tiny_folder), ("two", other))
    )
    engine = SeveralEngines({"one": one, "two": two}, 1)
    await engine.start()
    first, other_one, second = [await said(engine, name) for name in ("one", "two", "one")]

    assert first == second != other_one
    assert (one.is_running, two.is_running) == (True, False)
    assert engine.describe("two").state == "stopped"
    assert engine.describe("two").context_window == engine.describe("one").context_window > 0
    await engine.close()
