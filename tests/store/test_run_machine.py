"""The run's life as a state machine, driven at random against the real services and store."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from assistants_api.domain.assistant import NewAssistant
from assistants_api.domain.errors import InvalidRequest, LostLease
from assistants_api.domain.event import RunMoved
from assistants_api.domain.message import NewMessage, Shown, text_part
from assistants_api.domain.page import PageQuery
from assistants_api.domain.prompt import ToolCall
from assistants_api.domain.run import FINAL, NEXT, IfBusy, NewRun, Run, RunStatus
from assistants_api.domain.thread import NewThread
from assistants_api.domain.usage import Usage
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.assistants import create_assistant
from assistants_api.services.recording import Interrupted, Recording
from assistants_api.services.runs import RunLimits, cancel_run, create_run, submit_tool_outputs
from assistants_api.services.sweeping import sweep
from assistants_api.services.threads import create_thread
from assistants_api.store.opening import open_database, sqlite_url
from assistants_api.store.wake import Wake
from assistants_api.store.writer import Channel, LogWriter
from tests.worker.conftest import CATALOGUE

FACTS = ScriptedEngine([]).describe()
TOOL = {"type": "function", "function": {"name": "f"}}
LONG, PAST = RunLimits(timedelta(hours=1)), RunLimits(timedelta(microseconds=1))


class RunLife(RuleBasedStateMachine):
    """Two threads, any number of workers, and everything that may happen to a run."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.ends: dict[str, RunStatus] = {}
        self.attempts: dict[str, int] = {}
        self.legs: list[Recording] = []
        self.calls = 0
        self.written: dict[int, str] = {}  # by the leg, the call that it writes

    def do(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    @initialize()
    def open(self) -> None:
        async def begin() -> None:
            self.db = await open_database(sqlite_url(Path(self.folder.name)), Wake())
            self.writer = LogWriter(self.db)
            self.writing = asyncio.create_task(self.writer.run())
            new = NewAssistant("scripted", tools=(TOOL,))
            self.assistant = await create_assistant(self.db, new, CATALOGUE, self.now())
            message = NewMessage("user", (text_part("Hi"),))
            self.threads = [await create_thread(self.db, NewThread((message,)), self.now()) for _ in range(2)]

        self.do(begin())

    def teardown(self) -> None:
        async def end() -> None:
            self.writing.cancel()
            await asyncio.gather(self.writing, return_exceptions=True)
            await self.db.close()

        if hasattr(self, "db"):
            self.do(end())
        self.loop.close()
        self.folder.cleanup()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def runs(self) -> list[Run]:
        async with self.db.read() as tx:
            pages = [await tx.runs.page(thread.id, PageQuery(100, "asc")) for thread in self.threads]
        return [run for page in pages for run in page.data]

    async def some_run(self, pick: int) -> Run | None:
        runs = await self.runs()
        return runs[-1 - pick % len(runs)] if runs else None

    @rule(
        thread=st.integers(0, 1),
        is_late=st.booleans(),
        if_busy=st.sampled_from([IfBusy.REJECT, IfBusy.ENQUEUE]),
    )
    def create(self, thread: int, is_late: bool, if_busy: IfBusy) -> None:
        """Also the duplicate request: a second one is refused, or waits, while the first is active."""
        limits = PAST if is_late else LONG
        new = NewRun(self.assistant.id, additional_messages=(NewMessage("user", (text_part("And?"),)),))
        coroutine = create_run(
            self.db, self.threads[thread].id, new, CATALOGUE, FACTS, limits, self.now(), if_busy=if_busy
        )
        try:
            self.do(coroutine)
        except InvalidRequest as refused:
            assert if_busy is IfBusy.REJECT
            assert "already has an active run" in refused.message

    @rule()
    def claim(self) -> None:
        async def take() -> None:
            async with self.db.begin() as tx:
                jobs = await tx.jobs.claim(f"w{len(self.legs)}", "run", 1, 60)
            for job in jobs:
                async with self.db.read() as tx:
                    run, seq = await tx.runs.get(job.subject_id), await tx.events.last_seq(job.subject_id)
                    message, open_step = await tx.messages.open_of(run.id), await tx.steps.open_of(run.id)
                    shown = await tx.events.shown_of(run.id, message.id) if message else Shown()
                recording = Recording(self.writer, Channel(run.id, job.lease, seq), run)
                if message is not None and open_step is not None:
                    recording.resume(message, open_step, shown)
                self.legs.append(recording)
                await self.step(recording, recording.begin())
                if message is None and open_step is not None and recording in self.legs:
                    await self.step(recording, recording.give_up_calls(open_step))

        self.do(take())

    async def step(self, recording: Recording, verb: Any) -> None:
        """A worker's verb: done, or it learns that the run is being cancelled or is no longer its own."""
        try:
            await verb
        except Interrupted:
            await self.step(recording, recording.end(RunStatus.CANCELLED, [], turn_usage=Usage(1, 1)))
            self.drop(recording)
        except LostLease:
            self.drop(recording)

    def drop(self, recording: Recording) -> None:
        self.written.pop(id(recording), None)
        if recording in self.legs:
            self.legs.remove(recording)

    @precondition(lambda self: self.legs)
    @rule(pick=st.integers(0, 9), text=st.text(max_size=5))
    def emit(self, pick: int, text: str) -> None:
        recording = self.legs[pick % len(self.legs)]
        if recording.has_open_message:
            recording.say(text)
        else:
            self.written.pop(id(recording), None)
            self.do(self.step(recording, recording.open_message(text)))

    @precondition(lambda self: self.legs)
    @rule(pick=st.integers(0, 9))
    def write(self, pick: int) -> None:
        """The model begins a call, or goes on with it; nobody knows yet what will become of it."""
        recording = self.legs[pick % len(self.legs)]
        if id(recording) in self.written:
            recording.write_call(self.written[id(recording)], "{}")
            return
        self.calls += 1
        self.written[id(recording)] = f"call_{self.calls}"
        self.do(self.step(recording, recording.begin_call(f"call_{self.calls}", "f")))
        if recording in self.legs:
            recording.write_call(f"call_{self.calls}", "")

    @precondition(lambda self: self.legs)
    @rule(pick=st.integers(0, 9), how=st.sampled_from(["complete", "pause", "fail", "cut"]))
    def finish(self, pick: int, how: str) -> None:
        recording = self.legs[pick % len(self.legs)]

        async def end() -> None:
            if how == "pause":
                self.calls += 1
                call_id = self.written.pop(id(recording), f"call_{self.calls}")
                await self.step(recording, recording.pause([ToolCall(call_id, "f", "{}")], Usage(1, 1), []))
            elif how == "fail":
                error = {"code": "server_error", "message": "x"}
                await self.step(recording, recording.end(RunStatus.FAILED, [], last_error=error))
            else:
                if not recording.has_open_message:
                    self.written.pop(id(recording), None)
                    await self.step(recording, recording.open_message("x"))
                if recording not in self.legs:
                    return
                if how == "complete":
                    await self.step(recording, recording.complete(Usage(2, 2), []))
                else:
                    verb = recording.end(RunStatus.INCOMPLETE, [], incomplete_reason="max_completion_tokens")
                    await self.step(recording, verb)
            self.drop(recording)

        self.do(end())

    @rule(pick=st.integers(0, 3))
    def submit(self, pick: int) -> None:
        async def send() -> None:
            run = await self.some_run(pick)
            if run is None:
                return
            outputs = {call["id"]: "out" for call in run.required_calls}
            try:
                await submit_tool_outputs(self.db, run.thread_id, run.id, outputs, self.now())
            except InvalidRequest:
                assert run.status is not RunStatus.REQUIRES_ACTION
            else:
                assert run.status is RunStatus.REQUIRES_ACTION

        self.do(send())

    @rule(pick=st.integers(0, 3))
    def cancel(self, pick: int) -> None:
        async def ask() -> None:
            run = await self.some_run(pick)
            if run is None:
                return
            try:
                await cancel_run(self.db, run.thread_id, run.id, self.now())
            except InvalidRequest:
                assert run.is_final or run.status is RunStatus.CANCELLING

        self.do(ask())

    @rule()
    def expire_and_clean(self) -> None:
        self.do(sweep(self.db))

    @precondition(lambda self: self.legs)
    @rule(pick=st.integers(0, 9))
    def crash(self, pick: int) -> None:
        """A worker dies: it writes no more, and its lease runs out."""
        recording = self.legs[pick % len(self.legs)]

        async def lapse() -> None:
            async with self.db.begin() as tx:
                await tx.jobs.renew([recording._channel.lease], -1)

        self.do(lapse())
        if pick % 2:
            self.drop(recording)  # else it lives on as a zombie, and must be fenced out once replaced

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "db"):
            self.do(self._holds())

    async def _holds(self) -> None:
        runs = await self.runs()
        for thread in self.threads:
            active = [run for run in runs if run.thread_id == thread.id and not run.is_final]
            # One holds the thread; who waits does so behind one, and came after it.
            assert [run.is_waiting for run in active] == [place > 0 for place in range(len(active))]
        for run in runs:
            if run.id in self.ends:
                assert run.status is self.ends[run.id], "a final status never changes"
            elif run.status in FINAL:
                self.ends[run.id] = run.status
            async with self.db.read() as tx:
                entries = await tx.events.after(run.id, 0)
                assert await tx.messages.open_of(run.id) is None or not run.is_final
                assert await tx.steps.open_of(run.id) is None or not run.is_final
            assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
            path = [entry.event.run.status for entry in entries if isinstance(entry.event, RunMoved)][1:]
            for before, after in pairwise(path):
                assert after in NEXT[before] or before is after is RunStatus.CANCELLING, path
            assert not (run.is_waiting and run.brought)
            assert run.brought or RunStatus.IN_PROGRESS not in path
            if run.is_final:
                assert path[-1] is run.status
            assert run.spent.completion_tokens >= 0


TestRunLife = pytest.mark.timeout(240)(RunLife.TestCase)
TestRunLife.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
