"""`if_busy`: what becomes of a run that is asked for while another one holds the thread."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from assistants_api.domain.prompt import Text, ToolCall
from assistants_api.engine.script import Turn, Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.runs import RunLimits
from assistants_api.services.sweeping import sweep
from tests.api.conftest import client_over, made, refusal
from tests.conftest import until

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


def engine_of(*more):
    """`slow` says a word and waits for `go`; everything else is answered at once."""
    slow = Turn((Text("Slow "), Wait("go"), Text("indeed.")), when="slow")
    return ScriptedEngine(
        [slow, *more, *(Turn((Text(f"{word}!"),), when=word) for word in ("first", "second"))]
    )


class Chat:
    """A thread whose user said "slow", and its assistant."""

    def __init__(self, http, assistant, thread):
        self.http, self.assistant, self.thread = http, assistant["id"], thread["id"]
        self.path = f"/v1/threads/{thread['id']}"

    async def start(self, **fields):
        return await self.http.post(f"{self.path}/runs", json={"assistant_id": self.assistant, **fields})

    async def ask(self, words, if_busy, **fields):
        messages = [{"role": "user", "content": words}]
        return await self.start(additional_messages=messages, if_busy=if_busy, **fields)

    async def run(self, id, wait=0.0):
        return (await self.http.get(f"{self.path}/runs/{id}", params={"wait": wait})).json()

    async def cancel(self, id):
        return await self.http.post(f"{self.path}/runs/{id}/cancel")

    async def said(self):
        messages = await self.http.get(f"{self.path}/messages", params={"order": "asc"})
        return [
            "".join(part["text"]["value"] for part in message["content"])
            for message in messages.json()["data"]
        ]

    async def begun(self):
        """The first run, once it has said its first word."""
        run = (await self.start()).json()

        async def has_begun():
            return (await self.said())[-1] != "slow" or len(await self.said()) > 1

        await until(has_begun)
        return run


async def chat_of(http, **fields):
    assistant = await made(http, "/v1/assistants", model="gpt-4o", **fields)
    thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "slow"}])
    return Chat(http, assistant, thread)


async def test_a_run_that_waits_starts_when_the_thread_is_free(db):
    engine = engine_of()
    async with client_over(db, engine, works=True) as http:
        chat = await chat_of(http)
        first = await chat.begun()
        asking = asyncio.create_task(chat.ask("second", "wait"))
        await asyncio.sleep(0)

        engine.release("go")
        second = (await asking).json()

        assert (await chat.run(second["id"], 30))["status"] == "completed"
        assert (await chat.run(first["id"]))["status"] == "completed"
        assert await chat.said() == ["slow", "Slow indeed.", "second", "second!"]


async def test_runs_that_are_asked_for_at_once_wait_for_each_other_and_hold_up_nobody_else(db):
    async with client_over(db, engine_of(), works=True) as http:
        chat = await chat_of(http)

        asked = await asyncio.gather(*(chat.ask("second", "wait") for _ in range(4)))
        runs = [await chat.run(each.json()["id"], 30) for each in asked]

        assert [run["status"] for run in runs] == ["completed"] * 4
        assert await chat.said() == ["slow", *["second", "second!"] * 4]


async def test_waiting_has_an_end_and_then_the_error_names_the_run(open_client):
    limits = RunLimits(patience=timedelta(seconds=0.05))
    async with open_client(engine_of(), works=True, limits=limits) as http:
        chat = await chat_of(http)
        first = await chat.begun()

        status, message, _, _ = refusal(await chat.ask("second", "wait"))

        assert status == 400
        assert first["id"] in message
        assert await chat.said() == ["slow", ""]


async def test_runs_behind_another_have_their_turn_in_order_each_with_its_messages(db):
    engine = engine_of()
    async with client_over(db, engine, works=True) as http:
        chat = await chat_of(http)
        await chat.begun()
        queued = [(await chat.ask(words, "enqueue")).json() for words in ("first", "second")]
        before = await chat.said()
        shown = [run["status"] for run in queued]

        engine.release("go")
        ended = [await chat.run(run["id"], 30) for run in queued]

        assert before == ["slow", ""]
        assert shown == ["queued", "queued"]
        assert [run["status"] for run in ended] == ["completed", "completed"]
        assert await chat.said() == ["slow", "Slow indeed.", "first", "first!", "second", "second!"]
        assert ended[0]["completed_at"] <= ended[1]["started_at"] + 1


async def test_a_stream_of_a_run_behind_another_begins_with_its_creation_and_ends_with_its_end(db):
    engine = engine_of()
    async with client_over(db, engine, works=True) as http:
        chat = await chat_of(http)
        await chat.begun()
        streaming = asyncio.create_task(chat.ask("second", "enqueue", stream=True))

        async def is_queued():
            return len((await http.get(f"{chat.path}/runs")).json()["data"]) == 2

        await until(is_queued)
        engine.release("go")
        text = (await streaming).text

        assert text.startswith("event: thread.run.created\n")
        assert "event: thread.run.completed\n" in text
        assert "second!" in text


@pytest.mark.parametrize("how", ["cancel", "fail", "expire"])
async def test_the_next_one_starts_however_the_first_ends(db, how):
    failing = Turn((ToolCall(id="call_a", name="get_weather", arguments="{}"),), when="slow")
    async with client_over(db, ScriptedEngine([failing, Turn((Text("second!"),))]), works=True) as http:
        chat = await chat_of(http, tools=[TOOL])
        first = (await chat.start()).json()
        assert (await chat.run(first["id"], 30))["status"] == "requires_action"
        second = (await chat.ask("second", "enqueue")).json()

        if how == "cancel":
            await chat.cancel(first["id"])
        elif how == "expire":
            await spoil(db, first["id"], deadline=0)
            await sweep(db)
        else:
            outputs = {"tool_outputs": [{"tool_call_id": "call_a", "output": "x"}]}
            await http.post(f"{chat.path}/runs/{first['id']}/submit_tool_outputs", json=outputs)

        assert (await chat.run(second["id"], 30))["status"] == "completed"


async def spoil(db, run_id, **values):
    from sqlalchemy import update

    from assistants_api.store import tables

    if "deadline" in values:
        values["deadline"] = datetime.fromtimestamp(values["deadline"], UTC)
    async with db.begin() as tx:
        await tx.execute(update(tables.runs).where(tables.runs.c.id == run_id).values(**values))


async def test_a_run_that_waits_can_be_cancelled_and_leaves_nothing(db):
    engine = engine_of()
    async with client_over(db, engine, works=True) as http:
        chat = await chat_of(http)
        first = await chat.begun()
        second = (await chat.ask("second", "enqueue")).json()

        cancelled = (await chat.cancel(second["id"])).json()
        engine.release("go")
        await chat.run(first["id"], 30)

        assert cancelled["status"] == "cancelling"
        assert (await chat.run(second["id"]))["status"] == "cancelled"
        assert await chat.said() == ["slow", "Slow indeed."]
        assert (await chat.ask("second", "reject")).status_code == 200


async def test_a_run_that_cannot_start_fails_with_the_reason_and_the_one_after_it_starts(db):
    engine = engine_of()
    async with client_over(db, engine, works=True) as http:
        chat = await chat_of(http)
        await chat.begun()
        upload = await http.post(
            "/v1/files", data={"purpose": "assistants"}, files={"file": ("a.txt", b"words")}
        )
        file_id = upload.json()["id"]
        attached = [{"file_id": file_id, "tools": [{"type": "code_interpreter"}]}]
        messages = [{"role": "user", "content": "first", "attachments": attached}]
        first = (await chat.start(additional_messages=messages, if_busy="enqueue")).json()
        second = (await chat.ask("second", "enqueue")).json()
        await http.delete(f"/v1/files/{file_id}")

        engine.release("go")
        failed, completed = await chat.run(first["id"], 30), await chat.run(second["id"], 30)

        assert failed["status"] == "failed"
        assert file_id in failed["last_error"]["message"]
        assert completed["status"] == "completed"
        assert await chat.said() == ["slow", "Slow indeed.", "second", "second!"]


async def test_what_waits_on_a_thread_is_bounded_and_wrong_files_are_refused_at_once(open_client):
    async with open_client(engine_of(), limits=RunLimits(max_waiting_on_thread=1)) as http:
        chat = await chat_of(http)
        await chat.start()
        gone = "file-AAAAAAAAAAAAAAAAAAAAAA"
        attached = [{"file_id": gone, "tools": [{"type": "file_search"}]}]
        wrong = {"role": "user", "content": "x", "attachments": attached}

        no_file = await chat.start(additional_messages=[wrong], if_busy="enqueue")
        fits = await chat.ask("first", "enqueue")
        too_many = await chat.ask("second", "enqueue")

        assert refusal(no_file)[0] in (400, 404)
        assert fits.status_code == 200
        assert refusal(too_many)[0] == 429


async def test_an_interrupted_run_keeps_what_it_said_and_the_new_one_starts(db):
    async with client_over(db, engine_of(), works=True) as http:
        chat = await chat_of(http)
        first = await chat.begun()
        behind = (await chat.ask("first", "enqueue")).json()

        second = (await chat.ask("second", "interrupt")).json()

        assert (await chat.run(second["id"], 30))["status"] == "completed"
        assert (await chat.run(first["id"]))["status"] == "cancelled"
        assert (await chat.run(behind["id"]))["status"] == "cancelled"
        assert await chat.said() == ["slow", "Slow ", "second", "second!"]


async def test_a_run_that_is_rolled_back_leaves_no_message(db):
    engine = engine_of()
    async with client_over(db, engine, works=True) as http:
        chat = await chat_of(http)
        first = (await chat.ask("slow", "reject")).json()

        async def has_begun():
            return len(await chat.said()) == 3

        await until(has_begun)
        second = (await chat.ask("second", "rollback")).json()

        assert (await chat.run(second["id"], 30))["status"] == "completed"
        assert (await chat.run(first["id"]))["status"] == "cancelled"
        assert await chat.said() == ["slow", "second", "second!"]


async def test_on_a_free_thread_every_mode_just_starts(open_client):
    async with open_client(engine_of(), works=True) as http:
        for mode in ("reject", "wait", "enqueue", "interrupt", "rollback"):
            chat = await chat_of(http)
            run = (await chat.ask("second", mode)).json()
            assert (await chat.run(run["id"], 30))["status"] == "completed"
        unknown = await chat.ask("second", "hope")
        assert refusal(unknown)[0::2] == (400, "if_busy")


async def test_waiting_goes_with_an_idempotency_key(db):
    engine = engine_of()
    async with client_over(db, engine, works=True) as http:
        chat = await chat_of(http)
        await chat.begun()
        http.headers["Idempotency-Key"] = "k"
        asking = asyncio.create_task(chat.ask("second", "wait"))
        await asyncio.sleep(0)
        engine.release("go")
        second = (await asking).json()

        again = await chat.ask("second", "wait")

        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["id"] == second["id"]
