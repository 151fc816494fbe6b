"""Runs that search files: steps, citations, budgets, expiry, and crashes in the middle; on both databases."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from assistants_api.domain.assistant import NewAssistant
from assistants_api.domain.errors import Unavailable
from assistants_api.domain.event import MessageDelta, StepMoved, ToolCallStarted
from assistants_api.domain.file import NewFile
from assistants_api.domain.message import NewMessage, text_part
from assistants_api.domain.prompt import Stop, Text, ToolCall
from assistants_api.domain.run import NewRun, RunStatus
from assistants_api.domain.step import StepStatus
from assistants_api.domain.thread import NewThread
from assistants_api.domain.usage import Usage
from assistants_api.domain.vector_store import NewStoreFile, NewVectorStore
from assistants_api.engine.embedding.hashed import HashEmbedder
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.knowledge.search import Searcher
from assistants_api.services.assistants import create_assistant
from assistants_api.services.files import create_file
from assistants_api.services.ingestion import want_renewed
from assistants_api.services.runs import RunLimits, create_thread_and_run
from assistants_api.services.threads import get_thread
from assistants_api.services.traces import get_file_trace, get_trace
from assistants_api.services.vector_stores import (
    cancel_file_batch,
    create_file_batch,
    create_vector_store,
    delete_vector_store,
    get_vector_store,
)
from tests.conftest import until
from tests.worker.conftest import CATALOGUE, house_over, knowledge_over, user

NOW = datetime.now(UTC)
SEARCH = ToolCall("call_1", "file_search", '{"query": "holiday"}')
HANDBOOK = "Staff get 25 days of holiday a year.\n\nThe office closes at 18:30."


def asked(call=SEARCH, usage=Usage(10, 3)):
    return [call, Stop("tool_calls", usage)]


def answered(*texts, usage=Usage(20, 5)):
    return [*(Text(text) for text in texts), Stop("stop", usage)]


async def filed(db, knowledge, name="handbook.md", text=HANDBOOK):
    """A file of this text."""

    async def pieces():
        yield text.encode()

    blob = await knowledge.blobs.write(pieces())
    return await create_file(db, knowledge.blobs, NewFile(name, "assistants"), blob, len(text.encode()), NOW)


async def stored(db, knowledge, *files):
    """A store of these files, all indexed."""
    new = NewVectorStore(files=tuple(NewStoreFile(file.id) for file in files))
    store = (await create_vector_store(db, new, NOW)).store

    async def is_done():
        return (await get_vector_store(db, store.id, NOW)).status == "completed"

    await until(is_done)
    return store


class OtherEmbedder(HashEmbedder):
    """Another model: the same vectors by another name; `fails` as one whose server is away."""

    name = "other"
    fails = False

    async def embed(self, texts):
        if self.fails:
            raise Unavailable("The embedding server is away.")
        return await super().embed(texts)


async def test_files_of_another_embedder_are_indexed_anew_at_the_start(db):
    before = knowledge_over(db)
    async with house_over(db, ScriptedEngine(), knowledge=before):
        file = await filed(db, before)
        store = await stored(db, before, file)
    other = OtherEmbedder()
    after = replace(before, embedder=other, searcher=Searcher(db, other))

    other.fails = True
    async with house_over(db, ScriptedEngine(), knowledge=after):
        assert await want_renewed(db, "other", NOW) == 1

        async def is_given_up():
            async with db.read() as tx:
                return not await tx.jobs.is_open(file.id)

        await until(is_given_up)
    kept = await get_file_trace(db, store.id, file.id)
    other.fails = False
    async with house_over(db, ScriptedEngine(), knowledge=after):
        await want_renewed(db, "other", NOW)

        async def is_renewed():
            return (await get_file_trace(db, store.id, file.id))["embedder"] == "other"

        await until(is_renewed)
        found = await after.searcher.search([store], ["holiday"], limit=1, uses_keywords=False)

    assert (kept["embedder"], kept["stage"]) == ("hash", "completed")
    assert kept["windows"]["done"] == kept["windows"]["total"] > 0
    assert found.hits
    assert await want_renewed(db, "other", NOW) == 0


class Halting(HashEmbedder):
    """Stops before its second call, until it is let go."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.calls = 0

    async def embed(self, texts):
        self.calls += 1
        if self.calls == 2:
            await self.gate.wait()
        return await super().embed(texts)


class Narrow(OtherEmbedder):
    """Its vectors are shorter."""

    async def embed(self, texts):
        return [vector[:64] for vector in await super().embed(texts)]


LONG = "The zebra crosses the road. " * 6000


@pytest.mark.parametrize("is_told", [True, False])
async def test_what_another_embedder_left_half_done_is_begun_anew(db, is_told):
    """Also where it is not told who began, as of files from before."""
    before = knowledge_over(db, embedder=Halting())
    async with house_over(db, ScriptedEngine(), knowledge=before, lease_seconds=0.3):
        file = await filed(db, before, text=LONG)
        store = (await create_vector_store(db, NewVectorStore(files=(NewStoreFile(file.id),)), NOW)).store
        await until(lambda: before.embedder.calls == 2)
    half = await get_file_trace(db, store.id, file.id)
    if not is_told:
        async with db.begin() as tx:
            await tx.documents.indexed(file.id, None)
    other = Narrow()
    after = replace(before, embedder=other, searcher=Searcher(db, other))
    async with house_over(db, ScriptedEngine(), knowledge=after):

        async def is_done():
            return (await get_vector_store(db, store.id, NOW)).status == "completed"

        await until(is_done)
    whole = await get_file_trace(db, store.id, file.id)
    found = await after.searcher.search([store], ["zebra"], limit=1, uses_keywords=False)

    assert 0 < half["windows"]["done"] < half["windows"]["total"]
    assert whole["windows"] == {"done": half["windows"]["total"], "total": half["windows"]["total"]}
    assert whole["embedder"] == "other"
    assert found.hits


async def test_a_file_that_is_cancelled_while_it_is_indexed_is_left_at_once(db):
    knowledge = knowledge_over(db, embedder=Halting())
    file = await filed(db, knowledge, text=LONG)
    store = (await create_vector_store(db, NewVectorStore(), NOW)).store
    batch = (await create_file_batch(db, store.id, [NewStoreFile(file.id)], NOW)).batch
    async with house_over(db, ScriptedEngine(), knowledge=knowledge):
        await until(lambda: knowledge.embedder.calls == 2)
        await cancel_file_batch(db, store.id, batch.id)
        knowledge.embedder.gate.set()

        async def is_over():
            async with db.read() as tx:
                return not await tx.jobs.is_open(file.id)

        await until(is_over)
    trace = await get_file_trace(db, store.id, file.id)

    assert knowledge.embedder.calls == 2
    assert trace["stage"] == "cancelled"
    assert trace["windows"]["done"] < trace["windows"]["total"]


class Cold(HashEmbedder):
    """As a model in a process of its own: how long its vectors are is known once it has started."""

    is_warm = False

    async def embed(self, texts):
        self.is_warm = True
        return await super().embed(texts)

    def describe(self):
        return super().describe() if self.is_warm else {"name": self.name, "state": "idle"}


async def test_what_a_file_uses_is_the_same_for_every_store(db):
    """Also for one that needs nothing of the model any more."""
    usage = []
    knowledge = knowledge_over(db)
    file = await filed(db, knowledge)
    for _ in range(2):
        async with house_over(db, ScriptedEngine(), knowledge=replace(knowledge, embedder=Cold())):
            store = await stored(db, knowledge, file)
        usage.append((await get_vector_store(db, store.id, NOW)).usage_bytes)

    vector = len((await knowledge.embedder.embed(["a"]))[0]) * 2
    assert usage == [len(HANDBOOK) + vector] * 2


async def test_a_file_that_is_being_indexed_says_how_far_it_is(db):
    knowledge = knowledge_over(db, embedder=Halting())
    file = await filed(db, knowledge, text=LONG)
    store = (await create_vector_store(db, NewVectorStore(files=(NewStoreFile(file.id),)), NOW)).store
    waiting = await get_file_trace(db, store.id, file.id)
    async with house_over(db, ScriptedEngine(), knowledge=knowledge):

        async def is_under_way():
            return (await get_file_trace(db, store.id, file.id))["windows"]["done"] > 0

        await until(is_under_way)
        indexing = await get_file_trace(db, store.id, file.id)
        knowledge.embedder.gate.set()

        async def is_over():
            return (await get_file_trace(db, store.id, file.id))["stage"] == "completed"

        await until(is_over)

    assert (waiting["stage"], waiting["windows"]) == ("waiting", {"done": 0, "total": None})
    assert (indexing["stage"], indexing["attempt"]) == ("indexing", 1)
    assert indexing["embedder"] is None
    assert 0 < indexing["windows"]["done"] < indexing["windows"]["total"]
    assert indexing["tokens"] > 30_000


async def started(house, store=None, *, tool=None, thread=None, **new):
    """A run of an assistant that searches `store`."""
    resources = {} if store is None else {"file_search": {"vector_store_ids": [store.id]}}
    tools = (tool or {"type": "file_search"},)
    assistant = await create_assistant(
        house.db,
        NewAssistant("m", instructions="Help.", tools=tools, tool_resources=resources),
        CATALOGUE,
        NOW,
    )
    return await create_thread_and_run(
        house.db,
        thread or NewThread((user("How much holiday do I get?"),)),
        NewRun(assistant.id, **new),
        CATALOGUE,
        house.engine.describe(),
        RunLimits(),
        datetime.now(UTC),
    )


async def test_a_search_is_a_step_and_its_marker_a_citation(db):
    engine = ScriptedEngine([asked(), answered("You get 25 days", "【0:", "0†source】", ".")])
    knowledge = knowledge_over(db)
    async with house_over(db, engine, knowledge=knowledge) as house:
        file = await filed(db, knowledge)
        run = await started(house, await stored(db, knowledge, file))

        entries = await house.events(run)

        run = await house.run(run)
        assert run.status is RunStatus.COMPLETED
        assert run.spent == Usage(30, 8)
        search, spoke = await house.steps(run)
        assert (search.type, search.status, search.usage) == (
            "tool_calls",
            StepStatus.COMPLETED,
            Usage(10, 3),
        )
        [call] = search.tool_calls
        assert call["type"] == "file_search"
        [result] = call["file_search"]["results"]
        assert (result["file_id"], result["file_name"]) == (file.id, "handbook.md")
        assert result["content"][0]["text"] == HANDBOOK
        assert 0 <= result["score"] <= 1
        assert spoke.usage == Usage(20, 5)
        [message] = [m for m in await house.messages(run) if m.role == "assistant"]
        assert message.text == "You get 25 days【0:0†source】."
        assert message.annotations == (
            {
                "type": "file_citation",
                "text": "【0:0†source】",
                "start_index": 15,
                "end_index": 27,
                "file_citation": {"file_id": file.id},
            },
        )
        deltas = [entry.event for entry in entries if isinstance(entry.event, MessageDelta)]
        assert "".join(delta.text for delta in deltas) == message.text
        [cited] = [delta for delta in deltas if delta.annotations]
        assert cited.text == "【0:0†source】"
        events = [entry.event for entry in entries]
        begun = next(i for i, event in enumerate(events) if isinstance(event, ToolCallStarted))
        assert events[begun].type == "file_search"
        assert isinstance(events[begun + 1], StepMoved)
        assert events[begun + 1].step.status is StepStatus.COMPLETED
        shown = engine.prompts[1].messages[-1]
        assert shown.role == "tool"
        assert shown.content == f"【0:0†source】 handbook.md\n{HANDBOOK}"
        first, second = (await get_trace(db, run.thread_id, run.id))["turns"]
        [searched] = first["searches"]
        assert searched["query"] == "holiday"
        assert searched["candidates"][0]["file_id"] == file.id
        assert searched["candidates"][0]["keyword"] is not None
        assert searched["shown"][0]["marker"] == "【0:0†source】"
        assert searched["tokens"] > 0
        assert "searches" not in second


async def test_markers_that_name_nothing_that_was_shown_are_taken_out(db):
    engine = ScriptedEngine([asked(), answered("So it is【0:7†source】.")])
    knowledge = knowledge_over(db)
    async with house_over(db, engine, knowledge=knowledge) as house:
        run = await started(house, await stored(db, knowledge, await filed(db, knowledge)))
        await house.events(run)
        [message] = [m for m in await house.messages(run) if m.role == "assistant"]
        assert (message.text, message.annotations) == ("So it is.", ())


async def test_without_a_usable_query_the_users_words_are_searched(db):
    engine = ScriptedEngine([asked(ToolCall("call_1", "file_search", "nonsense")), answered("Yes.")])
    knowledge = knowledge_over(db)
    async with house_over(db, engine, knowledge=knowledge) as house:
        run = await started(house, await stored(db, knowledge, await filed(db, knowledge)))
        await house.events(run)
        turns = (await get_trace(db, run.thread_id, run.id))["turns"]
        assert turns[0]["searches"][0]["query"] == "How much holiday do I get?"


async def test_an_attachment_makes_the_threads_store_and_the_run_waits_for_it(db):
    engine = ScriptedEngine([asked(), answered("25【0:0†source】")])
    knowledge = knowledge_over(db)
    reading = asyncio.Event()
    plain = knowledge.read

    async def slowly(path, filename):
        await reading.wait()
        return await plain(path, filename)

    knowledge.read = slowly
    async with house_over(db, engine, knowledge=knowledge) as house:
        file = await filed(db, knowledge)
        attachment = {"file_id": file.id, "tools": [{"type": "file_search"}]}
        message = NewMessage("user", (text_part("How much holiday?"),), (attachment,))
        run = await started(house, thread=NewThread((message,)))
        thread = await get_thread(db, run.thread_id)
        [store_id] = thread.tool_resources["file_search"]["vector_store_ids"]
        store = (await get_vector_store(db, store_id, NOW)).store
        assert store.expires_after == {"anchor": "last_active_at", "days": 7}

        async def is_searching():
            return any(step.type == "tool_calls" for step in await house.steps(run))

        await until(is_searching)
        reading.set()
        await house.events(run)

        [message] = [m for m in await house.messages(run) if m.role == "assistant"]
        assert message.annotations[0]["file_citation"]["file_id"] == file.id


async def test_a_run_on_an_expired_store_fails_with_that_reason(db):
    knowledge = knowledge_over(db)
    engine = ScriptedEngine([answered("never")])
    async with house_over(db, engine, knowledge=knowledge) as house:
        store = await stored(db, knowledge, await filed(db, knowledge))
        old = replace(
            store,
            expires_after={"anchor": "last_active_at", "days": 1},
            last_active_at=NOW - timedelta(days=2),
        )
        async with db.begin() as tx:
            await tx.vector_stores.save(old)

        run = await started(house, store)
        await house.events(run)

        run = await house.run(run)
        assert run.status is RunStatus.FAILED
        assert run.last_error["message"] == f"Vector store '{store.id}' has expired."
        assert engine.prompts == []


class Noting(HashEmbedder):
    """Notes how long the texts are."""

    def __init__(self):
        self.lengths = []

    async def embed(self, texts):
        self.lengths += map(len, texts)
        return await super().embed(texts)


async def test_of_a_query_as_long_as_a_document_the_beginning_is_embedded(db):
    knowledge = knowledge_over(db, embedder=Noting())
    store = (await create_vector_store(db, NewVectorStore(), NOW)).store

    await knowledge.searcher.search([store], ["holiday " * 10_000, "holiday"], limit=3)

    assert knowledge.embedder.lengths == [32_000, 7]


class ByFirst(HashEmbedder):
    """Takes texts for near by their first character alone."""

    def __init__(self, name):
        self.name = name

    async def embed(self, texts):
        nearness = [{"A": 1.0, "B": 0.5, "C": 0.9}.get(text[0], 1.0) for text in texts]
        return [np.array([near, (1 - near**2) ** 0.5], dtype=np.float32) for near in nearness]


@pytest.mark.parametrize(
    ("name", "query", "first"),
    [
        ("minilm", "年假申请", "b.txt"),
        ("minilm", "how to apply for 年假 and 申请", "a.txt"),
        ("other", "年假申请", "a.txt"),
    ],
)
async def test_words_decide_where_the_embedder_hardly_reads_the_querys_script(db, name, query, first):
    knowledge = knowledge_over(db, embedder=ByFirst(name))
    texts = {"a.txt": "A 员工享有年假。", "b.txt": "B 年假须提前申请。", "c.txt": "C 办公室在奥斯陆。"}
    async with house_over(db, ScriptedEngine(), knowledge=knowledge):
        files = [await filed(db, knowledge, *each) for each in texts.items()]
        store = await stored(db, knowledge, *files)
    found = await knowledge.searcher.search([store], [query], limit=3)

    assert found.hits[0].filename == first


async def test_a_passage_that_two_stores_have_is_shown_once(db):
    engine = ScriptedEngine([asked(), answered("25 days【0:0†source】.")])
    knowledge = knowledge_over(db)
    async with house_over(db, engine, knowledge=knowledge) as house:
        file, other = (
            await filed(db, knowledge),
            await filed(db, knowledge, "rules.md", "A holiday is a day."),
        )
        store = await stored(db, knowledge, file)
        own = await stored(db, knowledge, file, other)
        resources = {"file_search": {"vector_store_ids": [own.id]}}
        run = await started(house, store, thread=NewThread((user("How much holiday?"),), resources))
        await house.events(run)

        searched, _ = await house.steps(run)
        found = searched.tool_calls[0]["file_search"]["results"]
        assert sorted(result["file_name"] for result in found) == ["handbook.md", "rules.md"]


@pytest.mark.parametrize("has_other", [True, False])
async def test_a_store_that_is_deleted_while_the_model_writes_is_searched_no_more(db, has_other):
    engine = ScriptedEngine([[Wait("go"), *asked()], answered("I see.")])
    knowledge = knowledge_over(db)
    async with house_over(db, engine, knowledge=knowledge, lease_seconds=600) as house:  # no second attempt
        file = await filed(db, knowledge)
        store = await stored(db, knowledge, file)
        kept = [(await stored(db, knowledge, file)).id] if has_other else []
        resources = {"file_search": {"vector_store_ids": kept}} if has_other else {}
        run = await started(house, store, thread=NewThread((user("How much?"),), resources))
        await until(lambda: engine.prompts)

        await delete_vector_store(db, store.id)
        engine.release("go")
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
        searched, _ = await house.steps(run)
        found = searched.tool_calls[0]["file_search"]["results"]
        assert [result["vector_store_id"] for result in found] == kept
        assert engine.prompts[1].messages[-1].content.startswith("【0:0" if has_other else "No results.")


async def test_a_run_keeps_its_stores_alive(db):
    knowledge = knowledge_over(db)
    async with house_over(db, ScriptedEngine([answered("Hi.")]), knowledge=knowledge) as house:
        store = await stored(db, knowledge, await filed(db, knowledge))
        async with db.begin() as tx:
            await tx.vector_stores.save(replace(store, last_active_at=NOW - timedelta(days=2)))
        await house.events(await started(house, store))
        assert (await get_vector_store(db, store.id, NOW)).store.last_active_at >= NOW


async def test_what_does_not_fit_the_window_is_cut_to_its_best_passage_or_left_out(db):
    knowledge = knowledge_over(db)
    long = "\n\n".join(f"Paragraph {n} is about nothing. " + "Filler words here. " * 30 for n in range(6))
    text = long + "\n\nThe zebra clause: holiday is doubled in leap years.\n\n" + long
    engine = ScriptedEngine(
        [asked(ToolCall("c", "file_search", '{"query": "zebra"}')), answered("ok")], context_window=1500
    )
    async with house_over(db, engine, knowledge=knowledge) as house:
        file = await filed(db, knowledge, "long.txt", text)
        run = await started(house, await stored(db, knowledge, file))
        await house.events(run)
        shown = engine.prompts[1].messages[-1].content
        assert "zebra clause" in shown
        assert len(shown) < 0.5 * len(text)
        searched = (await get_trace(db, run.thread_id, run.id))["turns"][0]["searches"][0]
        assert searched["tokens"] <= searched["token_budget"] < 1500


async def test_a_search_that_was_cut_by_a_crash_is_made_again_and_nothing_before_it(db):
    """The worker is lost while the search waits for the thread's files."""
    engine = ScriptedEngine([asked(), answered("25 days【0:0†source】.")])
    knowledge = knowledge_over(db)
    held = asyncio.Event()
    plain = knowledge.read

    async def stuck(path, filename):
        await held.wait()
        return await plain(path, filename)

    knowledge.read = stuck
    async with house_over(db, engine, lease_seconds=0.3, knowledge=knowledge) as house:
        file = await filed(db, knowledge)
        attachment = {"file_id": file.id, "tools": [{"type": "file_search"}]}
        message = NewMessage("user", (text_part("How much holiday?"),), (attachment,))
        run = await started(house, thread=NewThread((message,)))

        async def is_searching():
            return any(step.type == "tool_calls" for step in await house.steps(run))

        await until(is_searching)
    knowledge.read = plain
    async with house_over(db, engine, knowledge=knowledge) as house:
        await house.events(run)

        run = await house.run(run)
        assert run.status is RunStatus.COMPLETED
        assert len(engine.prompts) == 2  # the first model call was not made again
        search, _ = await house.steps(run)
        assert search.status is StepStatus.COMPLETED
        assert run.spent == Usage(30, 8)
        [message] = [m for m in await house.messages(run) if m.role == "assistant"]
        assert message.annotations[0]["file_citation"]["file_id"] == file.id


async def test_an_answer_cut_after_a_citation_keeps_it_once(db):
    knowledge = knowledge_over(db)
    first = ScriptedEngine([asked(), [Text("25 days【0:0†source】"), Wait("cut")]])
    async with house_over(db, first, lease_seconds=0.3, knowledge=knowledge) as house:
        file = await filed(db, knowledge)
        run = await started(house, await stored(db, knowledge, file))

        async def is_cited():
            async with db.read() as tx:
                message = await tx.messages.open_of(run.id)
                return message is not None and bool(
                    (await tx.events.shown_of(run.id, message.id)).annotations
                )

        await until(is_cited)
    second = ScriptedEngine([answered("25 days【0:0†source】, and more【0:0†source】.")])
    async with house_over(db, second, knowledge=knowledge) as house:
        await house.events(run)
        [message] = [m for m in await house.messages(run) if m.role == "assistant"]
        assert message.text == "25 days【0:0†source】, and more【0:0†source】."
        assert [each["start_index"] for each in message.annotations] == [7, 29]
        for each in message.annotations:
            assert message.text[each["start_index"] : each["end_index"]] == each["text"]
        assert second.prompts[0].answer_start == "25 days【0:0†source】"


async def test_the_next_run_reads_the_answer_without_its_markers(db):
    knowledge = knowledge_over(db)
    engine = ScriptedEngine([asked(), answered("25 days【0:0†source】."), answered("You are welcome.")])
    async with house_over(db, engine, knowledge=knowledge) as house:
        run = await started(house, await stored(db, knowledge, await filed(db, knowledge)))
        await house.events(run)
        from assistants_api.services.runs import create_run

        again = await create_run(
            db,
            run.thread_id,
            NewRun(run.assistant_id, additional_messages=(user("Thanks."),)),
            CATALOGUE,
            engine.describe(),
            RunLimits(),
            datetime.now(UTC),
        )
        await house.events(again)
        assert [m.content for m in engine.prompts[2].messages if m.role == "assistant"] == ["25 days."]


@pytest.mark.parametrize("place", ["function", "search"])
async def test_a_cancel_while_the_search_waits_ends_the_run(sqlite_db, place):
    from assistants_api.services.runs import cancel_run

    knowledge = knowledge_over(sqlite_db)
    held = asyncio.Event()

    async def stuck(path, filename):
        await held.wait()

    knowledge.read = stuck
    calls = [SEARCH] if place == "search" else [SEARCH, ToolCall("call_2", "get_weather", "{}")]
    engine = ScriptedEngine([[*calls, Stop("tool_calls", Usage(1, 1))]])
    async with house_over(sqlite_db, engine, knowledge=knowledge) as house:
        file = await filed(sqlite_db, knowledge)
        attachment = {"file_id": file.id, "tools": [{"type": "file_search"}]}
        message = NewMessage("user", (text_part("How much holiday?"),), (attachment,))
        run = await started(house, thread=NewThread((message,)))

        async def is_searching():
            return any(step.type == "tool_calls" for step in await house.steps(run))

        await until(is_searching)
        await cancel_run(sqlite_db, run.thread_id, run.id, datetime.now(UTC))
        await house.events(run)
        assert (await house.run(run)).status is RunStatus.CANCELLED
        [step] = await house.steps(run)
        assert step.status is StepStatus.CANCELLED


async def test_a_mixed_turn_searches_first_and_then_waits_for_the_caller(sqlite_db):
    from assistants_api.services.runs import submit_tool_outputs

    knowledge = knowledge_over(sqlite_db)
    weather = ToolCall("call_2", "get_weather", "{}")
    engine = ScriptedEngine(
        [[SEARCH, weather, Stop("tool_calls", Usage(10, 3))], answered("Sun, 25 days【0:0†source】.")]
    )
    async with house_over(sqlite_db, engine, knowledge=knowledge) as house:
        run = await started(house, await stored(sqlite_db, knowledge, await filed(sqlite_db, knowledge)))
        await house.events(run)
        run = await house.run(run)
        assert run.status is RunStatus.REQUIRES_ACTION
        assert [call["id"] for call in run.required_calls] == ["call_2"]
        search, waiting = await house.steps(run)
        assert (search.status, waiting.status) == (StepStatus.COMPLETED, StepStatus.IN_PROGRESS)

        await submit_tool_outputs(sqlite_db, run.thread_id, run.id, {"call_2": "sunny"}, datetime.now(UTC))
        await house.events(run, after=0)
        await until(lambda: len(engine.prompts) == 2)
        roles = [(m.role, m.tool_call_id) for m in engine.prompts[1].messages[-4:]]
        assert roles == [("assistant", None), ("tool", "call_1"), ("assistant", None), ("tool", "call_2")]
