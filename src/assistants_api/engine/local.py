"""A local model behind the `Engine` port: the side that lives in the server process, and knows no torch."""

import asyncio
import itertools
import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.prompt import EngineFacts, Part, Prompt, Started, Stop
from assistants_api.engine import machine
from assistants_api.engine.calls import new_stem
from assistants_api.engine.child import Child
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.messages import (
    Beat,
    Cancel,
    CannotLoad,
    Count,
    Counted,
    Delta,
    Deltas,
    Ready,
    Refused,
    Submit,
)

log = logging.getLogger(__name__)

_MOST_GUILT = 2.0  # of one turn in ends of its process
_SPARED = 0.5  # of the guilt in an end, for who had spoken while others had not
_MOST_LOADS = 2  # that fail in a row
_MOST_KILLS = 5  # in a row while it loads: somebody else's doing, as when memory is short
_HEALTHY_AFTER = 60.0
_LONGEST_WAIT = 30.0


@dataclass(slots=True)
class _Turn:
    """A turn that somebody waits for; `tokens` is what the model has said, so that it can go on.

    `has_spoken`: the present process has said something for it. `guilt` is its part in ends of processes.
    """

    prompt: Prompt
    seed: int
    stem: str = field(default_factory=new_stem)
    tokens: list[int] = field(default_factory=list)
    parts: asyncio.Queue[Part | EngineFailed] = field(default_factory=asyncio.Queue)
    is_started: bool = False
    is_submitted: bool = False
    has_spoken: bool = False
    is_over: bool = False
    guilt: float = 0.0


class TransformersEngine:
    """Keeps a model's process alive, hands turns to it, and takes them up again when it dies."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        self._config = config or EngineConfig()
        self._state = "stopped"
        self._reason: str | None = None
        self._window = _window_of(self._config)
        self._details: dict[str, Any] = {}
        self._child: Child | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None  # the last keeper that was told to end
        self._numbers = itertools.count(1)
        self._turns: dict[int, _Turn] = {}
        self._questions: dict[int, tuple[Prompt, asyncio.Future[int]]] = {}
        self._restarts = 0
        self._has_answered = False  # the present process, or the last one

    @property
    def is_running(self) -> bool:
        """It was started and not closed since."""
        return self._keeper is not None

    @property
    def bytes(self) -> int:
        """Memory of the model's process; before it runs, what its weights will take."""
        expected = machine.size_of_weights(self._config.model)
        pid = self._details.get("pid") if self._state == "ready" else None
        return expected if pid is None else max(expected, machine.resident(pid))

    async def start(self) -> None:
        """Begins to load the model; `describe` tells when it is ready."""
        await self._ended()
        if self._keeper is None:
            self._state, self._reason = "loading", None
            self._keeper = asyncio.create_task(self._supervise(), name="engine-supervisor")

    async def close(self) -> None:
        """Ends the model's process; open turns fail. A caller that is cancelled leaves it ending."""
        if self._keeper is not None:
            self._keeper.cancel()
            self._ending, self._keeper = self._keeper, None
        self._state = "stopped"
        self._fail_all("The engine was stopped.")
        await self._ended()

    async def _ended(self) -> None:
        """Until a process that was told to end has ended."""
        if self._ending is not None:
            # Not awaited itself: its cancellation would look like the caller's own.
            await asyncio.wait({self._ending})

    def describe(self, model: str | None = None) -> EngineFacts:
        """What the model's process last told about itself."""
        return EngineFacts(
            name="transformers",
            model=self._config.served_name,
            state=self._state,
            context_window=self._window,
            reason=self._reason,
            has_structured_output=find_spec("llguidance") is not None,
            enforces_schemas=find_spec("llguidance") is not None,
            details={**self._details, "restarts": self._restarts, "open_turns": len(self._turns)},
        )

    async def count(self, prompt: Prompt) -> int:
        """Tokens of the rendered prompt."""
        self._refuse_if_down()
        number = next(self._numbers)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._questions[number] = (prompt, answer)
        try:
            if self._state == "ready":
                self._send(Count(number, prompt))
            return await answer
        finally:
            self._questions.pop(number, None)

    async def turn(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """One answer; it goes on over a restart of the model's process."""
        self._refuse_if_down()
        number = next(self._numbers)
        seed = prompt.sampling.seed
        turn = _Turn(prompt, secrets.randbits(63) if seed is None else seed)
        self._turns[number] = turn
        try:
            self._offer()
            while True:
                part = await turn.parts.get()
                if isinstance(part, EngineFailed):
                    raise part
                yield part
                if isinstance(part, Stop):
                    return
        finally:
            if self._turns.pop(number, None) is not None and turn.is_submitted:
                self._send(Cancel(number))
            self._offer()

    def _refuse_if_down(self) -> None:
        if self._state == "failed":
            raise EngineFailed(self._reason or "The model is not available.")
        if self._state == "stopped":
            raise EngineFailed("The engine is not running.")

    def _offer(self) -> None:
        """Hands over what waits. Of turns that saw a process die each waits until the one before has spoken.

        So the one that ends the process again is known, and takes none of the others along.
        """
        if self._state != "ready" or self._child is None:
            return
        is_tried = any(t.guilt and t.is_submitted and not t.has_spoken for t in self._turns.values())
        for number, turn in self._turns.items():
            if turn.is_submitted or turn.is_over or (turn.guilt and is_tried):
                continue
            turn.is_submitted, turn.has_spoken = True, False
            is_tried = is_tried or turn.guilt > 0
            self._submit(number, turn)

    def _submit(self, number: int, turn: _Turn) -> None:
        self._send(Submit(number, turn.prompt, turn.seed, tuple(turn.tokens), turn.stem))

    def _send(self, message: Submit | Cancel | Count) -> None:
        if self._child is not None:
            self._child.send(message)

    async def _supervise(self) -> None:
        """Nobody waits for ever, even if the supervisor itself is at fault."""
        try:
            await self._keep()
        except Exception as error:
            log.exception("the engine's supervisor failed")
            self._give_up(f"The engine's supervisor failed: {error}")

    async def _keep(self) -> None:
        """Starts the process, and again when it ends; gives up on what cannot load.

        The pauses grow while processes end soon, without having brought any turn to its end.
        """
        failures = loads = 0
        while True:
            began = time.monotonic()
            problem, tries = await self._life()
            loads = loads + 1 if self._state == "loading" else 0
            if loads and loads >= tries:
                return self._give_up(problem)
            log.warning("the model's process ended and is started again: %s", problem)
            was_healthy = self._has_answered or time.monotonic() - began > _HEALTHY_AFTER
            failures = 0 if was_healthy else failures + 1
            self._restarts += 1
            self._state, self._reason = "loading", problem
            self._take_back(problem)
            await asyncio.sleep(min(_LONGEST_WAIT, self._config.restart_after * 2 ** max(0, failures - 1)))

    async def _life(self) -> tuple[str, int]:
        """One process from start to end: why it ended, and how often in a row it may so while it loads."""
        self._has_answered = False
        try:
            self._child = child = await Child.start(self._config)
        except OSError as error:
            return f"The model's process cannot be started: {error}", _MOST_LOADS
        refusal: str | None = None
        try:
            while (message := await child.receive(self._patience())) is not None:
                match message:
                    case CannotLoad(reason):
                        refusal = reason
                    case Beat(in_step, details):
                        self._details |= details
                        if in_step > self._config.stuck_after:
                            child.kill()
                            return (
                                f"The model's process was stuck in a step for {in_step:.0f} s.",
                                _MOST_LOADS,
                            )
                    case _:
                        self._handle(message, child.pid)
        except TimeoutError:
            child.kill()
            return f"The model's process was silent for {self._config.silent_after:.0f} s.", _MOST_LOADS
        finally:
            self._child = None
            await child.end()
        if refusal is not None:
            return refusal, 0
        return (
            f"The model's process {child.how_it_ended()}.",
            _MOST_KILLS if child.was_killed else _MOST_LOADS,
        )

    def _patience(self) -> float | None:
        """A process that loads may be silent for long; one that serves may not."""
        return self._config.silent_after if self._state == "ready" else None

    def _handle(self, message: object, pid: int) -> None:
        match message:
            case Ready(window, details):
                self._details = {**details, "pid": pid}
                self._window = window
                self._state, self._reason = "ready", None
                for number, (prompt, _) in self._questions.items():
                    self._send(Count(number, prompt))
                self._offer()
            case Deltas(deltas):
                for delta in deltas:
                    self._deliver(delta)
            case Counted(question, tokens, problem):
                _, answer = self._questions.get(question, (None, None))
                if answer is not None and not answer.done():
                    if problem is None:
                        answer.set_result(tokens)
                    else:
                        answer.set_exception(_error(problem))

    def _deliver(self, delta: Delta | Refused) -> None:
        turn = self._turns.get(delta.turn)
        if turn is None:
            return
        if isinstance(delta, Refused):
            turn.is_submitted, turn.is_over = False, True
            turn.parts.put_nowait(_error(delta))
            self._offer()
            return
        turn.tokens.extend(delta.tokens)
        for part in delta.parts:
            if isinstance(part, Started):
                if turn.is_started:
                    continue
                turn.is_started = True
            if isinstance(part, Stop):
                turn.is_submitted, turn.is_over = False, True
                self._has_answered = True
            turn.parts.put_nowait(part)
        if turn.is_over or (delta.tokens and not turn.has_spoken):
            turn.has_spoken = True
            self._offer()

    def _take_back(self, problem: str) -> None:
        """Turns of a process that died wait for the next one, unless they were there too often.

        Who had said nothing yet is likelier at fault.
        """
        lost = [turn for turn in self._turns.values() if turn.is_submitted]
        were_all_heard = all(turn.has_spoken for turn in lost)
        for turn in lost:
            turn.is_submitted = False
            turn.guilt += _SPARED if turn.has_spoken and not were_all_heard else 1
            if turn.guilt >= _MOST_GUILT:
                turn.is_over = True
                turn.parts.put_nowait(EngineFailed(f"The model failed twice on this turn: {problem}"))

    def _give_up(self, problem: str) -> None:
        self._state, self._reason = "failed", problem
        log.error("the model is not available: %s", problem)
        self._fail_all(problem)

    def _fail_all(self, problem: str) -> None:
        for turn in self._turns.values():
            turn.is_submitted, turn.is_over = False, True
            turn.parts.put_nowait(EngineFailed(problem))
        for _, answer in self._questions.values():
            if not answer.done():
                answer.set_exception(EngineFailed(problem))


def _error(refused: Refused) -> EngineFailed:
    if refused.is_overflow:
        return ContextOverflow(refused.message)
    return EngineFailed(refused.message, code=refused.code)


def _window_of(config: EngineConfig) -> int:
    """The context window that a local folder names, known before the model is loaded; else 0."""
    try:
        read = json.loads((Path(config.model) / "config.json").read_text(encoding="utf-8"))
        limit = int(read.get("max_position_embeddings", 0))
    except (OSError, ValueError, TypeError, AttributeError):
        return config.max_context or 0
    return min(limit, config.max_context or limit)
