"""Every edge of a run's life, walked once; and the document that draws them, held to the same table."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.prompt import Stop, Text, ToolCall
from assistants_api.domain.run import NEXT, Run, RunStatus
from assistants_api.domain.usage import Usage
from assistants_api.engine.script import Fail, Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.recording import Recording
from assistants_api.services.runs import cancel_run, submit_tool_outputs
from assistants_api.services.sweeping import sweep
from assistants_api.store.database import Database
from assistants_api.store.runs import Runs
from assistants_api.store.writer import Channel
from tests.conftest import until
from tests.worker.conftest import House, house_over
from tests.worker.test_runs import WEATHER

DOCUMENT = Path(__file__).parents[2] / "docs" / "run-lifecycle.md"
S = RunStatus
CALL = ToolCall("call_a", "get_weather", "{}")
ERROR = {"code": "server_error", "message": "It broke."}


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunStatus, RunStatus]]:
    """Every change of status that reaches the database; all of them go through one function."""
    seen: list[tuple[RunStatus, RunStatus]] = []
    move = Runs.move

    async def watched(self: Runs, before: Run, after: Run) -> None:
        await move(self, before, after)
        if before.status is not after.status:
            seen.append((before.status, after.status))

    monkeypatch.setattr(Runs, "move", watched)
    return seen


@asynccontextmanager
async def unclaimed(db: Database, expiry: float = 600) -> AsyncIterator[tuple[House, Run]]:
    """A run that no worker takes."""
    async with house_over(db, ScriptedEngine([[Wait("never")]] * 9)) as house:
        house.worker._is_draining = True
        yield house, await house.start(tools=[WEATHER], expiry=expiry)


@asynccontextmanager
async def carried(db: Database, expiry: float = 600) -> AsyncIterator[tuple[Run, Recording]]:
    """A run in the middle of an answer, written by hand so that its end can be timed."""
    async with unclaimed(db, expiry) as (house, run):
        async with db.begin() as tx:
            [job] = await tx.jobs.claim("by hand", "run", 1)
            seq = await tx.events.last_seq(run.id)
        writer = house.worker._writer
        recording = Recording(writer, Channel(run.id, job.lease, seq), run)
        await recording.begin()
        await recording.open_message("Well")
        yield run, recording


async def is_now(house: House, run: Run, status: RunStatus) -> bool:
    return (await house.run(run)).status is status


async def played(db: Database, *turns: Any, **given: Any) -> Run:
    """A run that a worker carries until it is final, or waits for somebody."""
    async with house_over(db, ScriptedEngine(list(turns))) as house:
        run = await house.start(tools=[WEATHER], **given)
        await house.events(run)
        return run


async def completed(db: Database) -> Run:
    return await played(db, [Text("Well.")])


async def incomplete(db: Database) -> Run:
    turn = [Text("Well."), Stop("length", Usage(1, 1))]
    return await played(db, turn, max_completion_tokens=256)


async def failed(db: Database) -> Run:
    return await played(db, [Text("Well."), Fail("It broke.")])


async def answered(db: Database) -> Run:
    async with house_over(db, ScriptedEngine([[CALL], [Text("Warm.")]])) as house:
        run = await house.start(tools=[WEATHER])
        await house.events(run)
        await submit_tool_outputs(db, run.thread_id, run.id, {CALL.id: "21"}, now())
        await until(lambda: is_now(house, run, S.COMPLETED))
        return run


async def never_answered(db: Database) -> Run:
    run = await played(db, [CALL], expiry=1.0)
    return await swept(db, run, S.EXPIRED)


async def cancelled_while_it_waits(db: Database) -> Run:
    run = await played(db, [CALL])
    await cancel_run(db, run.thread_id, run.id, now())
    return run


async def swept(db: Database, run: Run, status: RunStatus) -> Run:
    """Swept until the run has this end."""

    async def is_over() -> bool:
        await sweep(db)
        async with db.read() as tx:
            return (await tx.runs.get(run.id)).status is status

    await until(is_over)
    return run


async def cancelled_in_the_queue(db: Database) -> Run:
    async with unclaimed(db) as (_, run):
        await cancel_run(db, run.thread_id, run.id, now())
        return run


async def lost_in_the_queue(db: Database) -> Run:
    async with unclaimed(db) as (_, run):
        for _ in range(3):
            async with db.begin() as tx:
                await tx.jobs.claim("lost", "run", 1, -1)
        return await swept(db, run, S.FAILED)


async def too_late_for_a_worker(db: Database) -> Run:
    async with unclaimed(db, expiry=-1) as (_, run):
        return await swept(db, run, S.EXPIRED)


async def hanging(db: Database) -> Run:
    async with carried(db, expiry=0.5) as (run, _):
        return await swept(db, run, S.EXPIRED)


async def cancelled(db: Database) -> Run:
    async with carried(db) as (run, recording):
        await cancel_run(db, run.thread_id, run.id, now())
        await recording.end(S.CANCELLED, [])
        return run


async def cancelled_too_late_to_stop_it(db: Database) -> Run:
    async with carried(db) as (run, recording):
        await cancel_run(db, run.thread_id, run.id, now())
        await recording.complete(Usage(1, 1), [])
        return run


async def cancelled_at_its_limit(db: Database) -> Run:
    async with carried(db) as (run, recording):
        await cancel_run(db, run.thread_id, run.id, now())
        await recording.end(S.INCOMPLETE, [], incomplete_reason="max_completion_tokens")
        return run


async def cancelled_and_failed(db: Database) -> Run:
    async with carried(db) as (run, recording):
        await cancel_run(db, run.thread_id, run.id, now())
        await recording.end(S.FAILED, [], last_error=ERROR)
        return run


async def cancelled_and_never_heard_of_again(db: Database) -> Run:
    async with carried(db, expiry=0.5) as (run, _):
        await cancel_run(db, run.thread_id, run.id, now())
        return await swept(db, run, S.EXPIRED)


EDGES: dict[tuple[RunStatus, RunStatus], Callable[[Database], Awaitable[Run]]] = {
    (S.QUEUED, S.IN_PROGRESS): completed,
    (S.QUEUED, S.CANCELLING): cancelled_in_the_queue,
    (S.QUEUED, S.FAILED): lost_in_the_queue,
    (S.QUEUED, S.EXPIRED): too_late_for_a_worker,
    (S.IN_PROGRESS, S.REQUIRES_ACTION): answered,
    (S.IN_PROGRESS, S.COMPLETED): completed,
    (S.IN_PROGRESS, S.INCOMPLETE): incomplete,
    (S.IN_PROGRESS, S.FAILED): failed,
    (S.IN_PROGRESS, S.CANCELLING): cancelled,
    (S.IN_PROGRESS, S.EXPIRED): hanging,
    (S.REQUIRES_ACTION, S.QUEUED): answered,
    (S.REQUIRES_ACTION, S.CANCELLING): cancelled_while_it_waits,
    (S.REQUIRES_ACTION, S.EXPIRED): never_answered,
    (S.CANCELLING, S.CANCELLED): cancelled,
    (S.CANCELLING, S.COMPLETED): cancelled_too_late_to_stop_it,
    (S.CANCELLING, S.INCOMPLETE): cancelled_at_its_limit,
    (S.CANCELLING, S.FAILED): cancelled_and_failed,
    (S.CANCELLING, S.EXPIRED): cancelled_and_never_heard_of_again,
}
ALL = {(before, after) for before, following in NEXT.items() for after in following}


@pytest.mark.parametrize("edge", sorted(ALL), ids=lambda edge: f"{edge[0]}-{edge[1]}")
async def test_an_edge_is_walked(db, edge, moves):
    await EDGES[edge](db)

    assert edge in moves
    assert set(moves) <= ALL


def test_the_document_names_every_edge_and_tests_that_exist():
    text = DOCUMENT.read_text()

    named = re.findall(r"^\| (\w+) → (\w+) \| .+ \|$", text, re.MULTILINE)
    assert len(named) == len(ALL)
    assert {(S(before), S(after)) for before, after in named} == ALL
    missing = [
        f"{file}::{name}"
        for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
        if f"def {name}(" not in (DOCUMENT.parents[1] / file).read_text()
    ]
    assert missing == []
