"""What can be done with runs."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from assistants_api.agent.tools import CODE_INTERPRETER, OURS
from assistants_api.domain import ids
from assistants_api.domain.errors import Conflict, InvalidRequest, NotFound, ThreadBusy, TooManyRequests
from assistants_api.domain.event import Event, RunMoved, StepMoved, ThreadCreated
from assistants_api.domain.job import Job, JobKind
from assistants_api.domain.model import Catalogue
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.prompt import EngineFacts
from assistants_api.domain.run import IfBusy, NewRun, Run, RunStatus
from assistants_api.domain.step import StepStatus
from assistants_api.domain.thread import NewThread, Thread
from assistants_api.domain.vector_store import store_ids
from assistants_api.domain.webhook import host_of
from assistants_api.services.endings import cancel_now, hold_to_end
from assistants_api.services.forms import refuse_forms
from assistants_api.services.messages import add_messages
from assistants_api.services.threads import add_thread
from assistants_api.services.tool_resources import check_attachments, settled, touch_stores
from assistants_api.store.database import Database
from assistants_api.store.log import Log
from assistants_api.store.transaction import Tx
from assistants_api.store.wake import cancel_topic


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What runs are allowed.

    `expiry` is the published deadline of a run; `max_waiting` bounds the queue, `max_waiting_on_thread` what
    waits behind one run, `patience` how long a request waits for a busy thread. `no_code` says why no code
    can be run, None where it can. `webhook_hosts` are the hosts that a run's `webhook_url` may name.
    """

    expiry: timedelta = timedelta(seconds=600)
    max_waiting: int = 1000
    max_waiting_on_thread: int = 16
    patience: timedelta = timedelta(seconds=60)
    no_code: str | None = "there is no sandbox"
    webhook_hosts: frozenset[str] = frozenset()


async def create_run(
    db: Database,
    thread_id: str,
    new: NewRun,
    catalogue: Catalogue,
    engine: EngineFacts,
    limits: RunLimits,
    now: datetime,
    *,
    if_busy: IfBusy = IfBusy.REJECT,
    undone: Sequence[str] = (),
    instead_of: Sequence[str] = (),
) -> Run:
    """Start a run: run, job, additional messages and first events in one transaction.

    Raises `ThreadBusy` while another run holds the thread, unless `if_busy` is ENQUEUE: then it is added
    behind that one, and its messages with its start. `undone` are runs whose messages go before it begins;
    `instead_of` are the thread's newest messages, which go too.
    """
    async with db.begin() as tx:
        thread = await tx.threads.hold(thread_id)
        for run_id in undone:
            await _undo(tx, thread_id, run_id)
        if instead_of:
            await _remove_newest(tx, thread_id, instead_of)
        return await _start(tx, thread, new, catalogue, engine, limits, now, [], if_busy)


async def create_run_in_turn(
    db: Database,
    log: Log,
    thread_id: str,
    new: NewRun,
    catalogue: Catalogue,
    engine: EngineFacts,
    limits: RunLimits,
    now: datetime,
    if_busy: IfBusy,
    instead_of: Sequence[str] = (),
) -> Run:
    """As `create_run`, after waiting for, or ending, the run that holds the thread.

    Raises `ThreadBusy` when the thread is not free within `limits.patience`.
    """
    if instead_of and if_busy is not IfBusy.REJECT:
        raise InvalidRequest(
            f"'instead_of[]' cannot go with 'if_busy': '{if_busy}'.",
            param="instead_of[]",
            code="invalid_value",
        )
    loop = asyncio.get_running_loop()
    until = loop.time() + limits.patience.total_seconds()
    undone: list[str] = []
    while True:
        try:
            return await create_run(
                db,
                thread_id,
                new,
                catalogue,
                engine,
                limits,
                now,
                if_busy=if_busy,
                undone=undone,
                instead_of=instead_of,
            )
        except ThreadBusy as busy:
            if if_busy is IfBusy.REJECT or loop.time() >= until:
                raise
            if if_busy is not IfBusy.WAIT:
                ended = await _end_all(db, thread_id, now)
                if if_busy is IfBusy.ROLLBACK:
                    undone += [run_id for run_id in ended if run_id not in undone]
            # A run that ended already is read to its end at once.
            try:
                async with aclosing(log.follow(busy.run_id, until_final=True)) as entries:
                    async with asyncio.timeout_at(until):
                        async for _ in entries:
                            pass
            except TimeoutError:
                pass
            except NotFound:
                # Deleted, or not yet durable: what commits it needs the loop, which nothing above yields.
                await asyncio.sleep(0)
            now = datetime.now(UTC)


async def create_thread_and_run(
    db: Database,
    new_thread: NewThread,
    new: NewRun,
    catalogue: Catalogue,
    engine: EngineFacts,
    limits: RunLimits,
    now: datetime,
) -> Run:
    """Make a thread and start a run on it, in one transaction."""
    async with db.begin() as tx:
        thread = await add_thread(tx, new_thread, now)
        return await _start(tx, thread, new, catalogue, engine, limits, now, [ThreadCreated(thread)])


async def list_runs(db: Database, thread_id: str, query: PageQuery) -> Page[Run]:
    """Runs of a thread by creation."""
    async with db.read() as tx:
        await tx.threads.get(thread_id)
        return await tx.runs.page(thread_id, query)


async def get_run(db: Database, thread_id: str, run_id: str) -> Run:
    """One run of this thread."""
    async with db.read() as tx:
        return await run_of(tx, thread_id, run_id)


async def modify_run(db: Database, thread_id: str, run_id: str, changes: Mapping[str, Any]) -> Run:
    """The run with other metadata; open in every status."""
    async with db.begin() as tx:
        await run_of(tx, thread_id, run_id)
        run = await tx.runs.hold(run_id)
        changed = replace(run, **changes)
        await tx.runs.move(run, changed)
    return changed


async def cancel_run(db: Database, thread_id: str, run_id: str, now: datetime) -> Run:
    """Ask for the end of a run; one that no worker holds ends here and now."""
    async with db.begin() as tx:
        await run_of(tx, thread_id, run_id)
        run = await hold_to_end(tx, run_id)
        if run.is_final or run.status is RunStatus.CANCELLING:
            raise InvalidRequest(f"Cannot cancel run with status '{run.status}'.")
        return await _cancel(tx, run, now)


async def _cancel(tx: Tx, run: Run, now: datetime) -> Run:
    if not await tx.jobs.is_held(run.id):
        return await cancel_now(tx, run, now)
    cancelling = run.to(RunStatus.CANCELLING, now)
    await tx.runs.move(run, cancelling)
    # The worker that holds the run announces this: a channel has one writer at a time.
    tx.after_commit(lambda: tx.wake.send(cancel_topic(run.id)))
    return cancelling


async def submit_tool_outputs(
    db: Database, thread_id: str, run_id: str, outputs: Mapping[str, str], now: datetime
) -> tuple[Run, int]:
    """Give every output that the run waits for, by call id, and queue it again.

    The second result is the last event before this leg: its stream begins after that.
    """
    async with db.begin() as tx:
        await run_of(tx, thread_id, run_id)
        run = await tx.runs.hold(run_id)
        if run.status is not RunStatus.REQUIRES_ACTION:
            raise InvalidRequest(f'Runs in status "{run.status}" do not accept tool outputs.')
        expected = [call["id"] for call in run.required_calls]
        if set(outputs) != set(expected):
            raise InvalidRequest(f"Expected tool outputs for call_ids {expected}, got {list(outputs)}")
        step = await tx.steps.open_of(run_id)
        assert step is not None, "a run that requires action has an open tool step"
        step = step.with_outputs(outputs).to(StepStatus.COMPLETED, now, usage=step.usage)
        await tx.steps.save(step)
        queued = run.to(RunStatus.QUEUED, now)
        await tx.runs.move(run, queued)
        await tx.jobs.add(Job(ids.new("job"), JobKind.RUN, run_id, now))
        entries = await tx.events.append(run_id, [StepMoved(step), RunMoved(queued)])
    return queued, entries[0].seq - 1


async def run_of(tx: Tx, thread_id: str, run_id: str) -> Run:
    """The run, if it belongs to this thread."""
    run = await tx.runs.find(run_id)
    if run is None or run.thread_id != thread_id:
        await tx.threads.get(thread_id)
        raise NotFound(f"No run found with id '{run_id}'.")
    return run


async def _start(
    tx: Tx,
    thread: Thread,
    new: NewRun,
    catalogue: Catalogue,
    engine: EngineFacts,
    limits: RunLimits,
    now: datetime,
    events: list[Event],
    if_busy: IfBusy = IfBusy.REJECT,
) -> Run:
    assistant = await tx.assistants.get(new.assistant_id)
    model = new.model if new.model is not None else assistant.model
    catalogue.resolve(model)
    if new.tool_resources is not None:
        new = replace(new, tool_resources=await settled(tx, new.tool_resources, now))
    run = Run.start(ids.new("run"), thread, assistant, new, model, limits.expiry, now)
    _refuse_what_cannot_be_honoured(run, engine, limits)
    active = await tx.runs.active_on(thread.id)
    run = replace(run, is_waiting=active is not None)
    if active is None:
        messages, thread = await add_messages(tx, thread, new.additional_messages, now)
        run = replace(run, brought=tuple(message.id for message in messages))
    elif if_busy is not IfBusy.ENQUEUE:
        held = f"Thread {thread.id} already has an active run {active.id}. {active.holding(now)}"
        raise ThreadBusy(held, active.id)
    elif len(await tx.runs.waiting_on(thread.id)) >= limits.max_waiting_on_thread:
        raise TooManyRequests(f"{limits.max_waiting_on_thread} runs wait on thread {thread.id} already.")
    else:
        await check_attachments(tx, new.additional_messages)
    brings_question = any(message.role == "user" for message in new.additional_messages)
    if not (run.instructions or brings_question or await tx.messages.has_user_message(thread.id)):
        raise InvalidRequest(
            "Run creation requires a Thread with a user message or an assistant with instructions.",
            code="invalid_thread",
        )
    if await tx.jobs.depth(JobKind.RUN) >= limits.max_waiting:
        raise TooManyRequests(f"{limits.max_waiting} runs are waiting already. Please try again later.")
    try:
        await tx.runs.add(run)
    except Conflict as conflict:
        raise InvalidRequest(f"Thread {thread.id} already has an active run.") from conflict
    await touch_stores(tx, [*store_ids(run.tool_resources), *store_ids(thread.tool_resources)], now)
    if run.is_waiting:
        await tx.runs.put_waiting_messages(run.id, new.additional_messages)
    else:
        await tx.jobs.add(Job(ids.new("job"), JobKind.RUN, run.id, now))
    await tx.events.append(run.id, [*events, RunMoved(run, created=True), RunMoved(run)])
    return run


async def _end_all(db: Database, thread_id: str, now: datetime) -> list[str]:
    """Cancel the run that holds a thread and those that wait behind it; the ids of all of them."""
    async with db.begin() as tx:
        active = await tx.runs.active_on(thread_id)
        if active is None:
            return []
        run = await hold_to_end(tx, active.id)
        await tx.threads.hold(thread_id)
        # Before it: none of them is to have its turn.
        for waiting in await tx.runs.waiting_on(thread_id):
            await cancel_now(tx, waiting, now)
        if not run.is_final and run.status is not RunStatus.CANCELLING:
            await _cancel(tx, run, now)
    return [active.id]


async def _undo(tx: Tx, thread_id: str, run_id: str) -> None:
    """Remove every message that a run has written, or that was added with it."""
    run = await tx.runs.find(run_id)
    if run is not None and run.thread_id == thread_id and run.is_final:
        written = await tx.messages.of_run(run_id)
        for message_id in dict.fromkeys([*run.brought, *(message.id for message in written)]):
            if await tx.messages.find(message_id) is not None:
                await tx.messages.remove(message_id)


async def _remove_newest(tx: Tx, thread_id: str, message_ids: Sequence[str]) -> None:
    """Remove these messages, which must be the thread's newest."""
    newest = await tx.messages.newest(thread_id, limit=len(message_ids))
    if {message.id for message in newest} != set(message_ids):
        raise InvalidRequest(
            "Invalid 'instead_of[]': the newest messages of the thread are others.",
            param="instead_of[]",
            code="invalid_value",
        )
    for message_id in message_ids:
        await tx.messages.remove(message_id)


def _refuse_what_cannot_be_honoured(run: Run, engine: EngineFacts, limits: RunLimits) -> None:
    if run.webhook_url is not None and host_of(run.webhook_url) not in limits.webhook_hosts:
        raise InvalidRequest(
            "Invalid 'webhook_url': its host is not one of those that this server's operator allows"
            " (ASSISTANTS_WEBHOOK_HOSTS).",
            param="webhook_url",
            code="invalid_value",
        )
    for place, tool in enumerate(run.tools):
        if tool["type"] == CODE_INTERPRETER and limits.no_code is not None:
            raise InvalidRequest(
                f"The tool 'code_interpreter' is off on this server: {limits.no_code}."
                " Remove it from the run or the assistant.",
                param=f"tools[{place}].type",
                code="unsupported_tool",
            )
        if tool["type"] == "function" and tool["function"]["name"] in OURS:
            raise InvalidRequest(
                f"The name '{tool['function']['name']}' belongs to a tool of this server.",
                param=f"tools[{place}].function.name",
                code="invalid_value",
            )
    refuse_forms(run.response_format, run.tools, engine)
    choice = run.tool_choice
    names = {tool["function"]["name"] if tool["type"] == "function" else tool["type"] for tool in run.tools}
    if isinstance(choice, Mapping):
        name = choice["function"]["name"] if choice["type"] == "function" else choice["type"]
        if name not in names:
            raise InvalidRequest(
                f"Tool choice '{name}' not found in 'tools' parameter.",
                param="tool_choice",
                code="invalid_value",
            )
    if choice == "required" and not names:
        raise InvalidRequest(
            "'tool_choice' is 'required' but the run has no tools.", param="tool_choice", code="invalid_value"
        )
