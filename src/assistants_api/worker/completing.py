"""Carries one completion from its claim to its end: all its choices at once, whatever was shown before."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from assistants_api.agent.chat import prompt_of
from assistants_api.agent.loop import Finished, LoopEvent, Paused, answer
from assistants_api.domain.completion import (
    Answers,
    ChoiceCalled,
    ChoiceCalling,
    ChoiceEnded,
    ChoiceStarted,
    ChoiceText,
    ChoiceThought,
    Completion,
    CompletionStatus,
)
from assistants_api.domain.errors import ContextOverflow, DatabaseAway, EngineFailed, LostLease, NotFound
from assistants_api.domain.event import Event
from assistants_api.domain.job import Job
from assistants_api.domain.json import JsonObject
from assistants_api.domain.model import Catalogue
from assistants_api.domain.prompt import CallPiece, Prompt, Started, Text, Thought, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.ports import Engine
from assistants_api.services.completions import ended_of
from assistants_api.services.recording import Interrupted
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx
from assistants_api.store.writer import Channel, LogWriter
from assistants_api.worker.interrupts import StopSignal

logger = logging.getLogger(__name__)

# Choices of one completion that are asked for at once; the others wait, so that one caller's many choices
# do not hold up everybody else.
AT_ONCE = 8
_OTHER_CALL = "The worker was lost in the middle of a call, and the model now writes another one."


class CompletionCarrier:
    """Carries completions; one per process, shared by all of them."""

    def __init__(self, db: Database, writer: LogWriter, engine: Engine, catalogue: Catalogue) -> None:
        self._db = db
        self._writer = writer
        self._engine = engine
        self._catalogue = catalogue

    async def carry(self, job: Job, stop: StopSignal) -> None:
        """Do what the job asks; returns when it is done, or when it is no longer ours."""
        try:
            async with self._db.read() as tx:
                completion = await tx.completions.get(job.subject_id)
                entries = await tx.events.all(job.subject_id)
            answers = Answers(completion.n)
            for entry in entries:
                answers.take(entry.event)
            channel = Channel(job.subject_id, job.lease, entries[-1].seq if entries else 0)
            await _Leg(self, channel, completion, answers).carry(stop)
        except (LostLease, Interrupted):
            # Whoever interrupts a completion has ended it already.
            logger.info("completion %s is no longer ours", job.subject_id)
        except NotFound:
            logger.info("completion %s was removed while it was carried", job.subject_id)


class _Calls:
    """The calls of one choice, each in its place; `shown` is what an earlier attempt has told of them."""

    def __init__(self, shown: Mapping[int, ToolCall]) -> None:
        self._shown = dict(shown)
        self._written: dict[str, tuple[int, str]] = {}
        self._whole: dict[int, ToolCall] = {}

    def write(self, piece: CallPiece) -> tuple[int, str, str, str] | None:
        """Place, id, name and new arguments of what is to be told; None where all of it was told before."""
        place, before = self._written.get(piece.id, (len(self._written), ""))
        arguments = before + piece.arguments
        self._written[piece.id] = place, arguments
        if (shown := self._shown.get(place)) is None:
            return place, piece.id, piece.name, piece.arguments
        self._refuse_unless_same(shown, ToolCall(piece.id, piece.name, arguments))
        rest = arguments[max(len(before), len(shown.arguments)) :]
        return (place, shown.id, shown.name, rest) if rest else None

    def finish(self, call: ToolCall) -> None:
        """The call is whole."""
        place, _ = self._written.setdefault(call.id, (len(self._written), call.arguments))
        if shown := self._shown.get(place):
            self._refuse_unless_same(shown, call)
            call = replace(call, id=shown.id)
        self._whole[place] = call

    def whole(self) -> list[tuple[int, ToolCall]]:
        """The finished calls by their places, once there will be no more."""
        if any(place >= len(self._written) for place in self._shown):
            raise EngineFailed(_OTHER_CALL)
        return sorted(self._whole.items())

    def _refuse_unless_same(self, shown: ToolCall, call: ToolCall) -> None:
        size = min(len(shown.arguments), len(call.arguments))
        if (shown.name, shown.arguments[:size]) != (call.name, call.arguments[:size]):
            raise EngineFailed(_OTHER_CALL)


class _Leg:
    """One attempt at one completion."""

    def __init__(
        self, carrier: CompletionCarrier, channel: Channel, completion: Completion, answers: Answers
    ) -> None:
        self._writer = carrier._writer
        self._engine = carrier._engine
        self._catalogue = carrier._catalogue
        self._channel = channel
        self._completion = completion
        self._answers = answers
        self._calls = [_Calls(choice.calling) for choice in answers.choices]
        self._last: list[Event] = []  # the end of the last choice, written with the completion's own

    async def carry(self, stop: StopSignal) -> None:
        try:
            await self._answer(stop)
        except ContextOverflow as overflow:
            await self._fail("context_length_exceeded", overflow.message)
        except EngineFailed as failure:
            await self._fail(failure.code or "server_error", failure.message)
        except (LostLease, Interrupted, NotFound, DatabaseAway):
            raise
        except Exception:
            logger.exception("completion %s failed", self._completion.id)
            await self._fail("server_error", "Sorry, something went wrong.")
        else:
            await self._end(CompletionStatus.COMPLETED)

    async def _answer(self, stop: StopSignal) -> None:
        left = [
            (index, choice) for index, choice in enumerate(self._answers.choices) if choice.reason is None
        ]
        model = self._catalogue.resolve(self._completion.model)
        if any(choice.is_begun for _, choice in left) and not self._engine.describe(model).can_continue:
            raise EngineFailed(
                "The worker was lost in the middle of the answer, and this engine cannot continue one."
            )
        had_thought = {index for index, choice in left if choice.thought}
        prompts = [(index, prompt_of(self._completion, model, index, choice)) for index, choice in left]
        async with aclosing(_all(prompts, self._engine)) as events:
            async with aclosing(stop.guard(events)) as guarded:
                async for index, event in guarded:
                    match event:
                        case Started(prompt_tokens, _, cached_tokens):
                            self._tell(ChoiceStarted(index, prompt_tokens, cached_tokens))
                        case Text(text, tokens, logprobs):
                            self._tell(ChoiceText(index, text, tokens, logprobs))
                        case Thought(text, tokens):
                            # What an earlier attempt thought was shown; its successor thinks for itself.
                            if index not in had_thought:
                                self._tell(ChoiceThought(index, text, tokens))
                        case CallPiece():
                            if piece := self._calls[index].write(event):
                                self._tell(ChoiceCalling(index, *piece))
                        case ToolCall():
                            # Told with the end of the choice, so that no other attempt calls again.
                            self._calls[index].finish(event)
                        case Paused(_, usage):
                            await self._close(index, "tool_calls", usage)
                        case Finished(reason, usage):
                            await self._close(index, reason, usage)

    def _tell(self, event: ChoiceStarted | ChoiceThought | ChoiceText | ChoiceCalling) -> None:
        self._answers.take(event)
        self._writer.put(self._channel, event)

    async def _close(self, index: int, reason: str, usage: Usage) -> None:
        told: list[Event] = [ChoiceCalled(index, place, call) for place, call in self._calls[index].whole()]
        told.append(ChoiceEnded(index, reason, usage))
        for event in told:
            self._answers.take(event)
        if all(choice.reason is not None for choice in self._answers.choices):
            self._last = told
            return

        async def effect(tx: Tx) -> Sequence[Event]:
            return told

        await self._writer.write(self._channel, effect)

    async def _fail(self, code: str, message: str) -> None:
        await self._end(CompletionStatus.FAILED, {"code": code, "message": message})

    async def _end(self, target: CompletionStatus, error: JsonObject | None = None) -> None:
        answers = self._answers
        ended = answers.ended(target, error)
        choices = answers.shown(with_logprobs=self._completion.has_logprobs)

        async def effect(tx: Tx) -> Sequence[Event]:
            completion = await tx.completions.hold(self._completion.id)
            await tx.completions.finish(ended_of(completion, ended, choices, await tx.now()))
            await tx.jobs.finish(self._channel.lease)
            return [*self._last, ended]

        await self._writer.write(self._channel, effect)


async def _all(
    prompts: Sequence[tuple[int, Prompt]], engine: Engine
) -> AsyncGenerator[tuple[int, LoopEvent], None]:
    """The events of every choice as they come, a few choices at a time; closing it closes them all."""
    if len(prompts) == 1:
        [(index, prompt)] = prompts
        async with aclosing(answer(prompt, engine, {})) as events:
            async for event in events:
                yield index, event
        return
    news: asyncio.Queue[tuple[int, LoopEvent] | Exception | None] = asyncio.Queue()
    places = asyncio.Semaphore(AT_ONCE)

    async def one(index: int, prompt: Prompt) -> None:
        try:
            async with places, aclosing(answer(prompt, engine, {})) as events:
                async for event in events:
                    news.put_nowait((index, event))
            news.put_nowait(None)
        except Exception as error:
            news.put_nowait(error)

    tasks = [asyncio.create_task(one(index, prompt)) for index, prompt in prompts]
    try:
        going = len(tasks)
        while going:
            match await news.get():
                case None:
                    going -= 1
                case Exception() as error:
                    raise error
                case (index, event):
                    yield index, event
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
