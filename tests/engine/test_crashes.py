"""Who is blamed when a model's process ends: one prompt that ends it takes no other turn along."""

import asyncio
from typing import Any

import pytest

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.prompt import Part, Started, Stop, Text
from assistants_api.domain.usage import Usage
from assistants_api.engine import local
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.local import TransformersEngine
from assistants_api.engine.messages import Cancel, Delta, Deltas, Ready, Submit
from tests.engine.conftest import a_prompt

pytestmark = pytest.mark.asyncio

DEADLY = "a prompt that takes all memory"


class FakeChild:
    """A process that ends when it is given the deadly prompt, and answers every other one in two words."""

    pid = 1
    was_killed = True
    lives = 0

    def __init__(self) -> None:
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        self._is_dead = False
        type(self).lives += 1
        self._told.put_nowait(Ready(1000, {}))

    @classmethod
    async def start(cls, config: EngineConfig) -> "FakeChild":
        return cls()

    def send(self, message: object) -> None:
        match message:
            case Cancel(_):
                return
            case Submit(turn, prompt) if not self._is_dead:
                if prompt.messages[0].content == DEADLY:
                    self.die()  # before it has said anything to anybody
                    return
                words: list[tuple[tuple[int, ...], Part]] = [
                    ((), Started(3)),
                    ((5,), Text("Hello", 1)),
                    ((6,), Stop("stop", Usage(3, 2))),
                ]
                for tokens, part in words:
                    self._told.put_nowait(Deltas((Delta(turn, tokens, (part,)),)))

    def die(self) -> None:
        """Ends it at once."""
        self._is_dead = True
        while not self._told.empty():
            self._told.get_nowait()
        self._told.put_nowait(None)

    async def receive(self, patience: float | None) -> Any:
        return await self._told.get()

    async def end(self) -> None:
        """It has."""

    def kill(self) -> None:
        """It has ended."""

    def how_it_ended(self) -> str:
        return "was ended by SIGKILL (out of memory, perhaps)"


async def last_of(engine: TransformersEngine, text: str) -> Any:
    try:
        return [part async for part in engine.turn(a_prompt(text))][-1]
    except EngineFailed as failure:
        return failure


@pytest.mark.parametrize("place", [0, 3, 6])
async def test_a_prompt_that_ends_the_process_takes_no_other_turn_along(
    monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr(local, "Child", FakeChild)
    monkeypatch.setattr(FakeChild, "lives", 0)
    engine = TransformersEngine(EngineConfig(restart_after=0.001))
    texts = [f"hello {number}" for number in range(6)]
    texts.insert(place, DEADLY)

    await engine.start()
    asked = [asyncio.create_task(last_of(engine, text)) for text in texts]
    async with asyncio.timeout(60):
        ends = await asyncio.gather(*asked)
    await engine.close()

    assert isinstance(ends.pop(place), EngineFailed)
    assert [type(end) for end in ends] == [Stop] * 6
    assert FakeChild.lives == 3


async def test_a_process_that_answers_between_its_ends_is_started_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pauses that grow are for one that brings nothing to its end."""
    monkeypatch.setattr(local, "Child", FakeChild)
    monkeypatch.setattr(FakeChild, "lives", 0)
    engine = TransformersEngine(EngineConfig(restart_after=0.001))

    await engine.start()
    async with asyncio.timeout(30):  # doubled each time, the pauses would be minutes
        for number in range(20):
            assert isinstance(await last_of(engine, f"hello {number}"), Stop)
            child = engine._child
            assert isinstance(child, FakeChild)
            child.die()
    await engine.close()

    assert FakeChild.lives >= 20
