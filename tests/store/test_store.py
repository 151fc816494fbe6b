"""The store on both databases: pages, compare-and-swap, claims and fences, the log, migrations."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from assistants_api.domain import ids
from assistants_api.domain.assistant import Assistant
from assistants_api.domain.errors import Conflict, LostLease, NotFound
from assistants_api.domain.event import MessageDelta, RunMoved
from assistants_api.domain.job import MAX_ATTEMPTS, Job
from assistants_api.domain.page import PageQuery
from assistants_api.domain.run import NewRun, Run, RunStatus
from assistants_api.domain.thread import Thread
from assistants_api.domain.usage import Usage
from assistants_api.store.codec import decode, encode
from assistants_api.store.opening import CannotOpen, downgrade, open_database, sqlite_url, upgrade
from assistants_api.store.wake import JOBS, Wake
from assistants_api.store.writer import Channel, LogWriter
from tests.conftest import fresh_postgres

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


def a_thread() -> Thread:
    return Thread(ids.new("thread"), NOW, {}, {"k": "v"})


def an_assistant() -> Assistant:
    return Assistant(
        ids.new("asst"),
        NOW,
        "m",
        None,
        None,
        "Be brief.",
        ({"type": "code_interpreter"},),
        {},
        {},
        1.0,
        0.5,
        "auto",
    )


def a_run(thread: Thread, **facts) -> Run:
    run = Run.start(
        ids.new("run"), thread, an_assistant(), NewRun("asst_x"), "m", timedelta(seconds=600), NOW
    )
    return replace(run, **facts)


def a_job(subject: str) -> Job:
    return Job(ids.new("job"), "run", subject, NOW)


async def test_what_is_stored_comes_back_equal(db):
    thread, assistant = a_thread(), an_assistant()
    run = a_run(thread, spent=Usage(3, 4), last_error={"code": "server_error", "message": "x"})

    async with db.begin() as tx:
        await tx.assistants.add(assistant)
        await tx.threads.add(thread)
        await tx.runs.add(run)

    async with db.read() as tx:
        assert await tx.assistants.get(assistant.id) == assistant
        assert await tx.threads.get(thread.id) == thread
        assert await tx.runs.get(run.id) == run


async def test_a_transaction_that_raises_leaves_nothing(db):
    kept, dropped = a_thread(), a_thread()

    with pytest.raises(RuntimeError):
        async with db.begin() as tx:
            await tx.threads.add(dropped)
            raise RuntimeError
    async with db.begin() as tx:
        await tx.threads.add(kept)

    async with db.read() as tx:
        assert [thread.id for thread in (await tx.threads.page(PageQuery(), {})).data] == [kept.id]


async def test_what_is_stored_is_not_told_by_the_errors_of_the_database(db):
    """They are logged, and what people write is nobody's who reads logs."""
    thread = replace(a_thread(), metadata={"k": "what I told nobody"})
    with pytest.raises(IntegrityError) as told:
        async with db.begin() as tx:
            await tx.threads.add(thread)
            await tx.threads.add(thread)

    assert "INSERT INTO threads" in str(told.value)
    assert "nobody" not in str(told.value)


async def test_transactions_at_once_are_each_whole(db):
    async def one(n: int) -> None:
        async with db.begin() as tx:
            await tx.threads.add(a_thread())
            if n % 3 == 0:
                raise RuntimeError
            await tx.threads.add(a_thread())

    results = await asyncio.gather(*[one(n) for n in range(60)], return_exceptions=True)

    async with db.read() as tx:
        page = await tx.threads.page(PageQuery(100), {})
    assert sum(isinstance(result, RuntimeError) for result in results) == 20
    assert len(page.data) == 80


async def test_pages_walk_the_whole_list_both_ways(db):
    threads = [a_thread() for _ in range(7)]
    async with db.begin() as tx:
        for thread in threads:
            await tx.threads.add(thread)
    made = [thread.id for thread in threads]

    async def walk(order: str) -> list[str]:
        seen: list[str] = []
        after = None
        while True:
            async with db.read() as tx:
                page = await tx.threads.page(PageQuery(3, order, after), {"k": "v"})
            seen += [thread.id for thread in page.data]
            if not page.has_more:
                return seen
            after = seen[-1]

    assert await walk("asc") == made
    assert await walk("desc") == made[::-1]
    async with db.read() as tx:
        before = await tx.threads.page(PageQuery(2, "asc", before=made[4]), {})
        between = await tx.threads.page(PageQuery(9, "desc", after=made[5], before=made[2]), {})
        none = await tx.threads.page(PageQuery(), {"k": "other"})
        with pytest.raises(NotFound):
            await tx.threads.page(PageQuery(after="thread_gone"), {})
    assert [thread.id for thread in before.data] == made[2:4]
    assert [thread.id for thread in between.data] == [made[4], made[3]]
    assert none.data == []


async def test_one_active_run_per_thread_is_the_databases_rule(db):
    thread = a_thread()
    first = a_run(thread)
    async with db.begin() as tx:
        await tx.threads.add(thread)
        await tx.runs.add(first)

    with pytest.raises(Conflict):
        async with db.begin() as tx:
            await tx.runs.add(a_run(thread))

    async with db.begin() as tx:
        await tx.runs.move(first, replace(first, status=RunStatus.FAILED))
        await tx.runs.add(a_run(thread))


async def test_of_two_movers_one_wins(db):
    thread = a_thread()
    run = a_run(thread)
    async with db.begin() as tx:
        await tx.threads.add(thread)
        await tx.runs.add(run)

    async def move(target: RunStatus) -> RunStatus:
        async with db.begin() as tx:
            await tx.runs.move(run, run.to(target, NOW))
        return target

    results = await asyncio.gather(
        move(RunStatus.IN_PROGRESS), move(RunStatus.CANCELLING), return_exceptions=True
    )

    [winner] = [result for result in results if isinstance(result, RunStatus)]
    [loser] = [result for result in results if not isinstance(result, RunStatus)]
    assert isinstance(loser, Conflict)
    async with db.read() as tx:
        assert (await tx.runs.get(run.id)).status is winner


async def test_a_job_is_claimed_once_and_again_when_its_lease_ends(db):
    jobs = [a_job(f"run_{n}") for n in range(6)]
    async with db.begin() as tx:
        for job in jobs:
            await tx.jobs.add(job)

    async def claim(owner: str, seconds: float = 30) -> list[Job]:
        async with db.begin() as tx:
            return await tx.jobs.claim(owner, "run", 2, seconds)

    first = [job for claimed in await asyncio.gather(*[claim(f"w{n}") for n in range(3)]) for job in claimed]
    assert sorted(job.id for job in first) == sorted(job.id for job in jobs)
    assert await claim("late") == []

    lost = [job for job in first if job.owner == "w0"]
    async with db.begin() as tx:
        leases = {job.lease for job in lost}
        assert await tx.jobs.renew(leases, -1) == leases
    taken = await claim("late")
    assert [job.id for job in taken] == [job.id for job in lost]
    assert {job.attempt for job in taken} == {2}
    async with db.begin() as tx:
        held = await tx.jobs.held([job.lease for job in (*lost, *taken)])
        renewed = await tx.jobs.renew([job.lease for job in (*lost, *taken)])
    assert held == renewed == {job.lease for job in taken}


async def test_a_claim_takes_no_more_than_it_asks_for_whatever_the_planner_expects(db):
    """It expects one job, as where the statistics are of a quiet hour."""
    async with db.begin() as tx:
        await tx.jobs.add(a_job("run_a"))
        await tx.execute(text("ANALYZE jobs"))
        for n in range(10):
            await tx.jobs.add(a_job(f"run_{n}"))

    async with db.begin() as tx:
        claims = [len(await tx.jobs.claim("w", "run", limit)) for limit in (1, 3)]

    assert claims == [1, 3]


async def test_a_job_is_tried_so_often_and_no_more(db):
    async with db.begin() as tx:
        await tx.jobs.add(a_job("run_x"))
    for attempt in range(1, MAX_ATTEMPTS + 1):
        async with db.begin() as tx:
            [job] = await tx.jobs.claim("w", "run", 1, -1)
            assert job.attempt == attempt

    async with db.begin() as tx:
        assert await tx.jobs.claim("w", "run", 1) == []
        assert [job.subject_id for job in await tx.jobs.abandoned()] == ["run_x"]


async def test_a_handed_back_job_counts_no_attempt(db):
    async with db.begin() as tx:
        await tx.jobs.add(a_job("run_x"))
        [job] = await tx.jobs.claim("w", "run", 1)
    async with db.begin() as tx:
        await tx.jobs.release("w")
        [again] = await tx.jobs.claim("v", "run", 1)

    assert (again.id, again.attempt) == (job.id, 1)
    async with db.begin() as tx:
        assert await tx.jobs.held([job.lease, again.lease]) == {again.lease}


async def test_events_survive_their_codec(db):
    run = a_run(
        a_thread(), required_calls=({"id": "c", "type": "function"},), spent=Usage(1, 2), started_at=NOW
    )
    for event in (RunMoved(run, created=True), MessageDelta("msg_x", "你好 \U0001f600\n", is_first=True)):
        assert decode(*encode(event)) == event


async def test_an_event_that_cannot_be_written_is_told_to_its_own_run(db):
    writer = LogWriter(db)
    async with db.begin() as tx:
        for run_id in ("run_x", "run_y"):
            await tx.jobs.add(a_job(run_id))
        jobs = await tx.jobs.claim("w", "run", 2)
    bad, good = (Channel(job.subject_id, job.lease) for job in jobs)

    async def end(tx):
        return [MessageDelta("m", "end")]

    async def break_off(tx):
        await tx.threads.add(thread)
        return [MessageDelta("m", "\ude00")]

    thread = a_thread()
    for said in ("a", "\ud83d", "b"):
        writer.put(bad, MessageDelta("m", said))
        writer.put(good, MessageDelta("m", "well"))
    writer.put(good, MessageDelta("m", "done"))
    task = asyncio.create_task(writer.run())
    try:
        await writer.write(good, end)
        with pytest.raises(UnicodeEncodeError):
            await writer.write(bad, end)
        await writer.write(bad, end)
        with pytest.raises(UnicodeEncodeError):
            await writer.write(bad, break_off)
        writer.put(bad, MessageDelta("m", "\ud83d"))
        await writer.write(bad, end, despite_loss=True)
        await writer.write(bad, end)
    finally:
        task.cancel()

    async with db.read() as tx:
        for channel, texts in (
            (bad, ["a", "end", "end", "end"]),
            (good, ["well", "well", "well", "done", "end"]),
        ):
            entries = await tx.events.all(channel.id)
            assert [entry.seq for entry in entries] == list(range(1, len(texts) + 1))
            assert [entry.event.text for entry in entries] == texts
        assert await tx.threads.find(thread.id) is None


async def test_the_writer_keeps_order_and_numbers_densely(db):
    writer = LogWriter(db)
    async with db.begin() as tx:
        await tx.jobs.add(a_job("run_x"))
        [job] = await tx.jobs.claim("w", "run", 1)
    channel = Channel("run_x", job.lease)
    task = asyncio.create_task(writer.run())

    for n in range(50):
        writer.put(channel, MessageDelta("m", str(n)))
        if n % 10 == 9:

            async def effect(tx, n=n):
                return [MessageDelta("m", f"effect {n}")]

            await writer.write(channel, effect)

    async def failing(tx):
        await tx.threads.add(a_thread())
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await writer.write(channel, failing)
    task.cancel()
    async with db.read() as tx:
        entries = await tx.events.after("run_x", 0)
        threads = await tx.threads.page(PageQuery(), {})
    assert [entry.seq for entry in entries] == list(range(1, 56))
    expected = []
    for n in range(50):
        expected += [str(n), *([f"effect {n}"] if n % 10 == 9 else [])]
    assert [entry.event.text for entry in entries] == expected
    assert threads.data == []


async def test_a_writer_without_its_lease_writes_nothing(db):
    writer = LogWriter(db)
    async with db.begin() as tx:
        await tx.jobs.add(a_job("run_x"))
        [old] = await tx.jobs.claim("w", "run", 1, -1)
        [new] = await tx.jobs.claim("v", "run", 1)
    task = asyncio.create_task(writer.run())

    async def effect(tx):
        return [MessageDelta("m", "x")]

    writer.put(Channel("run_x", old.lease), MessageDelta("m", "stale"))
    with pytest.raises(LostLease):
        await writer.write(Channel("run_x", old.lease), effect)
    await writer.write(Channel("run_x", new.lease), effect)
    task.cancel()

    async with db.read() as tx:
        assert [entry.event.text for entry in await tx.events.after("run_x", 0)] == ["x"]


async def test_hints_come_after_the_commit_and_never_after_a_rollback(db):
    heard: list[str] = []
    db.wake.on(JOBS, lambda payload: heard.append("jobs"))

    with pytest.raises(RuntimeError):
        async with db.begin() as tx:
            await tx.jobs.add(a_job("run_x"))
            raise RuntimeError
    assert heard == []
    async with db.begin() as tx:
        await tx.jobs.add(a_job("run_x"))
        assert heard == []
    assert heard == ["jobs"]


@pytest.mark.postgres
async def test_hints_reach_other_processes_on_postgresql(request):

    from tests.conftest import until

    if "ASSISTANTS_TEST_POSTGRES_URL" not in os.environ:
        pytest.skip("needs a PostgreSQL server: set ASSISTANTS_TEST_POSTGRES_URL")
    async with fresh_postgres() as url:
        one, two = await open_database(url, Wake()), await open_database(url, Wake())
        heard: list[object] = []
        two.wake.on(JOBS, heard.append)

        async def told() -> bool:
            async with one.begin() as tx:
                await tx.jobs.add(a_job("run_x"))
            return bool(heard)

        await until(told)
        await one.close()
        await two.close()


def test_migrations_go_up_down_and_up_again(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'm.sqlite3'}")
    with engine.begin() as connection:
        upgrade(connection)
        there = set(inspect(connection).get_table_names())
        downgrade(connection, "base")
        left = set(inspect(connection).get_table_names())
        upgrade(connection)
        again = set(inspect(connection).get_table_names())
    engine.dispose()

    assert {"runs", "jobs", "events"} <= there == again
    assert left == {"alembic_version"}


AN_OLD_STORE = """
INSERT INTO files (id, created_at, filename, purpose, bytes, blob) VALUES
('a', 1, 'a', 'x', 1, 'a'), ('b', 1, 'b', 'x', 1, 'b');
INSERT INTO vector_stores (id, created_at, metadata, last_active_at, revision) VALUES ('vs', 1, '{}', 1, 0);
INSERT INTO store_files (id, created_at, vector_store_id, file_id, status, last_error, usage_bytes,
max_chunk_size_tokens, chunk_overlap_tokens, attributes) VALUES
('fa', 1, 'vs', 'a', 'in_progress', NULL, 0, 800, 400, '{}'),
('fb', 1, 'vs', 'b', 'failed', '{"code":"x"}', 7, 800, 400, '{}');
INSERT INTO file_batches (id, created_at, vector_store_id, is_cancelled) VALUES
('one', 1, 'vs', false), ('two', 1, 'vs', true);
INSERT INTO batch_files (batch_id, store_file_id) VALUES ('one', 'fa'), ('one', 'fb'), ('two', 'fa');
"""


def _ends_of_an_old_store(connection):
    """How the batches of a database of revision 0007 stand after the migration, and what is left of it."""
    downgrade(connection, "0007")
    for statement in AN_OLD_STORE.split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    upgrade(connection)
    rows = connection.exec_driver_sql(
        "SELECT batch_id, store_file_id, status, last_error, usage_bytes FROM batch_files ORDER BY 1, 2"
    ).fetchall()
    connection.exec_driver_sql("DELETE FROM store_files WHERE id = 'fb'")
    downgrade(connection, "0007")
    left = connection.exec_driver_sql("SELECT batch_id, store_file_id FROM batch_files ORDER BY 1, 2")
    return [tuple(row) for row in rows], [tuple(row) for row in left]


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_batches_of_an_older_database_stand_as_they_stood(kind, tmp_path):
    if kind == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path / 'm.sqlite3'}")
        with engine.begin() as connection:
            upgrade(connection, "0007")
            rows, left = _ends_of_an_old_store(connection)
        engine.dispose()
    else:
        if "ASSISTANTS_TEST_POSTGRES_URL" not in os.environ:
            pytest.skip("needs a PostgreSQL server: set ASSISTANTS_TEST_POSTGRES_URL")
        async with fresh_postgres() as url:
            server = create_async_engine(url)
            async with server.begin() as connection:
                rows, left = await connection.run_sync(_ends_of_an_old_store)
            await server.dispose()

    assert rows == [
        ("one", "fa", "in_progress", None, 0),
        ("one", "fb", "failed", '{"code":"x"}', 7),
        ("two", "fa", "cancelled", None, 0),
    ]
    assert left == [("one", "fa"), ("two", "fa")]


async def test_the_tables_and_the_migrations_agree(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from assistants_api.store.tables import metadata

    engine = create_engine(f"sqlite:///{tmp_path / 'm.sqlite3'}")
    with engine.begin() as connection:
        upgrade(connection)
        # The keyword index is no table that SQLAlchemy knows: each database has its own kind.
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: not str(name).startswith("window_terms")}
        )
        found = compare_metadata(context, metadata)
    engine.dispose()

    assert found == []


async def test_a_database_of_a_newer_version_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path / 'a.sqlite3'}"
    await (await open_database(url, Wake())).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(CannotOpen, match="newer version"):
        await open_database(url, Wake())


MIGRATES = """
import asyncio, sys
from assistants_api.store.opening import migrate
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(migrate(sys.argv[1]))
"""


def test_processes_that_start_at_once_make_one_database(tmp_path):
    """One of them makes the tables, the others wait for it."""
    command = [sys.executable, "-c", MIGRATES, sqlite_url(tmp_path)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    started = [subprocess.Popen(command, text=True, **pipes) for _ in range(5)]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[1] for process in started]

    assert [process.returncode for process in started] == [0] * 5, said
