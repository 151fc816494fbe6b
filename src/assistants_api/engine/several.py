"""Several local models behind one engine: each is loaded when it is first asked for, and ended for another.

The model that was unused for longest goes first; one that is at work is waited for. While somebody waits for
room, new turns of the other models wait too, so that a busy model cannot keep a second one out for ever.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Protocol

from assistants_api.domain.prompt import EngineFacts, Part, Prompt
from assistants_api.ports import Engine

log = logging.getLogger(__name__)


class Loadable(Engine, Protocol):
    """An engine that can be started and closed many times, and knows what it takes."""

    @property
    def is_running(self) -> bool:
        """It was started and not closed since."""

    @property
    def bytes(self) -> int:
        """Memory that it takes, or will take once it runs, as far as that is known."""


class SeveralEngines:
    """Hands each turn to the engine of its model."""

    def __init__(self, engines: Mapping[str, Loadable], limit: int | None = None) -> None:
        """`engines` by the names of their models, the default one first; `limit` in bytes, over all."""
        self._engines = dict(engines)
        self._default = next(iter(engines))
        self._limit = limit
        self._order = list(engines)  # by last use
        self._users: Counter[str] = Counter()
        self._changed = asyncio.Condition()
        self._wanted: str | None = None  # the model that is being loaded
        self._closing: str | None = None
        self._ending: asyncio.Task[None] | None = None
        self._has_served = self._is_closed = False

    async def start(self) -> None:
        """Begins to load the default model; the others wait until they are asked for."""
        await self._engines[self._default].start()

    async def close(self) -> None:
        """Ends every model that runs."""
        self._is_closed = True
        await asyncio.gather(*(engine.close() for engine in self._engines.values()))

    async def turn(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """One answer of the prompt's model."""
        async with self._use(prompt.model) as engine:
            async with aclosing(engine.turn(prompt)) as parts:
                async for part in parts:
                    yield part

    async def count(self, prompt: Prompt) -> int:
        """Tokens of the prompt, by its model's own tokenizer."""
        async with self._use(prompt.model) as engine:
            return await engine.count(prompt)

    def describe(self, model: str | None = None) -> EngineFacts:
        """What the engine of this model is right now, the default one's if none is named.

        Unnamed, it is ready from the first time that the default model was: to give way to another one is no
        reason to send callers elsewhere.
        """
        facts = self._engines[self._name(model)].describe()
        states = {name: engine.describe().state for name, engine in self._engines.items()}
        self._has_served = self._has_served or states[self._default] == "ready"
        state = facts.state
        if model is None and self._has_served and state in ("stopped", "loading") and not self._is_closed:
            state = "ready"
        return replace(facts, state=state, details={**facts.details, "models": states})

    def _name(self, model: str | None) -> str:
        return model if model is not None and model in self._engines else self._default

    @asynccontextmanager
    async def _use(self, model: str) -> AsyncIterator[Loadable]:
        """The engine of a model, running, and kept as long as this is open."""
        name = self._name(model)
        engine = self._engines[name]
        async with self._changed:
            await self._changed.wait_for(lambda: self._wanted in (None, name) and self._closing != name)
            self._users[name] += 1
        self._order.remove(name)
        self._order.append(name)
        try:
            if not engine.is_running:
                await self._load(name)
            yield engine
        finally:
            async with self._changed:
                self._users[name] -= 1
                self._changed.notify_all()

    async def _load(self, name: str) -> None:
        """One model is loaded at a time; who waits for this one goes on as soon as it runs."""
        engine = self._engines[name]
        async with self._changed:
            await self._changed.wait_for(lambda: engine.is_running or self._wanted is None)
            if engine.is_running:
                return
            self._wanted = name
        try:
            await self._make_room(name)
            log.info("loading the model %s", name)
            await engine.start()
        finally:
            async with self._changed:
                self._wanted = None
                self._changed.notify_all()

    async def _make_room(self, name: str) -> None:
        while True:
            # Who was cancelled in here has left a model that still ends.
            async with self._changed:
                await self._changed.wait_for(lambda: self._closing is None)
            running = [other for other in self._order if other != name and self._engines[other].is_running]
            taken = sum(self._engines[other].bytes for other in running)
            if not running or self._limit is None or taken + self._engines[name].bytes <= self._limit:
                return
            idle = next((other for other in running if not self._users[other]), None)
            if idle is None:
                async with self._changed:
                    while all(self._users[other] for other in running):
                        await self._changed.wait()
                continue
            log.info("ending the model %s: its memory is needed", idle)
            self._closing = idle
            self._ending = asyncio.create_task(self._end(idle), name=f"ending {idle}")
            await asyncio.shield(self._ending)

    async def _end(self, name: str) -> None:
        """Ends a model, whether or not anybody waits for it."""
        try:
            await self._engines[name].close()
        finally:
            async with self._changed:
                self._closing = None
                self._changed.notify_all()
