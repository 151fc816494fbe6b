"""`Idempotency-Key` on POST: one effect, one answer, whatever is sent again."""

import asyncio

import pytest

from assistants_api.blobs.disk import DiskBlobs
from assistants_api.domain.prompt import Text, ToolCall
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from tests.api.conftest import client_over, made, refusal
from tests.conftest import until
from tests.worker.conftest import knowledge_over

KEY = {"Idempotency-Key": "once"}
BODY = {"model": "gpt-4o", "name": "One"}


@pytest.fixture
async def http(db):
    async with client_over(db) as client:
        yield client


async def test_a_request_sent_again_is_answered_again_and_done_once(http):
    first = await http.post("/v1/assistants", json=BODY, headers=KEY)
    second = await http.post("/v1/assistants", json=BODY, headers=KEY)

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len((await http.get("/v1/assistants")).json()["data"]) == 1


async def test_at_the_same_time_too(http):
    answers = await asyncio.gather(*[http.post("/v1/assistants", json=BODY, headers=KEY) for _ in range(8)])

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await http.get("/v1/assistants")).json()["data"]) == 1


async def test_another_body_or_path_under_the_same_key_is_refused(http):
    await made_with(http, "/v1/assistants", BODY)

    other = await http.post("/v1/assistants", json={**BODY, "name": "Two"}, headers=KEY)
    elsewhere = await http.post("/v1/threads", json=BODY, headers=KEY)

    assert refusal(other)[0::2] == (422, "Idempotency-Key")
    assert refusal(elsewhere)[3] == "idempotency_key_reused"
    assert len((await http.get("/v1/assistants")).json()["data"]) == 1


async def made_with(http, path, body):
    response = await http.post(path, json=body, headers=KEY)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_refused_request_leaves_the_key_free(http):
    wrong = await http.post("/v1/assistants", json={"name": "no model"}, headers=KEY)
    right = await http.post("/v1/assistants", json=BODY, headers=KEY)

    assert (wrong.status_code, right.status_code) == (400, 200)


async def test_every_part_of_a_request_is_undone_when_it_fails(http):
    """A thread and its run are one effect: a run that is refused leaves no thread, with a key and without."""
    body = {"assistant_id": "asst_nobody", "thread": {"messages": [{"role": "user", "content": "Hello"}]}}

    refused = await http.post("/v1/threads/runs", json=body, headers=KEY)

    assert refused.status_code in (400, 404)
    assert (await http.get("/v1/threads")).json()["data"] == []


async def test_a_run_is_started_once_and_its_stream_replayed(db):
    async with client_over(db, ScriptedEngine([[Text("Hello "), Text("you.")]]), works=True) as http:
        assistant = await made(http, "/v1/assistants", model="gpt-4o")
        body = {
            "assistant_id": assistant["id"],
            "thread": {"messages": [{"role": "user", "content": "Hello"}]},
            "stream": True,
        }
        first = await http.post("/v1/threads/runs", json=body, headers=KEY)
        second = await http.post("/v1/threads/runs", json=body, headers=KEY)

        assert b"thread.run.completed" in first.content
        assert first.content == second.content
        assert len((await http.get("/v1/threads")).json()["data"]) == 1


async def test_a_key_of_one_caller_says_nothing_to_another(db):
    async with client_over(db, api_keys=("sk-one", "sk-two")) as http:
        answers = [
            await http.post("/v1/assistants", json=BODY, headers={**KEY, "Authorization": f"Bearer {secret}"})
            for secret in ("sk-one", "sk-two")
        ]

    assert answers[0].json()["id"] != answers[1].json()["id"]


async def test_a_completion_is_kept_once_it_is_there_and_in_use_before(db):
    engine = ScriptedEngine([[Wait("go"), Text("Hello.")]])
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    async with client_over(db, engine, works=True) as http:
        first = asyncio.create_task(http.post("/v1/chat/completions", json=body, headers=KEY))
        await until(lambda: engine.prompts)
        early = await http.post("/v1/chat/completions", json=body, headers=KEY)
        engine.release("go")
        answer = await first
        late = await http.post("/v1/chat/completions", json=body, headers=KEY)

        assert refusal(early)[3] == "idempotency_key_in_use"
        assert answer.json() == late.json()
        streamed = await http.post(
            "/v1/chat/completions", json={**body, "stream": True}, headers={"Idempotency-Key": "x"}
        )
        assert refusal(streamed)[2] == "stream"


async def test_what_nobody_was_there_to_read_is_asked_again(http, monkeypatch):
    """The client's own time-out is why it sends again."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}

    async def has_gone(*_) -> bool:
        return False

    with monkeypatch.context() as patch:
        patch.setattr("assistants_api.api.following._unless_gone", has_gone)
        await http.post("/v1/chat/completions", json=body, headers=KEY)
    again = await http.post("/v1/embeddings", json={"model": "m", "input": "Hello"}, headers=KEY)

    assert again.status_code == 200


async def test_a_file_is_uploaded_once(http):
    def upload():
        return http.post(
            "/v1/files", files={"file": ("a.txt", b"one")}, data={"purpose": "assistants"}, headers=KEY
        )

    first, second = await upload(), await upload()

    assert first.status_code == 200, first.text
    assert first.json() == second.json()
    assert len((await http.get("/v1/files")).json()["data"]) == 1


class Gated(DiskBlobs):
    """Blobs that are written and removed only once the gate is open."""

    gate = None
    is_busy = False

    async def write(self, pieces):
        await self._pass()
        return await super().write(pieces)

    async def remove(self, keys):
        await self._pass()
        await super().remove(keys)

    async def _pass(self):
        if self.gate is not None:
            self.is_busy = True
            await self.gate.wait()


@pytest.mark.parametrize("end", ["complete", "cancel"])
async def test_the_bytes_of_an_upload_are_moved_while_others_write(db, tmp_path, end):
    knowledge = knowledge_over(db)
    knowledge.blobs = blobs = Gated(tmp_path / "blobs")
    announced = {"filename": "b.txt", "purpose": "assistants", "bytes": 3, "mime_type": "text/plain"}
    async with client_over(db, knowledge=knowledge) as http, asyncio.timeout(30):
        path = f"/v1/uploads/{(await made(http, '/v1/uploads', **announced))['id']}"
        part = (await http.post(f"{path}/parts", files={"data": ("d", b"one")})).json()
        body = {"part_ids": [part["id"]]} if end == "complete" else {}
        blobs.gate = asyncio.Event()
        first = asyncio.create_task(http.post(f"{path}/{end}", json=body, headers=KEY))
        await until(lambda: blobs.is_busy)

        try:
            await made(http, "/v1/assistants", **BODY)
            early = await http.post(f"{path}/{end}", json=body, headers=KEY)
        finally:
            blobs.gate.set()
        answer = await first
        late = await http.post(f"{path}/{end}", json=body, headers=KEY)

    assert refusal(early)[3] == "idempotency_key_in_use"
    assert answer.json()["status"] == ("completed" if end == "complete" else "cancelled")
    assert answer.json() == late.json()


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_is_none_is_refused_by_name(http, key):
    response = await http.post("/v1/assistants", json=BODY, headers={"Idempotency-Key": key})

    assert refusal(response)[2] == "Idempotency-Key"


async def test_without_a_key_nothing_is_kept(http):
    await made(http, "/v1/assistants", **BODY)
    await made(http, "/v1/assistants", **BODY)

    assert len((await http.get("/v1/assistants")).json()["data"]) == 2


async def test_every_operation_takes_a_key(db):
    """Each effect is one transaction with its answer: none may wait for another."""
    numbers = iter(range(1000))

    async def post(http, path, body=None, **options):
        key = {"Idempotency-Key": f"key-{next(numbers)}"}
        if body is not None:
            options["json"] = body
        first = await http.post(path, headers=key, **options)
        assert first.status_code == 200, (path, first.text)
        second = await http.post(path, headers=key, **options)
        assert second.json() == first.json()
        return first.json()

    call = ToolCall(id="call_a", name="get_weather", arguments="{}")
    engine = ScriptedEngine([[call], [Text("Cold.")], [Wait("never"), Text("x")]])
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    async with client_over(db, engine, works=True) as http, asyncio.timeout(60):
        assistant = await post(http, "/v1/assistants", {"model": "gpt-4o", "tools": [tool]})
        await post(http, f"/v1/assistants/{assistant['id']}", {"name": "Two"})
        thread = await post(http, "/v1/threads", {})
        path = f"/v1/threads/{thread['id']}"
        await post(http, path, {"metadata": {"a": "b"}})
        message = await post(http, f"{path}/messages", {"role": "user", "content": "Hello"})
        await post(http, f"{path}/messages/{message['id']}", {"metadata": {"a": "b"}})
        run = await post(http, f"{path}/runs", {"assistant_id": assistant["id"]})
        waiting = await http.get(f"{path}/runs/{run['id']}", params={"wait": 30})
        asked = waiting.json()["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
        outputs = {"tool_outputs": [{"tool_call_id": asked, "output": "3"}]}
        await post(http, f"{path}/runs/{run['id']}/submit_tool_outputs", outputs)
        ended = await http.get(f"{path}/runs/{run['id']}", params={"wait": 30})
        assert ended.json()["status"] == "completed"
        await post(http, f"{path}/runs/{run['id']}", {"metadata": {"a": "b"}})
        body = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": "x"}]}}
        other = await post(http, "/v1/threads/runs", body)
        await post(http, f"/v1/threads/{other['thread_id']}/runs/{other['id']}/cancel")
        file = await post(
            http, "/v1/files", files={"file": ("a.txt", b"some words")}, data={"purpose": "assistants"}
        )
        store = await post(http, "/v1/vector_stores", {"file_ids": [file["id"]]})
        path = f"/v1/vector_stores/{store['id']}"
        await post(http, path, {"name": "Named"})
        await post(http, f"{path}/files/{file['id']}", {"attributes": {"a": "b"}})
        searched = await http.post(
            f"{path}/search", json={"query": "words"}, headers={"Idempotency-Key": "s"}
        )
        assert searched.status_code == 200
        batch = await post(http, f"{path}/file_batches", {"file_ids": [file["id"]]})
        await post(http, f"{path}/file_batches/{batch['id']}/cancel")
        upload = {"filename": "b.txt", "purpose": "assistants", "bytes": 3, "mime_type": "text/plain"}
        started = await post(http, "/v1/uploads", upload)
        part = await post(http, f"/v1/uploads/{started['id']}/parts", files={"data": ("d", b"one")})
        await post(http, f"/v1/uploads/{started['id']}/complete", {"part_ids": [part["id"]]})
        again = await post(http, "/v1/uploads", upload)
        await post(http, f"/v1/uploads/{again['id']}/cancel")
        await post(http, "/v1/embeddings", {"model": "any", "input": "words"})
