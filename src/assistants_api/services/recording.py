"""What a worker writes down while it carries a run: rows and events, under its lease."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from assistants_api.agent.calls import function_call, our_call, required_call
from assistants_api.agent.tools import add_output
from assistants_api.domain import ids
from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.event import (
    Event,
    MessageDelta,
    MessageImage,
    MessageMoved,
    RunMoved,
    StepMoved,
    ToolOutputAdded,
)
from assistants_api.domain.json import JsonObject
from assistants_api.domain.message import Message, MessageStatus, Shown
from assistants_api.domain.prompt import ToolCall
from assistants_api.domain.run import Run, RunStatus
from assistants_api.domain.step import RunStep, StepStatus
from assistants_api.domain.text import is_whole, mended_json
from assistants_api.domain.usage import Usage
from assistants_api.services.begun_calls import BegunCall, agree, rest, with_outputs
from assistants_api.services.endings import end_run, start_next
from assistants_api.store.transaction import Tx
from assistants_api.store.writer import Channel, LogWriter


class Interrupted(Exception):
    """The run is being cancelled: stop working on it and record that."""


class Recording:
    """One leg of one run, from taking it up to its pause or end.

    Every verb reads the run as it is stored inside its own transaction, so what others changed
    meanwhile (metadata, a wish to cancel) is seen and kept. What is open here changes once that is
    durable: until then it may be undone, and done again.
    """

    def __init__(self, writer: LogWriter, channel: Channel, run: Run) -> None:
        self._writer = writer
        self._channel = channel
        self._run_id = run.id
        self.run = run
        self._message: Message | None = None
        self._step: RunStep | None = None
        self._pieces: list[Shown] = []
        self._outputs: dict[str, list[JsonObject]] = {}  # by call, what code that still runs has shown
        self._begun: dict[str, BegunCall] = {}

    @property
    def owner(self) -> str:
        """The worker that writes it."""
        return self._channel.lease.owner

    @property
    def has_open_message(self) -> bool:
        """Whether a message is being written."""
        return self._message is not None

    def resume(self, message: Message, step: RunStep, shown: Shown) -> None:
        """Go on with the message that an earlier attempt had begun."""
        self._message, self._step, self._pieces = message, step, [shown]

    def resume_tools(self, step: RunStep) -> None:
        """Go on with the calls of our tools that an earlier attempt had begun."""
        self._step = step

    async def give_up_calls(self, step: RunStep) -> None:
        """End a step whose calls an earlier attempt was still writing: the model is asked again."""

        async def effect(tx: Tx) -> Sequence[Event]:
            await self._live(tx)
            ended = step.to(StepStatus.FAILED, await tx.now(), usage=Usage(), last_error=dict(_LOST))
            await tx.steps.save(ended)
            return (StepMoved(ended),)

        await self._writer.write(self._channel, effect)

    async def begin(self) -> None:
        """The run is in progress; `Interrupted` if it is being cancelled."""

        begun = self.run

        async def effect(tx: Tx) -> Sequence[Event]:
            nonlocal begun
            run = await self._live(tx)
            if run.status is not RunStatus.QUEUED:
                return ()
            begun = run.to(RunStatus.IN_PROGRESS, await tx.now())
            await tx.runs.move(run, begun)
            return (RunMoved(begun),)

        await self._writer.write(self._channel, effect)
        self.run = begun

    async def trace(self, turns: Sequence[JsonObject]) -> None:
        """Write down what the model was shown so far."""

        async def effect(tx: Tx) -> Sequence[Event]:
            await tx.traces.put(self._run_id, {"turns": list(turns)})
            return ()

        await self._writer.write(self._channel, effect)

    async def open_message(
        self, text: str, annotations: tuple[JsonObject, ...] = (), images: tuple[str, ...] = ()
    ) -> None:
        """Begin a message and its step with the first text, after the figures of code that was run."""
        _refuse_halves(text)
        message: Message | None = None
        step: RunStep | None = None

        async def effect(tx: Tx) -> Sequence[Event]:
            nonlocal message, step
            run, now = await self._live(tx), await tx.now()
            dropped = await self._drop_begun(tx, now)
            message = Message(
                id=ids.new("msg"),
                created_at=now,
                thread_id=run.thread_id,
                role="assistant",
                content=(),
                status=MessageStatus.IN_PROGRESS,
                assistant_id=run.assistant_id,
                run_id=run.id,
            )
            details = {"type": "message_creation", "message_creation": {"message_id": message.id}}
            step = self._new_step(run, "message_creation", details, now)
            await tx.messages.add(message)
            await tx.steps.add(step)
            return (
                *dropped,
                StepMoved(step, created=True),
                StepMoved(step),
                MessageMoved(message, created=True),
                MessageMoved(message),
                *(MessageImage(message.id, index, file_id) for index, file_id in enumerate(images)),
                MessageDelta(message.id, text, is_first=True, annotations=annotations, part=len(images)),
            )

        await self._writer.write(self._channel, effect)
        self._message, self._step, self._pieces = message, step, [Shown(text, annotations, images)]
        self._begun = {}

    def say(self, text: str, annotations: tuple[JsonObject, ...] = ()) -> None:
        """More text for the open message."""
        assert self._message is not None, "say() comes after open_message()"
        _refuse_halves(text)
        part = len(self._pieces[0].images)
        self._pieces.append(Shown(text, annotations))
        delta = MessageDelta(self._message.id, text, annotations=annotations, part=part)
        self._writer.put(self._channel, delta)

    async def begin_call(self, id: str, name: str) -> None:
        """Begin a call whose arguments are still being written, and with the first one of a turn its step."""
        call = BegunCall(len(self._begun), id, name)
        if self._begun:
            assert self._step is not None
            self._writer.put(self._channel, call.started(self._step.id))
        else:
            step: RunStep | None = None

            async def effect(tx: Tx) -> Sequence[Event]:
                nonlocal step
                run, now = await self._live(tx), await tx.now()
                events: list[Event] = []
                if self._message is not None:
                    events += await self._close(tx, Usage(), now)  # its model call goes on
                step = self._new_step(run, "tool_calls", {"type": "tool_calls", "tool_calls": []}, now)
                await tx.steps.add(step)
                return [*events, StepMoved(step, created=True), StepMoved(step), call.started(step.id)]

            await self._writer.write(self._channel, effect)
            self._message, self._step, self._pieces = None, step, []
        self._begun[id] = call

    def write_call(self, id: str, arguments: str) -> None:
        """More of the arguments of a call that has begun; of code, the code."""
        assert self._step is not None
        call = self._begun[id]
        call.add(arguments)
        _refuse_halves(call.text)
        if delta := call.show(self._step.id):
            self._writer.put(self._channel, delta)

    def has_begun(self, id: str) -> bool:
        """Whether this call's arguments are being shown."""
        return id in self._begun

    async def _step_of(
        self,
        tx: Tx,
        run: Run,
        calls: Sequence[ToolCall],
        stored: Sequence[JsonObject],
        usage: Usage,
        now: datetime,
    ) -> tuple[RunStep, list[Event]]:
        """The open step with these calls in it, and the events that show what was not shown of them yet."""
        events: list[Event] = []
        if self._message is not None:
            events += await self._close(tx, Usage(), now)  # counted with the calls
        begun, step = self._begun, self._step
        if step is None or not begun or not agree(begun, calls):
            events += await self._drop_begun(tx, now)
            begun = {}
            empty = self._new_step(run, "tool_calls", {"type": "tool_calls", "tool_calls": []}, now)
            step = replace(empty.with_calls(stored), usage=usage)
            await tx.steps.add(step)
            # The step's usage is shown once the step has ended.
            events += [StepMoved(empty, created=True), StepMoved(empty)]
        else:
            step = replace(step.with_calls(stored), usage=usage)
            await tx.steps.save(step)
        return step, [*events, *rest(step.id, begun, calls)]

    async def _drop_begun(self, tx: Tx, now: datetime) -> list[Event]:
        """End a step whose calls were begun and came to nothing."""
        if not self._begun:
            return []
        assert self._step is not None
        dropped = self._step.to(StepStatus.FAILED, now, usage=Usage(), last_error=dict(_CAME_TO_NOTHING))
        await tx.steps.save(dropped)
        return [StepMoved(dropped)]

    async def open_tools(self, calls: Sequence[ToolCall], usage: Usage, turns: Sequence[JsonObject]) -> None:
        """Begin a step of calls of our tools; `usage` is what the model call spent that asked for them."""
        moved, step = self.run, self._step

        async def effect(tx: Tx) -> Sequence[Event]:
            nonlocal moved, step
            run, now = await self._live(tx), await tx.now()
            stored = [our_call(call) for call in calls]
            step, events = await self._step_of(tx, run, calls, stored, usage, now)
            moved = replace(run, spent=run.spent + usage)
            await tx.runs.move(run, moved)
            await tx.traces.put(run.id, {"turns": list(turns)})
            return events

        await self._writer.write(self._channel, effect)
        self.run, self._message, self._step, self._pieces, self._begun = moved, None, step, [], {}

    async def return_tool(
        self, call: ToolCall, output: str, details: JsonObject, turns: Sequence[JsonObject]
    ) -> None:
        """One of our tools has answered; the step is complete once all of its calls are."""
        left: RunStep | None = None

        async def effect(tx: Tx) -> Sequence[Event]:
            nonlocal left
            run, now = await self._live(tx), await tx.now()
            assert self._step is not None
            step = self._step.with_calls(
                {**each, "output": output, each["type"]: {**each[each["type"]], **details}}
                if each["id"] == call.id
                else each
                for each in self._step.tool_calls
            )
            is_complete = all(each.get("output") is not None for each in step.tool_calls)
            if is_complete:
                step = step.to(StepStatus.COMPLETED, now, usage=step.usage)
            await tx.steps.save(step)
            await tx.traces.put(run.id, {"turns": list(turns)})
            left = None if is_complete else step
            return [StepMoved(step)] if is_complete else ()

        await self._writer.write(self._channel, effect)
        self._step = left

    def show_output(self, call: ToolCall, output: JsonObject) -> None:
        """A running tool shows something."""
        assert self._step is not None
        index = next(i for i, each in enumerate(self._step.tool_calls) if each["id"] == call.id)
        place = add_output(self._outputs.setdefault(call.id, []), output)
        self._writer.put(self._channel, ToolOutputAdded(self._step.id, index, place, output))

    async def pause(self, calls: Sequence[ToolCall], usage: Usage, turns: Sequence[JsonObject]) -> None:
        """The run waits for the caller's tool outputs; the job is done until they come."""
        waiting = self.run

        async def effect(tx: Tx) -> Sequence[Event]:
            nonlocal waiting
            run, now = await self._live(tx), await tx.now()
            _, events = await self._step_of(
                tx, run, calls, [function_call(call) for call in calls], usage, now
            )
            waiting = run.to(
                RunStatus.REQUIRES_ACTION,
                now,
                required_calls=tuple(required_call(call) for call in calls),
                spent=run.spent + usage,
            )
            await tx.runs.move(run, waiting)
            await tx.traces.put(run.id, {"turns": list(turns)})
            await tx.jobs.finish(self._channel.lease)
            return [*events, RunMoved(waiting)]

        await self._writer.write(self._channel, effect)
        self.run = waiting

    async def complete(self, usage: Usage, turns: Sequence[JsonObject]) -> None:
        """The run ended as it should; a wish to cancel that came too late is not honoured."""
        ended = self.run

        async def effect(tx: Tx) -> Sequence[Event]:
            nonlocal ended
            run, now = await tx.runs.hold(self._run_id), await tx.now()
            events = await self._close(tx, usage, now)
            ended = run.to(RunStatus.COMPLETED, now, spent=run.spent + usage)
            await tx.runs.move(run, ended)
            await start_next(tx, run.thread_id, now)
            await tx.traces.put(run.id, {"turns": list(turns)})
            await tx.jobs.finish(self._channel.lease)
            return [*events, RunMoved(ended)]

        await self._writer.write(self._channel, effect)
        self.run = ended

    async def end(
        self,
        target: RunStatus,
        turns: Sequence[JsonObject],
        *,
        turn_usage: Usage | None = None,
        incomplete_reason: str | None = None,
        last_error: JsonObject | None = None,
    ) -> None:
        """The run ended otherwise: cancelled, failed or incomplete; what was shown is kept."""
        ended = self.run

        async def effect(tx: Tx) -> Sequence[Event]:
            nonlocal ended
            run, now = await tx.runs.hold(self._run_id), await tx.now()
            events: list[Event] = []
            if target is RunStatus.CANCELLED:
                events.append(RunMoved(run))
            facts: dict[str, object] = {}
            if incomplete_reason is not None:
                facts["incomplete_reason"] = incomplete_reason
            if last_error is not None:
                facts["last_error"] = mended_json(last_error)
            ended, more = await end_run(
                tx,
                run,
                target,
                now,
                turn_usage=turn_usage,
                shown=self._shown,
                calls=self._shown_calls,
                **facts,
            )
            # Whatever it was that could not be written, the end can.
            await tx.traces.put(run.id, mended_json({"turns": list(turns)}))
            await tx.jobs.finish(self._channel.lease)
            return [*events, *more]

        await self._writer.write(self._channel, effect, despite_loss=True)
        self.run = ended

    @property
    def _shown_calls(self) -> list[JsonObject] | None:
        """The open step's calls with what code that still runs has shown; None where no calls are open."""
        if self._step is None or self._step.type != "tool_calls":
            return None
        calls = self._step.tool_calls or [call.stored() for call in self._begun.values()]
        shown: list[JsonObject] = mended_json([with_outputs(c, self._outputs.get(c["id"])) for c in calls])
        return shown

    @property
    def _shown(self) -> Shown:
        text = "".join(piece.text for piece in self._pieces)
        annotations = tuple(each for piece in self._pieces for each in piece.annotations)
        return Shown(text, annotations, self._pieces[0].images if self._pieces else ())

    async def _live(self, tx: Tx) -> Run:
        run = await tx.runs.hold(self._run_id)
        if run.status is RunStatus.CANCELLING:
            raise Interrupted
        return run

    async def _close(self, tx: Tx, usage: Usage, now: datetime) -> list[Event]:
        assert self._message is not None
        assert self._step is not None
        # As it is stored: its metadata may have been changed meanwhile.
        stored = await tx.messages.find(self._message.id, for_update=True)
        message = (stored or self._message).complete(self._shown, now)
        step = self._step.to(StepStatus.COMPLETED, now, usage=usage)
        await tx.messages.save(message)
        await tx.steps.save(step)
        return [MessageMoved(message), StepMoved(step)]

    def _new_step(self, run: Run, type: str, details: JsonObject, now: datetime) -> RunStep:
        return RunStep(
            id=ids.new("step"),
            created_at=now,
            run_id=run.id,
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            type=type,
            step_details=details,
            expires_at=run.deadline,
        )


def _refuse_halves(text: str) -> None:
    if not is_whole(text):
        raise EngineFailed("The model wrote half of a surrogate pair, which is no text.")


_CAME_TO_NOTHING = {"code": "server_error", "message": "What the model wrote was no call after all."}
_LOST = {
    "code": "server_error",
    "message": "The worker was lost while the model wrote this; it is asked again.",
}
