"""How a run ends when its model did not end it, by whichever door; and who has the thread after it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from assistants_api.domain import ids
from assistants_api.domain.errors import Conflict, InvalidRequest, NotFound
from assistants_api.domain.event import Event, MessageMoved, RunMoved, StepMoved
from assistants_api.domain.job import Job, JobKind
from assistants_api.domain.json import JsonObject
from assistants_api.domain.message import Shown
from assistants_api.domain.run import Run, RunStatus
from assistants_api.domain.step import RunStep, StepStatus
from assistants_api.domain.usage import Usage
from assistants_api.services.begun_calls import calls_shown
from assistants_api.services.messages import add_messages
from assistants_api.store.transaction import Tx

T = TypeVar("T")

_CUT_REASON = {
    RunStatus.CANCELLED: "run_cancelled",
    RunStatus.EXPIRED: "run_expired",
    RunStatus.FAILED: "run_failed",
    RunStatus.INCOMPLETE: "max_tokens",
}
_STEP_STATUS = {
    RunStatus.CANCELLED: StepStatus.CANCELLED,
    RunStatus.EXPIRED: StepStatus.EXPIRED,
    RunStatus.FAILED: StepStatus.FAILED,
    # A cut answer is a finished step: the service wrote it so.
    RunStatus.INCOMPLETE: StepStatus.COMPLETED,
}


class Overtaken(Exception):
    """What the order depends on, in which things are held, has changed while something was waited for."""


async def in_order(tx: Tx, hold: Callable[[], Awaitable[T]]) -> T:
    """What `hold` gives; whenever that is `Overtaken`, all that it held is let go, and it begins again."""
    while True:
        with suppress(Overtaken):
            async with tx.savepoint():
                return await hold()


async def hold_to_end(tx: Tx, run_id: str) -> Run:
    """The run, held by whoever may end it: after its open jobs, as workers hold the two.

    The thread of a run that waits for it comes first, as for who adds one to those that wait.
    """

    async def hold() -> Run:
        before = await tx.runs.get(run_id)
        if before.is_waiting:
            await tx.threads.hold(before.thread_id)
            if not (await tx.runs.get(run_id)).is_waiting:
                raise Overtaken
        held = await tx.jobs.hold_of(run_id)
        run = await tx.runs.hold(run_id)
        if await tx.jobs.has_others(run_id, held):
            raise Overtaken
        return run

    return await in_order(tx, hold)


async def end_run(
    tx: Tx,
    run: Run,
    target: RunStatus,
    now: datetime,
    *,
    turn_usage: Usage | None = None,
    shown: Shown | None = None,
    calls: Sequence[JsonObject] | None = None,
    **facts: Any,
) -> tuple[Run, list[Event]]:
    """Close what is open and move the run to `target`; the events are the caller's to append, in order.

    The open message keeps what was shown of it: `shown` if the caller knows it, else what the log
    holds; so do the calls of the open step, `calls`. `run` must be as it is stored. `turn_usage` is
    what the model call that was cut had spent.
    """
    events: list[Event] = []
    message = await tx.messages.open_of(run.id, for_update=True)
    if message is not None:
        kept = shown if shown is not None else await tx.events.shown_of(run.id, message.id)
        message = message.cut(kept, _CUT_REASON[target], now)
        await tx.messages.save(message)
        events.append(MessageMoved(message))
    step = await tx.steps.open_of(run.id)
    if step is not None:
        if step.type == "tool_calls":
            step = step.with_calls(await _shown_calls(tx, step) if calls is None else calls)
        step_facts: dict[str, Any] = {"usage": (step.usage or Usage()) + (turn_usage or Usage())}
        if target is RunStatus.FAILED:
            step_facts["last_error"] = _step_error(facts["last_error"])
        step = step.to(_STEP_STATUS[target], now, **step_facts)
        await tx.steps.save(step)
        events.append(StepMoved(step))
    ended = run.to(target, now, spent=run.spent + (turn_usage or Usage()), **facts)
    await tx.runs.move(run, ended)
    events.append(RunMoved(ended))
    if run.is_waiting:
        await tx.runs.take_waiting_messages(run.id)
    else:
        await start_next(tx, run.thread_id, now)
    return ended, events


async def start_next(tx: Tx, thread_id: str, now: datetime) -> None:
    """Give a thread that is free to the first run that waits for it; one that cannot start fails."""
    if not await tx.runs.is_waited_for(thread_id):
        return
    # The thread before those that wait for it, as who adds one to them.
    thread = await tx.threads.find(thread_id, for_update=True)
    if thread is None:
        return
    for waiting in await tx.runs.waiting_on(thread_id):
        run = replace(waiting, is_waiting=False)
        try:
            async with tx.savepoint():
                await tx.runs.move(waiting, run)  # first: `Conflict` when the thread is not free after all
                new = await tx.runs.take_waiting_messages(run.id)
                messages, _ = await add_messages(tx, thread, new, now)
                run = replace(run, brought=tuple(message.id for message in messages))
                await tx.runs.move(run, run)
                await tx.jobs.add(Job(ids.new("job"), JobKind.RUN, run.id, now))
        except Conflict:
            return
        except (InvalidRequest, NotFound) as problem:
            last_error = {"code": "server_error", "message": f"The run could not start: {problem.message}"}
            _, events = await end_run(tx, waiting, RunStatus.FAILED, now, last_error=last_error)
            await tx.events.append(run.id, events)
        else:
            return


async def cancel_now(tx: Tx, run: Run, now: datetime) -> Run:
    """Cancel a run that no worker holds, whole and at once; returns it as it was while cancelling."""
    events: list[Event] = []
    if run.status is not RunStatus.CANCELLING:
        cancelling = run.to(RunStatus.CANCELLING, now)
        await tx.runs.move(run, cancelling)
    else:
        cancelling = run
    events.append(RunMoved(cancelling))
    _, more = await end_run(tx, cancelling, RunStatus.CANCELLED, now)
    await tx.jobs.revoke(run.id)
    await tx.events.append(run.id, [*events, *more])
    return cancelling


async def _shown_calls(tx: Tx, step: RunStep) -> Sequence[JsonObject]:
    calls = step.tool_calls
    if calls and all(call["type"] == "function" for call in calls):
        return calls  # stored whole, with nothing to show until its outputs come
    return calls_shown(step.id, calls, [entry.event for entry in await tx.events.all(step.run_id)])


def _step_error(last_error: dict[str, str]) -> dict[str, str]:
    """A step knows two error codes only."""
    code = last_error["code"]
    return {**last_error, "code": code if code == "rate_limit_exceeded" else "server_error"}
