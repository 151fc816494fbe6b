"""Everybody holds a job before what it is about, as workers do: two who want both never wait for each other."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Select, text

from assistants_api.domain import ids
from assistants_api.domain.errors import NotFound, Unavailable
from assistants_api.domain.job import Job, JobKind
from assistants_api.domain.message import NewMessage
from assistants_api.domain.page import PageQuery
from assistants_api.domain.prompt import Text
from assistants_api.domain.run import IfBusy, NewRun, Run
from assistants_api.domain.thread import NewThread
from assistants_api.domain.vector_store import NewStoreFile, NewVectorStore, StoreFileStatus
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.assistants import get_assistant, modify_assistant
from assistants_api.services.files import delete_file
from assistants_api.services.ingestion import end_abandoned_file, want_indexed
from assistants_api.services.messages import modify_message
from assistants_api.services.runs import RunLimits, _end_all, cancel_run, create_run, list_runs
from assistants_api.services.sweeping import expire_run
from assistants_api.services.threads import create_thread, delete_thread, get_thread
from assistants_api.services.vector_stores import (
    create_vector_store,
    create_vector_store_file,
    delete_vector_store,
    get_vector_store_file,
    update_vector_store_file,
)
from assistants_api.store.documents import Documents
from assistants_api.store.jobs import Jobs
from assistants_api.store.opening import downgrade, migrate, open_database, upgrade
from assistants_api.store.replies import KeptReply
from assistants_api.store.runs import Runs
from assistants_api.store.steps import Steps
from assistants_api.store.transaction import Tx
from assistants_api.store.vector_stores import StoreFiles
from assistants_api.store.wake import Wake
from assistants_api.worker.ingesting import FileCarrier
from assistants_api.worker.interrupts import StopSignal
from assistants_api.worker.stored_run import stored_run
from tests.conftest import until
from tests.store.test_postgres_away import postgres
from tests.worker.conftest import CATALOGUE, House, house_over, knowledge_over, user
from tests.worker.test_file_search import OtherEmbedder, filed, stored

__all__ = ["postgres"]

ENDS: dict[str, Any] = {
    "expired": (lambda db, run: expire_run(db, run.id), lambda tx, run: tx.runs.hold(run.id)),
    "cancelled": (
        lambda db, run: cancel_run(db, run.thread_id, run.id, datetime.now(UTC)),
        lambda tx, run: tx.runs.hold(run.id),
    ),
    "removed": (
        lambda db, run: delete_thread(db, run.thread_id),
        lambda tx, run: tx.threads.hold(run.thread_id),
    ),
}


async def claimed(db: Any) -> tuple[Any, Any]:
    """A run whose deadline has passed, and the job that a worker holds for it."""
    unused: Any = None
    run = await House(db, ScriptedEngine([]), unused, unused).start(expiry=-1)
    async with db.begin() as tx:
        [job] = await tx.jobs.claim("a worker", JobKind.RUN, 1)
    return run, job


async def store_of(db: Any, file: Any) -> Any:
    """A vector store that waits for this file to be indexed."""
    new = NewVectorStore(files=(NewStoreFile(file.id),))
    return (await create_vector_store(db, new, datetime.now(UTC))).store


def waiting(db: Any) -> Any:
    """Whether somebody waits for a row."""

    async def look() -> bool:
        async with db.read() as tx:
            found = await tx.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
            return bool(found.scalar_one())

    return look


@pytest.mark.parametrize("how", ENDS)
async def test_who_ends_a_run_waits_for_the_worker_that_writes(postgres: Any, how: str) -> None:
    end, hold = ENDS[how]
    run, job = await claimed(postgres)

    async with postgres.begin() as tx:
        assert await tx.jobs.held([job.lease])
        ending = asyncio.create_task(end(postgres, run))
        await until(waiting(postgres))
        await hold(tx, run)

    await ending


@pytest.mark.parametrize("how", ENDS)
async def test_a_job_that_comes_while_a_run_is_to_end_is_taken_by_no_worker(
    postgres: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As outputs that are submitted while somebody cancels: whoever took it would wait for the one who waits for it."""
    end, hold = ENDS[how]
    run, job = await claimed(postgres)
    is_held, goes_on = asyncio.Event(), asyncio.Event()
    async with postgres.begin() as tx:
        await tx.jobs.finish(job.lease)

    def halting(do: Any) -> Any:
        async def halted(*args: Any) -> Any:
            is_held.set()
            await goes_on.wait()
            return await do(*args)

        return halted

    async with postgres.begin() as tx:
        await hold(tx, run)
        ending = asyncio.create_task(end(postgres, run))
        await until(waiting(postgres))
        await tx.jobs.add(Job(ids.new("job"), JobKind.RUN, run.id, datetime.now(UTC)))
        for table, does in ((Runs, "move"), (Jobs, "revoke")):
            monkeypatch.setattr(table, does, halting(getattr(table, does)))
    await is_held.wait()
    async with postgres.begin() as tx:
        taken = await tx.jobs.claim("a worker", JobKind.RUN, 1)
    goes_on.set()
    await ending

    assert taken == []


async def test_those_who_wait_for_each_other_all_the_same_are_told_to_come_again(postgres: Any) -> None:
    first, _ = await claimed(postgres)
    second, _ = await claimed(postgres)
    both_hold = asyncio.Barrier(2)

    async def hold(one: Any, other: Any) -> None:
        async with postgres.begin() as tx:
            await tx.runs.hold(one.id)
            await both_hold.wait()
            await tx.runs.hold(other.id)

    ends = await asyncio.gather(hold(first, second), hold(second, first), return_exceptions=True)

    [trouble] = [end for end in ends if end is not None]
    assert isinstance(trouble, Unavailable)


async def test_what_a_process_held_that_stopped_in_a_transaction_is_free_again(postgres: Any) -> None:
    """As one that is frozen, or whose machine lost its power: its connection says nothing more."""
    url = postgres._dialer._dsn
    frozen = await open_database(f"{url}?idle_in_transaction_session_timeout=2000", Wake())
    run, job = await claimed(postgres)
    holds, goes_on = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with frozen.begin() as tx:
            assert await tx.jobs.held([job.lease])
            holds.set()
            await goes_on.wait()
            await tx.jobs.finish(job.lease)

    writing = asyncio.create_task(write())
    await holds.wait()
    assert await expire_run(postgres, run.id)
    goes_on.set()
    with pytest.raises(Unavailable):
        await writing
    await frozen.close()


@pytest.mark.parametrize(("also", "kept"), [("", "20s"), ("?idle_in_transaction_session_timeout=9s", "9s")])
async def test_every_process_is_given_up_that_stops_in_a_transaction(
    postgres: Any, also: str, kept: str
) -> None:
    """After so long as the operator says, or else twenty seconds."""
    database = await open_database(f"{postgres._dialer._dsn}{also}", Wake())
    async with database.read() as tx:
        found = await tx.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert found.scalar_one() == kept
    await database.close()


async def test_who_waits_for_a_row_goes_on_with_what_it_has_become(postgres: Any) -> None:
    """Also where an operator made another isolation the default of the database."""
    strict = "?options=-c%20default_transaction_isolation%3Dserializable"
    db = await open_database(postgres._dialer._dsn + strict, Wake())
    run, _ = await claimed(db)

    async def look_again() -> Any:
        async with db.begin() as tx:
            await tx.runs.get(run.id)
            return await tx.runs.hold(run.id)

    async with db.begin() as tx:
        held = await tx.runs.hold(run.id)
        other = asyncio.create_task(look_again())
        await until(waiting(postgres))
        await tx.runs.move(held, replace(held, metadata={"colour": "red"}))

    assert (await other).metadata == {"colour": "red"}
    await db.close()


async def test_who_migrates_while_another_does_waits_and_finds_nothing_to_do(postgres: Any) -> None:
    """As replicas do that are started together, each after a `migrate` of its own."""
    url = postgres._dialer._dsn
    async with postgres._engine.begin() as connection:
        await connection.run_sync(downgrade, "base")

    async with postgres._engine.begin() as connection:
        await connection.run_sync(upgrade)
        other = asyncio.create_task(migrate(url))
        await until(waiting(postgres))

    assert await other == await migrate(url)


async def test_who_indexes_a_file_holds_its_stores_before_its_places(postgres: Any) -> None:
    knowledge = knowledge_over(postgres)
    file = await filed(postgres, knowledge, "a.txt", "The sky is blue.")
    async with house_over(postgres, ScriptedEngine([]), knowledge=knowledge):
        await stored(postgres, knowledge, file)  # so that all that is left is to cut it for another store
    store = await store_of(postgres, file)

    async with postgres.begin() as tx:
        await tx.vector_stores.hold(store.id)
        async with house_over(postgres, ScriptedEngine([]), knowledge=knowledge):
            await until(waiting(postgres))
            place = await tx.store_files.of(store.id, file.id)
            await tx.execute(text("SET LOCAL lock_timeout = '200ms'"))  # before a deadlock is looked for
            await tx.store_files.save(place)


async def test_a_file_that_fails_while_its_attributes_are_changed_has_failed(
    postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge = knowledge_over(postgres)
    file = await filed(postgres, knowledge)
    store = await store_of(postgres, file)
    find = StoreFiles.of

    async def find_and_be_overtaken(self: Any, store_id: str, file_id: str) -> Any:
        found = await find(self, store_id, file_id)
        assert await end_abandoned_file(postgres, file_id)
        return found

    monkeypatch.setattr(StoreFiles, "of", find_and_be_overtaken)
    await update_vector_store_file(postgres, store.id, file.id, {"colour": "red"})

    async with postgres.read() as tx:
        place = await find(tx.store_files, store.id, file.id)
    assert (place.status, place.attributes) == (StoreFileStatus.FAILED, {"colour": "red"})


async def test_a_file_that_is_changed_while_it_is_cut_is_cut_at_the_first_attempt(
    postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge = knowledge_over(postgres)
    file = await filed(postgres, knowledge)
    store = await store_of(postgres, file)
    count = Documents.vector_bytes

    async def count_and_be_overtaken(self: Any, file_id: str) -> Any:
        found = await count(self, file_id)
        await update_vector_store_file(postgres, store.id, file_id, {"colour": "red"})
        return found

    monkeypatch.setattr(Documents, "vector_bytes", count_and_be_overtaken)
    async with postgres.begin() as tx:
        [job] = await tx.jobs.claim("a worker", JobKind.INGESTION, 1)
    await FileCarrier(postgres, knowledge.blobs, knowledge.embedder, knowledge.read).carry(job, StopSignal())

    place = await get_vector_store_file(postgres, store.id, file.id)
    assert (place.status, place.attributes) == (StoreFileStatus.COMPLETED, {"colour": "red"})


async def test_who_deletes_a_file_holds_its_stores_before_it(postgres: Any) -> None:
    knowledge = knowledge_over(postgres)
    file = await filed(postgres, knowledge)
    store = await store_of(postgres, file)

    async with postgres.begin() as tx:
        await tx.vector_stores.hold(store.id)
        deleting = asyncio.create_task(delete_file(postgres, knowledge.blobs, file.id))
        await until(waiting(postgres))
        await tx.execute(text("SET LOCAL lock_timeout = '200ms'"))
        await tx.files.hold(file.id)

    await deleting


async def test_a_file_that_is_deleted_while_it_is_added_is_not_there(postgres: Any) -> None:
    knowledge = knowledge_over(postgres)
    file = await filed(postgres, knowledge)
    store = (await create_vector_store(postgres, NewVectorStore(), datetime.now(UTC))).store

    async with postgres.begin() as tx:
        await tx.files.remove(file.id)
        adding = asyncio.create_task(
            create_vector_store_file(postgres, store.id, NewStoreFile(file.id), datetime.now(UTC))
        )
        await until(waiting(postgres))

    with pytest.raises(NotFound):
        await adding


async def test_files_that_are_deleted_at_once_are_all_out_of_the_lists_that_name_them(
    postgres: Any,
) -> None:
    knowledge = knowledge_over(postgres)
    files = [await filed(postgres, knowledge, name) for name in ("a.txt", "b.txt")]
    named = {"code_interpreter": {"file_ids": [file.id for file in files]}}
    thread = await create_thread(postgres, NewThread(tool_resources=named), datetime.now(UTC))

    async with postgres.begin() as tx:
        await tx.threads.drop(files[0].id)
        deleting = asyncio.create_task(delete_file(postgres, knowledge.blobs, files[1].id))
        await until(waiting(postgres))
    await deleting

    left = (await get_thread(postgres, thread.id)).tool_resources
    assert left == {"code_interpreter": {"file_ids": []}}


async def test_two_who_change_an_assistant_at_once_both_have_changed_it(postgres: Any) -> None:
    unused: Any = None
    assistant = await House(postgres, ScriptedEngine([]), unused, unused).assistant()

    async with postgres.begin() as tx:
        await tx.assistants.save(replace(assistant, name="Ada"))
        changing = asyncio.create_task(
            modify_assistant(postgres, assistant.id, {"description": "d"}, CATALOGUE, datetime.now(UTC))
        )
        await until(waiting(postgres))
    await changing

    found = await get_assistant(postgres, assistant.id)
    assert (found.name, found.description) == ("Ada", "d")


async def in_line(db: Any, *messages: NewMessage) -> Run:
    """A run whose deadline has passed, and one behind it that brings these messages."""
    unused: Any = None
    house = House(db, ScriptedEngine([]), unused, unused)
    run = await house.start(expiry=-1)
    new = NewRun(run.assistant_id, additional_messages=messages)
    facts, now = house.engine.describe(), datetime.now(UTC)
    await create_run(db, run.thread_id, new, CATALOGUE, facts, RunLimits(), now, if_busy=IfBusy.ENQUEUE)
    return run


async def test_a_run_that_has_its_turn_keeps_what_is_changed_of_its_thread(postgres: Any) -> None:
    file = await filed(postgres, knowledge_over(postgres))
    attached = {"file_id": file.id, "tools": [{"type": "code_interpreter"}]}
    run = await in_line(postgres, replace(user("And this?"), attachments=(attached,)))

    async with postgres.begin() as tx:
        await tx.threads.save(replace(await tx.threads.hold(run.thread_id), metadata={"colour": "red"}))
        ending = asyncio.create_task(expire_run(postgres, run.id))
        await until(waiting(postgres))
    await ending

    thread = await get_thread(postgres, run.thread_id)
    assert thread.metadata == {"colour": "red"}
    assert thread.tool_resources == {"code_interpreter": {"file_ids": [file.id]}}


async def test_who_gives_a_thread_to_the_next_run_holds_it_before_those_that_wait(postgres: Any) -> None:
    """As who adds another one behind them."""
    run = await in_line(postgres, user("And this?"))

    async with postgres.begin() as tx:
        await tx.threads.hold(run.thread_id)
        ending = asyncio.create_task(expire_run(postgres, run.id))
        await until(waiting(postgres))
        await tx.execute(text("SET LOCAL lock_timeout = '200ms'"))
        assert len(await tx.runs.waiting_on(run.thread_id)) == 1

    await ending


CANCELS: dict[str, Any] = {
    "that waits": lambda db, run, behind: cancel_run(db, run.thread_id, behind.id, datetime.now(UTC)),
    "and those before it": lambda db, run, behind: _end_all(db, run.thread_id, datetime.now(UTC)),
}


@pytest.mark.parametrize("which", CANCELS)
async def test_who_cancels_a_run_holds_the_thread_before_those_that_wait(postgres: Any, which: str) -> None:
    """As who adds another one behind them."""
    run = await in_line(postgres, user("And this?"))
    [behind] = (await list_runs(postgres, run.thread_id, PageQuery(1))).data

    async with postgres.begin() as tx:
        await tx.threads.hold(run.thread_id)
        cancelling = asyncio.create_task(CANCELS[which](postgres, run, behind))
        await until(waiting(postgres))
        await tx.execute(text("SET LOCAL lock_timeout = '200ms'"))
        assert await tx.runs.waiting_on(run.thread_id) == [behind]

    await cancelling


@pytest.mark.parametrize("what", ["store", "file"])
async def test_who_deletes_what_a_thread_names_holds_the_thread_before_the_store(
    postgres: Any, what: str
) -> None:
    """As who adds a message or a run to it."""
    knowledge = knowledge_over(postgres)
    file = await filed(postgres, knowledge)
    store = await store_of(postgres, file)
    named = {"code_interpreter": {"file_ids": [file.id]}, "file_search": {"vector_store_ids": [store.id]}}
    thread = await create_thread(postgres, NewThread(tool_resources=named), datetime.now(UTC))

    async with postgres.begin() as tx:
        await tx.threads.hold(thread.id)
        deleting = asyncio.create_task(
            delete_vector_store(postgres, store.id)
            if what == "store"
            else delete_file(postgres, knowledge.blobs, file.id)
        )
        await until(waiting(postgres))
        await tx.execute(text("SET LOCAL lock_timeout = '200ms'"))
        await tx.vector_stores.hold(store.id)

    await deleting


async def test_a_key_that_is_given_up_while_it_is_claimed_is_claimed(
    postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request that had it failed at this moment, and is sent again."""
    claim = KeptReply("owner", "key", "fingerprint", datetime.now(UTC))
    async with postgres.begin() as tx:
        assert await tx.replies.claim(claim) is None
    execute, is_dropped = Tx.execute, False

    async def execute_and_be_overtaken(self: Any, statement: Any, *given: Any) -> Any:
        nonlocal is_dropped
        if isinstance(statement, Select) and not is_dropped:
            is_dropped = True
            async with postgres.begin() as other:
                await other.replies.drop("owner", "key")
        return await execute(self, statement, *given)

    monkeypatch.setattr(Tx, "execute", execute_and_be_overtaken)
    async with postgres.begin() as tx:
        assert await tx.replies.claim(claim) is None

    assert is_dropped


async def test_a_run_is_read_though_its_open_message_is_changed_meanwhile(
    postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a worker that takes it up from a lost one."""
    find = Steps.of_run

    async def find_and_be_overtaken(self: Any, run_id: str) -> Any:
        await modify_message(postgres, run.thread_id, message.id, {"metadata": {"colour": "red"}})
        return await find(self, run_id)

    async with house_over(postgres, ScriptedEngine([[Text("One, "), Wait("go")]])) as house:
        run = await house.start()
        await until(lambda: house.messages(run))
        [message] = await house.messages(run)
        monkeypatch.setattr(Steps, "of_run", find_and_be_overtaken)
        async with postgres.read() as tx:
            found = await stored_run(tx, run.id, lambda _: 1000)

    assert found.open_message == message


async def carried(db: Any, knowledge: Any, file: Any) -> None:
    """A worker indexes a file until no store waits for it."""
    async with db.begin() as tx:
        await want_indexed(tx, [file.id], datetime.now(UTC))
        [job] = await tx.jobs.claim("a worker", JobKind.INGESTION, 1)
    await FileCarrier(db, knowledge.blobs, knowledge.embedder, knowledge.read).carry(job, StopSignal())


async def given_up(db: Any, knowledge: Any, file: Any) -> None:
    """A file is given up when no store waits for it any more."""
    async with db.begin() as tx:
        await want_indexed(tx, [file.id], datetime.now(UTC))
    assert await end_abandoned_file(db, file.id)


async def not_renewed(db: Any, knowledge: Any, file: Any) -> None:
    """Another embedder, which does not work, is to index a file anew."""
    await create_vector_store(db, NewVectorStore(files=(NewStoreFile(file.id),)), datetime.now(UTC))
    await carried(db, knowledge, file)
    knowledge.embedder = OtherEmbedder()
    knowledge.embedder.fails = True
    await carried(db, knowledge, file)


@pytest.mark.parametrize(("end", "looks"), [(carried, 1), (given_up, 1), (not_renewed, 3)])
async def test_a_file_that_is_added_while_its_job_ends_has_a_job(
    postgres: Any, monkeypatch: pytest.MonkeyPatch, end: Any, looks: int
) -> None:
    """It is added right after the last look at who waits for it."""
    knowledge = knowledge_over(postgres)
    file = await filed(postgres, knowledge)
    store = (await create_vector_store(postgres, NewVectorStore(), datetime.now(UTC))).store
    look, waits = StoreFiles.waiting, waiting(postgres)
    left, added = looks, []

    async def look_and_be_overtaken(self: Any, file_id: str, **given: Any) -> Any:
        nonlocal left
        found = await look(self, file_id, **given)
        left -= not found
        if left == 0 and not added:
            new = NewStoreFile(file.id)
            added.append(
                asyncio.create_task(create_vector_store_file(postgres, store.id, new, datetime.now(UTC)))
            )

            async def is_at_it() -> bool:
                return added[0].done() or await waits()

            await until(is_at_it)
        return found

    monkeypatch.setattr(StoreFiles, "waiting", look_and_be_overtaken)
    await end(postgres, knowledge, file)
    await added[0]

    async with postgres.read() as tx:
        assert await look(tx.store_files, file.id)
        assert await tx.jobs.is_open(file.id)
