"""Hundreds of turns come, are cancelled, break or are too long: each ends exactly once, and nothing dies."""

import random
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.prompt import Stop, Text
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.local import TransformersEngine
from tests.engine.conftest import a_prompt, until
from tests.engine.test_scheduler import Loop, alone, model

__all__ = ["model"]

pytestmark = pytest.mark.model


class Storm(Loop):
    """A loop that counts how often each turn ended."""

    def __init__(self, model: Any, **config: Any) -> None:
        super().__init__(model, **config)
        self.ends: Counter[int] = Counter()

    def step(self) -> None:
        before = {turn: len(parts) for turn, parts in self.parts.items()}
        refused = set(self.refused)
        super().step()
        for turn, parts in self.parts.items():
            self.ends[turn] += sum(isinstance(part, Stop) for part in parts[before[turn] :])
            self.ends[turn] += turn in self.refused and turn not in refused


@pytest.mark.parametrize("seed", range(4))
def test_each_turn_ends_once_whatever_happens(model: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)
    loop = Storm(model, max_rows=8, kv_bytes=64 << 20)
    real = loop.scheduler._forward
    broken: set[int] = set()

    def forward(block: Any, first: int, ids: list[list[int]], places: list[list[int]], keep: int = 1) -> Any:
        rows = loop.scheduler._rows[first : first + len(ids)] if block is loop.scheduler._memory.block else []
        if any(row.turn in broken for row in rows):
            raise RuntimeError("this turn breaks the step")
        return real(block, first, ids, places, keep)

    monkeypatch.setattr(loop.scheduler, "_forward", forward)
    cancelled: set[int] = set()
    overflows = turns = 0
    while turns < 250 or not loop.scheduler.is_idle:
        for _ in range(dice.randrange(4) if turns < 250 else 0):
            turns += 1
            kind = dice.random()
            words = "far too long " * 600 if kind < 0.05 else f"hello {turns} " * dice.randrange(1, 40)
            if 0.05 <= kind < 0.1:
                broken.add(turns)
            try:
                prompt = a_prompt(
                    words, temperature=dice.choice([0.0, 1.2]), max_tokens=dice.randrange(1, 30)
                )
                loop.submit(turns, prompt, seed=turns)
            except ContextOverflow:
                overflows += 1
                del loop.parts[turns]
        if dice.random() < 0.4 and loop.parts:
            victim = dice.choice(list(loop.parts))
            if not loop.ends[victim]:
                loop.scheduler.cancel(victim)
                cancelled.add(victim)
        loop.step()

    assert overflows > 3
    assert len(cancelled) > 20
    assert {turn for turn in cancelled if loop.ends[turn]} == set()
    assert {loop.ends[turn] for turn in loop.parts if turn not in cancelled} == {1}
    assert set(loop.refused) <= broken
    healthy = [turn for turn in loop.parts if turn not in cancelled | broken]
    assert all(isinstance(loop.parts[turn][-1], Stop) for turn in healthy)
    assert not loop.scheduler._rows
    assert not loop.scheduler._filling
    fresh = a_prompt("after the storm")
    loop.submit(10_000, fresh)
    loop.run()
    assert loop.text(10_000) == alone(model, fresh)


@pytest.mark.long
async def test_a_thousand_turns_over_a_real_process_that_is_killed_now_and_then(tiny_folder: Path) -> None:
    import asyncio
    import os
    import signal

    dice = random.Random(1)
    engine = TransformersEngine(EngineConfig(model=tiny_folder, threads=1, restart_after=0.01))
    await engine.start()
    ends: Counter[str] = Counter()

    async def turn(number: int) -> None:
        words = "far too long " * 600 if number % 50 == 0 else f"hello {number} " * dice.randrange(1, 30)
        leaves = dice.random() < 0.4
        try:
            async with aclosing(engine.turn(a_prompt(words, temperature=1.0, max_tokens=30))) as parts:
                async for part in parts:
                    if leaves and isinstance(part, Text):
                        ends["left"] += 1
                        return
                    if isinstance(part, Stop):
                        ends["stop"] += 1
        except ContextOverflow:
            ends["too long"] += 1
        except EngineFailed as failure:
            assert "failed twice" in failure.message
            ends["poisoned"] += 1

    async def kill() -> None:
        while True:
            await asyncio.sleep(dice.uniform(0.5, 2.0))
            facts = engine.describe()
            if facts.state == "ready":
                os.kill(facts.details["pid"], signal.SIGKILL)

    killing = asyncio.create_task(kill())
    async with asyncio.timeout(500):
        for first in range(0, 1000, 25):
            await asyncio.gather(*(turn(number) for number in range(first, first + 25)))
    killing.cancel()

    assert sum(ends.values()) == 1000
    assert ends["too long"] == 20
    assert ends["poisoned"] < 100
    assert engine.describe().details["restarts"] > 3
    await until(lambda: engine.describe().state == "ready")
    assert engine.describe().details["open_turns"] == 0
    await engine.close()
