"""Carries one run from its claim to its pause or end, whatever an earlier attempt left behind."""

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from assistants_api.agent.citations import Citations, Cited
from assistants_api.agent.context import (
    ANSWER_RESERVE,
    Fitted,
    PromptBudgetSpent,
    fit,
    gather,
    refuse_images,
)
from assistants_api.agent.history import asked
from assistants_api.agent.loop import Calling, Finished, LoopEvent, Paused, Turned, answer, called
from assistants_api.agent.tools import CODE_INTERPRETER, FILE_SEARCH, OURS, Tool, ToolOutput, ToolReturned
from assistants_api.domain.errors import DatabaseAway, EngineFailed, LostLease, NotFound, Unavailable
from assistants_api.domain.job import Job
from assistants_api.domain.model import Catalogue
from assistants_api.domain.prompt import CallPiece, ChatMessage, Prompt, Started, Text, Thought, ToolCall
from assistants_api.domain.run import Run, RunStatus
from assistants_api.domain.sandbox import SandboxOff
from assistants_api.domain.usage import Usage
from assistants_api.knowledge.search import Searcher
from assistants_api.ports import Blobs, Engine
from assistants_api.services.recording import Interrupted, Recording
from assistants_api.store.database import Database
from assistants_api.store.writer import Channel, LogWriter
from assistants_api.tools.code_interpreter import CodeInterpreter
from assistants_api.tools.file_search import FileSearch
from assistants_api.tools.running_code import RunningCode, names_of
from assistants_api.worker.images import Images
from assistants_api.worker.interrupts import StopSignal
from assistants_api.worker.stored_run import StoredRun, stored_run

logger = logging.getLogger(__name__)

# Older messages than fit this many bytes per token of the window are not even read.
_BYTES_PER_TOKEN = 12


class RunCarrier:
    """Carries runs; one per process, shared by all of them."""

    def __init__(
        self,
        db: Database,
        writer: LogWriter,
        engine: Engine,
        catalogue: Catalogue,
        searcher: Searcher,
        blobs: Blobs,
        interpreter: CodeInterpreter | None = None,
    ) -> None:
        """`interpreter` is None where no code can be run."""
        self._db = db
        self._blobs = blobs
        self._interpreter = interpreter
        self._searcher = searcher
        self._writer = writer
        self._engine = engine
        self._catalogue = catalogue

    async def carry(self, job: Job, stop: StopSignal) -> None:
        """Do what the job asks; returns when it is done, or when it is no longer ours."""
        try:
            async with self._db.read() as tx:
                seq = await tx.events.last_seq(job.subject_id)
                state = await stored_run(tx, job.subject_id, self._history_bytes)
            leg = _Leg(
                self, Recording(self._writer, Channel(job.subject_id, job.lease, seq), state.run), state
            )
            await leg.carry(stop)
        except LostLease:
            logger.info("run %s is carried by somebody else now", job.subject_id)
        except NotFound:
            logger.info("run %s was deleted while it was carried", job.subject_id)

    async def load(self, run_id: str) -> StoredRun:
        """What is stored of the run now."""
        async with self._db.read() as tx:
            return await stored_run(tx, run_id, self._history_bytes)

    def _history_bytes(self, run: Run) -> int:
        """How much of a thread could ever be shown to the run's model."""
        window = self._engine.describe(self._catalogue.resolve(run.model)).context_window or 1 << 17
        return window * _BYTES_PER_TOKEN


class _Leg:
    """One leg of one run."""

    def __init__(self, carrier: RunCarrier, recording: Recording, state: StoredRun) -> None:
        self._carrier = carrier
        self._engine = carrier._engine
        self._model = carrier._catalogue.resolve(state.run.model)
        self._recording = recording
        self._state = state
        self._turns = state.turns
        self._turn: dict[str, Any] = {}
        self._usage = Usage()
        self._citations = Citations({})
        self._hides_calls = False
        self._images = Images(carrier._db, carrier._blobs)

    async def carry(self, stop: StopSignal) -> None:
        recording = self._recording
        try:
            await recording.begin()
            await self._answer(stop)
        except Interrupted:
            await self._end_cancelled()
        except DatabaseAway:
            raise
        except PromptBudgetSpent:
            await recording.end(RunStatus.INCOMPLETE, self._turns, incomplete_reason="max_prompt_tokens")
        except EngineFailed as failure:
            await self._fail(failure.code or "server_error", failure.message)
        except (SandboxOff, Unavailable) as failure:
            await self._fail("server_error", failure.message)
        except (LostLease, NotFound):
            raise
        except Exception:
            logger.exception("run %s failed", recording.run.id)
            await self._fail("server_error", "Sorry, something went wrong.")

    async def _answer(self, stop: StopSignal) -> None:
        """Model calls and calls of our tools in turn, until the run pauses or ends."""
        self._refuse_expired_stores()
        wants_code = any(tool["type"] == CODE_INTERPRETER for tool in self._state.run.tools)
        if wants_code and self._carrier._interpreter is None:
            raise EngineFailed("The tool 'code_interpreter' is off on the worker that took this run.")
        await self._resume(stop)
        while await self._take_turn(stop):
            self._state = await self._carrier.load(self._recording.run.id)

    async def _resume(self, stop: StopSignal) -> None:
        """Take up what an earlier attempt left open: a message in the middle, or calls of our tools."""
        recording, state = self._recording, self._state
        if state.open_message is not None and state.open_step is not None:
            recording.resume(state.open_message, state.open_step, state.shown)
            if not self._engine.describe(self._model).can_continue:
                raise EngineFailed(
                    "The worker was lost in the middle of the answer, and this engine cannot continue one."
                )
        elif state.open_step is not None and not state.open_step.tool_calls:
            await recording.give_up_calls(state.open_step)
            self._state = await self._carrier.load(recording.run.id)
        elif state.open_step is not None:
            recording.resume_tools(state.open_step)
            tools = self._tools()
            for call in state.open_step.tool_calls:
                if call.get("output") is None:
                    async for event in _guarded(stop, called(asked(dict(call)), tools)):
                        await self._record(event)
            self._state = await self._carrier.load(recording.run.id)

    async def _take_turn(self, stop: StopSignal) -> bool:
        """One model call with what follows from it; whether the model is to be asked again."""
        recording, state = self._recording, self._state
        self._usage = Usage()
        self._turn = {}
        self._hides_calls = False
        prepared_from = time.time()
        fitted = await self._prepare()
        if fitted.prompt.sampling.max_tokens == 0:
            await recording.end(RunStatus.INCOMPLETE, self._turns, incomplete_reason="max_completion_tokens")
            return False
        prompt = await self._images.in_place(fitted.prompt)
        self._turn = {
            "input_prepared_from": prepared_from,
            "input_prepared_at": time.time(),
            "left_out_messages": list(fitted.left_out),
            "left_out_steps": list(fitted.left_out_steps),
            "messages": [_traced(message) for message in fitted.prompt.messages],
            "tools": [tool["function"]["name"] for tool in fitted.prompt.tools],
            "answer_start": fitted.prompt.answer_start,
        }
        self._turns.append(self._turn)
        self._citations = Citations(
            state.cited_files(), state.shown.text, len(state.shown.annotations), state.links()
        )
        is_over = True
        async for event in _guarded(stop, answer(prompt, self._engine, self._tools())):
            is_over = not isinstance(event, Turned)
            await self._record(event)
        return not is_over

    async def _record(self, event: LoopEvent) -> None:
        recording = self._recording
        match event:
            case Started(prompt_tokens, prompt, cached_tokens):
                self._usage = Usage(prompt_tokens)
                self._turn["prompt"] = prompt
                self._turn["prompt_tokens"] = prompt_tokens
                self._turn["cached_tokens"] = cached_tokens
                self._turn["inference_started_at"] = time.time()
            case Text(text, tokens):
                self._usage += Usage(0, tokens)
                await self._say(self._citations.feed(text))
            case Thought(_, tokens):
                # Counted, and not shown: the API of runs has no place for it.
                self._usage += Usage(0, tokens)
            case CallPiece(id, name, arguments):
                self._turn.setdefault("first_token_at", time.time())
                if recording.has_begun(id) or self._may_show(name):
                    if not recording.has_begun(id):
                        await self._say(self._citations.close())
                        await recording.begin_call(id, name)
                    recording.write_call(id, arguments)
            case ToolCall(id):
                self._turn.setdefault("first_token_at", time.time())
                # One that was not shown comes before those that are written after it.
                self._hides_calls = self._hides_calls or not recording.has_begun(id)
            case Calling(calls, usage):
                await self._say(self._citations.close())
                self._close_turn(usage)
                await recording.open_tools(calls, usage, self._turns)
                self._usage = Usage()
            case ToolOutput(call, output):
                recording.show_output(call, output)
            case ToolReturned(call, output, details, trace):
                if trace is not None:
                    kind = "searches" if call.name == FILE_SEARCH else "code"
                    self._turns[-1].setdefault(kind, []).append(trace)
                await recording.return_tool(call, output, details, self._turns)
            case Paused(calls, usage):
                await self._say(self._citations.close())
                self._close_turn(usage)
                await recording.pause(calls, usage, self._turns)
            case Finished(reason, usage):
                await self._say(self._citations.close())
                self._close_turn(usage)
                await self._finish(reason, usage)

    def _may_show(self, name: str) -> bool:
        """Whether a call is shown while it is written.

        Code is, and functions where no call of ours, which has a step of its own, can come between.
        """
        has_ours = any(tool["type"] in OURS for tool in self._state.run.tools)
        return not self._hides_calls and (name == CODE_INTERPRETER if has_ours else name not in OURS)

    async def _say(self, piece: Cited) -> None:
        if not piece.text:
            return
        if self._recording.has_open_message:
            self._recording.say(piece.text, piece.annotations)
        else:
            self._turn.setdefault("first_token_at", time.time())
            images = self._state.new_images()
            await self._recording.open_message(piece.text, piece.annotations, images)

    def _tools(self) -> dict[str, Tool]:
        """Our tools that this run has, as the loop calls them."""
        state = self._state
        tools: dict[str, Tool] = {}
        for tool in state.run.tools:
            if tool["type"] == FILE_SEARCH:
                tools[FILE_SEARCH] = FileSearch(
                    self._carrier._db,
                    self._carrier._searcher,
                    state.stores,
                    state.thread_store_ids,
                    tool,
                    question=next((m.text for m in reversed(state.history) if m.role == "user"), ""),
                    first=sum(
                        call["type"] == FILE_SEARCH and call.get("output") is not None
                        for step in state.steps
                        for call in step.tool_calls
                    ),
                    room=self._room,
                    count=self._count,
                )
            elif tool["type"] == CODE_INTERPRETER and self._carrier._interpreter is not None:
                tools[CODE_INTERPRETER] = RunningCode(
                    self._carrier._interpreter,
                    self._carrier._db,
                    self._carrier._blobs,
                    state.run.thread_id,
                    state.code_files,
                    owner=self._recording.owner,
                    had_code=state.had_code,
                )
        return tools

    def _room(self) -> int:
        """Tokens that the model's window has left beside the prompt so far and a whole answer."""
        window = self._engine.describe(self._model).context_window
        used = self._turns[-1].get("prompt_tokens", 0) if self._turns else 0
        spent = self._turns[-1].get("usage", {}).get("completion_tokens", 0) if self._turns else 0
        return window - used - spent - min(2 * ANSWER_RESERVE, window // 4)

    async def _count(self, text: str) -> int:
        prompt = Prompt(self._recording.run.id, self._model, (ChatMessage("user", text),))
        return await self._engine.count(prompt)

    def _refuse_expired_stores(self) -> None:
        now = datetime.now(UTC)
        for store in self._state.stores:
            if store.is_expired(now):
                raise EngineFailed(f"Vector store '{store.id}' has expired.")

    async def _prepare(self) -> Fitted:
        state, engine = self._state, self._engine
        names = names_of(state.code_files)
        facts = engine.describe(self._model)
        context = gather(
            state.run,
            self._model,
            state.history,
            state.own,
            state.steps,
            state.shown.text,
            names,
            earlier=state.earlier,
            can_continue=facts.can_continue,
        )
        if not facts.has_vision:
            refuse_images(context, self._model)
        budget = state.run.max_prompt_tokens
        left = None if budget is None else max(0, budget - state.run.spent.prompt_tokens)

        async def count(prompt: Prompt) -> int:
            return await engine.count(prompt)

        # The window is known once the model is loaded; counting waits for that.
        window = facts.context_window or await self._window(context.prompt(context.history))
        return await fit(context, count, window, left)

    async def _window(self, prompt: Prompt) -> int:
        await self._engine.count(prompt)
        return self._engine.describe(self._model).context_window

    async def _finish(self, reason: str, usage: Usage) -> None:
        recording = self._recording
        if not recording.has_open_message:
            await recording.open_message("", (), self._state.new_images())
        if reason == "length":
            await recording.end(
                RunStatus.INCOMPLETE,
                self._turns,
                turn_usage=usage,
                incomplete_reason="max_completion_tokens",
            )
        else:
            await recording.complete(usage, self._turns)

    async def _end_cancelled(self) -> None:
        if self._turn:
            self._close_turn(self._usage)
        await self._recording.end(RunStatus.CANCELLED, self._turns, turn_usage=self._usage)

    async def _fail(self, code: str, message: str) -> None:
        if self._turn:
            self._close_turn(self._usage)
        last_error = {"code": code, "message": message}
        await self._recording.end(
            RunStatus.FAILED, self._turns, turn_usage=self._usage, last_error=last_error
        )

    def _close_turn(self, usage: Usage) -> None:
        if "usage" in self._turn:  # our tools were called before the caller's
            return
        self._turn["output_generated_at"] = time.time()
        self._turn["usage"] = {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        }


async def _guarded(
    stop: StopSignal, events: AsyncGenerator[LoopEvent, None]
) -> AsyncGenerator[LoopEvent, None]:
    async with aclosing(events), aclosing(stop.guard(events)) as guarded:
        async for event in guarded:
            yield event


def _traced(message: ChatMessage) -> dict[str, Any]:
    traced: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        traced["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls
        ]
    if message.tool_call_id:
        traced["tool_call_id"] = message.tool_call_id
    return traced
