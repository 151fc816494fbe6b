"""Every JSON body and every event of the served operations, against the protocol's contract and our document."""

import asyncio
import json
import time

import httpx
import pytest

from tests.checks.document import Document
from tests.checks.schema import check_body, check_event, protocol_file
from tests.checks.stream_order import check_stream, parse_stream
from tests.conformance.serving import Served, serving

BETA = {"OpenAI-Beta": "assistants=v2"}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


class Checked:
    """A plain HTTP client that checks every answer it gets."""

    def __init__(self, served: Served) -> None:
        protocol_file("openapi.assistants.json")
        self._http = httpx.Client(base_url=served.base_url, headers=BETA, timeout=60)
        self.document = Document(httpx.get(f"{served.root}/openapi.json", timeout=60).json())
        self.operations: set[str] = set()

    def close(self) -> None:
        self._http.close()

    def call(self, operation: str, method: str, path: str, body: object = None) -> dict:
        response = self.told(method, path, json=body)
        assert response.status_code == 200, response.text
        assert response.headers["x-request-id"].startswith("req_")
        value = response.json()
        check_body(operation, value)
        self.operations.add(operation)
        return value

    def upload(self, operation: str, path: str, **form) -> dict:
        response = self.told("POST", path, **form)
        assert response.status_code == 200, response.text
        value = response.json()
        check_body(operation, value)
        self.operations.add(operation)
        return value

    def file(self, name: str, text: str) -> dict:
        """A file that was uploaded."""
        form = {"files": {"file": (name, text.encode())}, "data": {"purpose": "assistants"}}
        return self.upload("createFile", "/files", **form)

    def stream(self, path: str, body: dict, *, continues: bool = False) -> list[tuple[str, dict]]:
        response = self.told("POST", path, json={**body, "stream": True})
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        return self.checked(response.content, continues=continues)

    def checked(self, raw: bytes, *, continues: bool = False) -> list[tuple[str, dict]]:
        events = check_stream(parse_stream(raw), continues=continues)
        for name, data in events:
            check_event(name, data)
        return events

    def raw(self, path: str, **given) -> bytes:
        return self.told("GET", path, **given).content

    def told(self, method: str, path: str, **given) -> httpx.Response:
        """A reply, whatever its status, of which our own document tells everything."""
        response = self._http.request(method, path, **given)
        self.document.check_reply(response)
        return response


@pytest.fixture(scope="module")
def api(server):
    checked = Checked(server)
    yield checked
    checked.close()


def asking(text: str, **given) -> dict:
    return {"messages": [{"role": "user", "content": text, **given}]}


def test_assistants(api):
    file = api.file("a.txt", "A.")
    full = {
        "model": "gpt-4o",
        "name": "n",
        "description": "d",
        "instructions": "i",
        "tools": [{"type": "code_interpreter"}, {"type": "file_search"}, TOOL],
        "tool_resources": {
            "code_interpreter": {"file_ids": [file["id"]]},
            "file_search": {"vector_store_ids": []},
        },
        "metadata": {"k": "v"},
        "temperature": 0.2,
        "top_p": 0.9,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": {"type": "object"}},
        },
        "reasoning_effort": "low",
    }
    made = api.call("createAssistant", "POST", "/assistants", full)
    bare = api.call("createAssistant", "POST", "/assistants", {"model": "m"})
    changed = api.call(
        "modifyAssistant", "POST", f"/assistants/{made['id']}", {"name": None, "tools": [TOOL]}
    )
    api.call("getAssistant", "GET", f"/assistants/{made['id']}")
    api.call("listAssistants", "GET", "/assistants?limit=3&order=asc")
    gone = api.call("deleteAssistant", "DELETE", f"/assistants/{bare['id']}")

    assert {name: made[name] for name in full if name not in ("tools", "reasoning_effort")} == {
        name: full[name] for name in full if name not in ("tools", "reasoning_effort")
    }
    assert made["tools"][1] == {
        "type": "file_search",
        "file_search": {"ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0}},
    }
    assert "reasoning_effort" not in made
    assert (bare["temperature"], bare["top_p"], bare["response_format"], bare["tool_resources"]) == (
        1,
        1,
        "auto",
        {},
    )
    assert (changed["name"], changed["tools"], changed["description"]) == (None, [TOOL], "d")
    assert gone == {"id": bare["id"], "object": "assistant.deleted", "deleted": True}


def settled(api, operation, path):
    """The object once nothing of it is in progress."""
    deadline = time.monotonic() + 30
    while (found := api.call(operation, "GET", path))["status"] == "in_progress":
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_files_and_uploads(api):
    file = api.file("notes.txt", "Notes.")
    path = f"/files/{file['id']}"
    assert api.call("retrieveFile", "GET", path) == file
    assert file in api.call("listFiles", "GET", "/files?purpose=assistants")["data"]
    assert api.raw(f"{path}/content") == b"Notes."
    api.operations.add("downloadFile")
    assert api.call("deleteFile", "DELETE", path)["object"] == "file"
    announced = {"filename": "big.txt", "purpose": "assistants", "bytes": 3, "mime_type": "text/plain"}
    upload = api.call("createUpload", "POST", "/uploads", announced)
    path = f"/uploads/{upload['id']}"
    part = api.upload("addUploadPart", f"{path}/parts", files={"data": ("blob", b"big")})
    done = api.call("completeUpload", "POST", f"{path}/complete", {"part_ids": [part["id"]]})
    assert done["file"]["bytes"] == 3
    other = api.call("createUpload", "POST", "/uploads", announced)
    assert api.call("cancelUpload", "POST", f"/uploads/{other['id']}/cancel")["status"] == "cancelled"


def test_vector_stores(api):
    files = [api.file(f"{n}.txt", f"Text number {n} is about zebras.") for n in range(2)]
    ids = [file["id"] for file in files]
    made = {"name": "s", "file_ids": ids[:1], "expires_after": {"anchor": "last_active_at", "days": 1}}
    store = api.call("createVectorStore", "POST", "/vector_stores", made)
    path = f"/vector_stores/{store['id']}"
    api.call("getVectorStore", "GET", path)
    api.call("listVectorStores", "GET", "/vector_stores?limit=2")
    api.call("modifyVectorStore", "POST", path, {"name": "t", "metadata": {"a": "b"}})
    added = {"file_id": ids[1], "attributes": {"n": 1, "big": True, "word": "x"}}
    api.call("createVectorStoreFile", "POST", f"{path}/files", added)
    settled(api, "getVectorStore", path)
    file = api.call("getVectorStoreFile", "GET", f"{path}/files/{ids[1]}")
    assert file["attributes"] == {"n": 1, "big": True, "word": "x"}
    api.call("listVectorStoreFiles", "GET", f"{path}/files?filter=completed")
    one = f"{path}/files/{ids[1]}"
    api.call("updateVectorStoreFileAttributes", "POST", one, {"attributes": {"n": 2}})
    content = api.call("retrieveVectorStoreFileContent", "GET", f"{one}/content")
    assert content["data"] == [{"type": "text", "text": "Text number 1 is about zebras."}]
    wanted = {"query": "zebras", "filters": {"type": "gte", "key": "n", "value": 2}}
    found = api.call("searchVectorStore", "POST", f"{path}/search", wanted)
    assert [item["file_id"] for item in found["data"]] == [ids[1]]
    api.call("deleteVectorStoreFile", "DELETE", one)
    batch = api.call("createVectorStoreFileBatch", "POST", f"{path}/file_batches", {"file_ids": ids})
    batch_path = f"{path}/file_batches/{batch['id']}"
    settled(api, "getVectorStoreFileBatch", batch_path)
    api.call("listFilesInVectorStoreBatch", "GET", f"{batch_path}/files")
    assert api.call("cancelVectorStoreFileBatch", "POST", f"{batch_path}/cancel")["status"] == "completed"
    api.call("createEmbedding", "POST", "/embeddings", {"model": "m", "input": "zebra"})
    api.call("deleteVectorStore", "DELETE", path)


def test_a_run_that_searches(api):
    file = api.file("handbook.md", "Staff get 25 days of holiday a year.")
    helper = {"file_search": {"vector_stores": [{"file_ids": [file["id"]], "metadata": {"k": "v"}}]}}
    made = {"model": "m", "tools": [{"type": "file_search"}], "tool_resources": helper}
    assistant = api.call("createAssistant", "POST", "/assistants", made)
    [store_id] = assistant["tool_resources"]["file_search"]["vector_store_ids"]
    settled(api, "getVectorStore", f"/vector_stores/{store_id}")
    body = {"assistant_id": assistant["id"], "thread": asking("How much holiday do I get?")}

    events = api.stream("/threads/runs", body)

    deltas = [data["delta"]["content"][0]["text"] for name, data in events if name == "thread.message.delta"]
    assert "".join(delta.get("value", "") for delta in deltas) == "You get 25 days【0:0†source】 a year."
    [cited] = [delta for delta in deltas if delta.get("annotations")]
    [annotation] = cited["annotations"]
    assert annotation["file_citation"] == {"file_id": file["id"]}
    [whole] = [data for name, data in events if name == "thread.message.completed"]
    assert whole["content"][0]["text"]["annotations"] == [
        {key: value for key, value in annotation.items() if key != "index"}
    ]
    steps = [data for name, data in events if name == "thread.run.step.completed"]
    [result] = steps[0]["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert set(result) == {"file_id", "file_name", "score"}
    run = next(data for name, data in events if name == "thread.run.created")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps"
    include = "include[]=step_details.tool_calls[*].file_search.results[*].content"
    step = api.call("getRunStep", "GET", f"{path}/{steps[0]['id']}?{include}")
    [result] = step["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert result["content"] == [{"type": "text", "text": "Staff get 25 days of holiday a year."}]
    listed = api.call("listRunSteps", "GET", f"{path}?order=asc&{include}")["data"]
    assert listed[0] == step


def test_threads_and_messages(api):
    attachment = {"file_id": api.file("b.txt", "B.")["id"], "tools": [{"type": "file_search"}]}
    thread = api.call("createThread", "POST", "/threads", asking("first", attachments=[attachment]))
    path = f"/threads/{thread['id']}"
    api.call("getThread", "GET", path)
    assert api.call("modifyThread", "POST", path, {"metadata": {"a": "b"}})["metadata"] == {"a": "b"}
    picture = api.file("b.png", "not looked into")["id"]
    parts = [
        {"type": "text", "text": "see"},
        {"type": "image_file", "image_file": {"file_id": picture}},
        {"type": "image_url", "image_url": {"url": "https://example.com/x.png", "detail": "high"}},
    ]
    made = api.call("createMessage", "POST", f"{path}/messages", {"role": "user", "content": parts})
    said = api.call("createMessage", "POST", f"{path}/messages", {"role": "assistant", "content": "ok"})
    listed = api.call("listMessages", "GET", f"{path}/messages")
    api.call("getMessage", "GET", f"{path}/messages/{made['id']}")
    api.call("modifyMessage", "POST", f"{path}/messages/{made['id']}", {"metadata": {"x": "y"}})

    assert made["content"][0] == {"type": "text", "text": {"value": "see", "annotations": []}}
    assert made["content"][1]["image_file"] == {"file_id": picture, "detail": "auto"}
    assert [each["id"] for each in listed["data"][:2]] == [said["id"], made["id"]]
    assert listed["data"][2]["attachments"] == [attachment]
    assert (listed["first_id"], listed["has_more"]) == (said["id"], False)
    api.call("deleteMessage", "DELETE", f"{path}/messages/{made['id']}")
    api.call("deleteThread", "DELETE", path)


def test_an_empty_list_has_null_ids(api):
    thread = api.call("createThread", "POST", "/threads", {})

    page = api.call("listMessages", "GET", f"/threads/{thread['id']}/messages")

    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def test_a_streamed_run_and_everything_it_leaves(api):
    assistant = api.call("createAssistant", "POST", "/assistants", {"model": "m"})
    events = api.stream("/threads/runs", {"assistant_id": assistant["id"], "thread": asking("Hello")})
    run = events[-1][1]
    path = f"/threads/{run['thread_id']}/runs"
    api.operations.add("createThreadAndRun")

    assert [name for name, _ in events if name != "thread.message.delta"] == [
        "thread.created",
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
    ]
    deltas = [data["delta"]["content"][0]["text"] for name, data in events if name == "thread.message.delta"]
    assert deltas[0]["annotations"] == []
    assert all(set(delta) == {"value"} for delta in deltas[1:])
    created = events[1][1]
    assert created["expires_at"] == created["created_at"] + 600
    assert created["started_at"] is created["usage"] is None
    assert (run["expires_at"], run["usage"]["total_tokens"] > 0) == (None, True)
    api.call("getRun", "GET", f"{path}/{run['id']}")
    api.call("listRuns", "GET", path)
    api.call("modifyRun", "POST", f"{path}/{run['id']}", {"metadata": {"a": "b"}})
    [step] = api.call("listRunSteps", "GET", f"{path}/{run['id']}/steps")["data"]
    include = "include[]=step_details.tool_calls[*].file_search.results[*].content"
    api.call("getRunStep", "GET", f"{path}/{run['id']}/steps/{step['id']}?{include}")
    assert step["usage"] == run["usage"]


def test_a_function_run_in_two_legs(api):
    assistant = api.call("createAssistant", "POST", "/assistants", {"model": "m", "tools": [TOOL]})
    thread = api.call("createThread", "POST", "/threads", asking("talk and call"))
    path = f"/threads/{thread['id']}/runs"
    events = api.stream(path, {"assistant_id": assistant["id"]})
    run = events[-1][1]
    waiting = api.call("getRun", "GET", f"{path}/{run['id']}")
    call = waiting["required_action"]["submit_tool_outputs"]["tool_calls"][0]
    open_step = api.call("listRunSteps", "GET", f"{path}/{run['id']}/steps")["data"][0]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "3 degrees"}]}
    rest = api.stream(f"{path}/{run['id']}/submit_tool_outputs", outputs, continues=True)

    assert [name for name, _ in rest[:3]] == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
    ]
    assert (open_step["status"], open_step["usage"]) == ("in_progress", None)
    assert open_step["step_details"]["tool_calls"][0]["function"]["output"] is None
    assert rest[0][1]["step_details"]["tool_calls"][0]["function"]["output"] == "3 degrees"
    assert rest[0][1]["usage"] is not None
    assert rest[1][1]["required_action"] is None
    final = rest[-1][1]
    assert final["usage"]["completion_tokens"] > rest[0][1]["usage"]["completion_tokens"]


def test_a_run_not_streamed_starts_queued_and_says_when_to_poll(api, server):
    assistant = api.call("createAssistant", "POST", "/assistants", {"model": "m", "tools": [TOOL]})
    thread = api.call("createThread", "POST", "/threads", asking("weather"))
    path = f"/threads/{thread['id']}/runs"
    run = api.call("createRun", "POST", path, {"assistant_id": assistant["id"]})
    response = httpx.get(f"{server.base_url}{path}/{run['id']}", headers=BETA)

    assert run["status"] == "queued"
    assert int(response.headers["openai-poll-after-ms"]) <= 250
    while api.call("getRun", "GET", f"{path}/{run['id']}")["status"] != "requires_action":
        pass
    calls = api.call("getRun", "GET", f"{path}/{run['id']}")["required_action"]["submit_tool_outputs"][
        "tool_calls"
    ]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "3 degrees"} for call in calls]}
    queued = api.call("submitToolOuputsToRun", "POST", f"{path}/{run['id']}/submit_tool_outputs", outputs)
    assert queued["status"] == "queued"


def test_cancelling_ends_the_stream_in_order(api):
    assistant = api.call("createAssistant", "POST", "/assistants", {"model": "m"})
    thread = api.call("createThread", "POST", "/threads", asking("slowly"))
    path = f"/threads/{thread['id']}/runs"
    run = api.call("createRun", "POST", path, {"assistant_id": assistant["id"]})
    while not api.call("listMessages", "GET", f"/threads/{thread['id']}/messages?run_id={run['id']}")["data"]:
        pass
    cancelled = api.call("cancelRun", "POST", f"{path}/{run['id']}/cancel")

    events = api.checked(api.raw(f"{path}/{run['id']}/events"))

    assert cancelled["status"] == "cancelling"
    assert [name for name, _ in events][-4:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]


def test_a_cut_and_a_failed_stream_are_good_streams(api):
    assistant = api.call("createAssistant", "POST", "/assistants", {"model": "m"})
    body = {"assistant_id": assistant["id"]}

    cut = api.stream("/threads/runs", {**body, "thread": asking("at length"), "max_completion_tokens": 256})
    failed = api.stream("/threads/runs", {**body, "thread": asking("break")})

    assert [name for name, _ in cut][-3:] == [
        "thread.message.incomplete",
        "thread.run.step.completed",
        "thread.run.incomplete",
    ]
    assert failed[-1][1]["last_error"] == {"code": "server_error", "message": "The model broke."}


def test_a_stream_resumes_byte_for_byte_from_any_event(api):
    assistant = api.call("createAssistant", "POST", "/assistants", {"model": "m"})
    events = api.stream("/threads/runs", {"assistant_id": assistant["id"], "thread": asking("chinese")})
    run = events[-1][1]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/events"
    whole = api.raw(path)
    frames = [frame + b"\n\n" for frame in whole.split(b"\n\n") if frame]

    for place in range(len(frames)):
        rest = b"".join(frames[place:])
        assert api.raw(path, headers={"Last-Event-ID": str(place)}) == rest
        assert api.raw(f"{path}?after={place}") == rest


def test_the_trace_shows_what_the_model_was_shown(api, server):
    assistant = api.call(
        "createAssistant", "POST", "/assistants", {"model": "m", "instructions": "Be brief."}
    )
    events = api.stream("/threads/runs", {"assistant_id": assistant["id"], "thread": asking("Hello")})
    run = events[-1][1]

    trace = json.loads(api.raw(f"/threads/{run['thread_id']}/runs/{run['id']}/trace"))

    [turn] = trace["turns"]
    assert turn["prompt"] == "system: Be brief.\nuser: Hello"
    assert turn["left_out_messages"] == []
    times = [
        trace["request_received_at"],
        turn["input_prepared_at"],
        turn["inference_started_at"],
        turn["first_token_at"],
        turn["output_generated_at"],
    ]
    assert times == sorted(times)
    assert turn["usage"] == run["usage"]


def test_models(api):
    listed = api.call("listModels", "GET", "/models")
    api.call("retrieveModel", "GET", f"/models/{listed['data'][0]['id']}")
    api.call("retrieveModel", "GET", "/models/gpt-4o")


def test_a_run_expires_at_its_deadline(tmp_path):
    with serving(tmp_path, [["Well, ", {"pause": 3600}]], run_expiry_seconds="3") as served:
        api = Checked(served)
        assistant = api.call("createAssistant", "POST", "/assistants", {"model": "m"})

        events = api.stream("/threads/runs", {"assistant_id": assistant["id"], "thread": asking("Hello")})

        assert [name for name, _ in events][-3:] == [
            "thread.message.incomplete",
            "thread.run.step.expired",
            "thread.run.expired",
        ]
        api.close()
        assert events[-1][1]["expires_at"] == events[-1][1]["created_at"] + 3


async def test_a_client_that_hangs_up_harms_nothing(server):
    async with httpx.AsyncClient(base_url=server.base_url, headers=BETA, timeout=60) as http:
        assistant = (await http.post("/assistants", json={"model": "m"})).json()
        body = {"assistant_id": assistant["id"], "thread": asking("chinese"), "stream": True}
        async with http.stream("POST", "/threads/runs", json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data") and '"object":"thread.run"' in line:
                    run = json.loads(line[6:])
                    break
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        raw = (await http.get(f"{path}/events")).content
        events = check_stream(parse_stream(raw))

        assert events[-1][0] == "thread.run.completed"


async def test_many_streams_at_once_stay_apart(server):
    async with httpx.AsyncClient(base_url=server.base_url, headers=BETA, timeout=60) as http:
        assistant = (await http.post("/assistants", json={"model": "m"})).json()

        async def one(text: str) -> str:
            body = {"assistant_id": assistant["id"], "thread": asking(text), "stream": True}
            events = check_stream(parse_stream((await http.post("/threads/runs", json=body)).content))
            return next(data for name, data in events if name == "thread.message.completed")["content"][0][
                "text"
            ]["value"]

        texts = await asyncio.gather(*[one("Hello" if n % 2 else "chinese") for n in range(20)])

        assert all(text.startswith("Hello" if n % 2 else "你好") for n, text in enumerate(texts))


def test_extensions_are_as_our_document_tells(api, server):
    asked = api.told("POST", f"{server.root}/assist", json={"question": "Hello"}).json()
    api.told("POST", f"{server.root}/assist", json={"question": "Hello", "stream": True})
    path = f"/threads/{asked['thread_id']}"
    api.told("GET", "/threads?metadata[k]=v")
    api.told("GET", f"{path}/runs/{asked['run_id']}?wait=1")
    api.told("GET", f"{path}/runs/{asked['run_id']}/trace")
    api.told("DELETE", f"{path}/code_session")
    file = api.file("z.txt", "Zebras.")
    store = api.call("createVectorStore", "POST", "/vector_stores", {"file_ids": [file["id"]]})
    trace = api.told("GET", f"/vector_stores/{store['id']}/files/{file['id']}/trace").json()

    assert asked["response"] == "Hello, how can I help you today?"
    assert trace["object"] == "vector_store.file.trace"


def test_chat_is_as_our_document_tells(api):
    def chat(text: str, **given) -> httpx.Response:
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **given}
        return api.told("POST", "/chat/completions", json=body)

    chat("weather", tools=[TOOL])
    chat("weather", tools=[TOOL], stream=True, stream_options={"include_usage": True})
    chat("Hello", stream=True, logprobs=True, top_logprobs=2)
    cut = chat("break", stream=True)
    kept = chat("Hello", store=True, metadata={"k": "v"}, logprobs=True).json()
    api.told("GET", "/chat/completions?metadata[k]=v")
    path = f"/chat/completions/{kept['id']}"
    api.told("POST", path, json={"metadata": None})
    api.told("GET", f"{path}/messages")
    api.told("DELETE", path)

    assert "The model broke." in cut.text
    assert chat("break").status_code == 502


def test_a_stream_that_breaks_says_so_as_our_document_tells(api, server):
    assistant = api.call("createAssistant", "POST", "/assistants", {"model": "m"})
    thread = api.call("createThread", "POST", "/threads", asking("slowly"))
    path = f"/threads/{thread['id']}"
    run = api.call("createRun", "POST", f"{path}/runs", {"assistant_id": assistant["id"]})

    with httpx.stream("GET", f"{server.base_url}{path}/runs/{run['id']}/events", timeout=60) as response:
        pieces = response.iter_bytes()
        begun = next(pieces)
        api.call("deleteThread", "DELETE", path)
        raw = begun + b"".join(pieces)
    response._content = raw
    api.document.check_reply(response)

    assert b"event: error" in raw


def test_refusals_are_as_our_document_tells(api):
    body = {"messages": asking("Hello")["messages"]}
    key = {"Idempotency-Key": "of this test"}
    api.told("POST", "/threads", json=body, headers=key)
    given = [
        api.told("GET", "/threads/none"),
        api.told("GET", "/threads/thread_none"),
        api.told("POST", "/threads", json={"messages": "none"}),
        api.told("POST", "/threads", json={**body, "metadata": {"a": "b"}}, headers=key),
        api.told("POST", "/threads", content=b" " * (9 << 20)),
    ]

    assert [refused.status_code for refused in given] == [400, 404, 400, 422, 413]


SERVED = {
    "createAssistant", "listAssistants", "getAssistant", "modifyAssistant", "deleteAssistant",
    "createThread", "getThread", "modifyThread", "deleteThread",
    "createMessage", "listMessages", "getMessage", "modifyMessage", "deleteMessage",
    "createThreadAndRun", "createRun", "listRuns", "getRun", "modifyRun", "cancelRun", "submitToolOuputsToRun",
    "listRunSteps", "getRunStep", "listModels", "retrieveModel",
    "createFile", "listFiles", "retrieveFile", "deleteFile", "downloadFile",
    "createUpload", "addUploadPart", "completeUpload", "cancelUpload",
    "createVectorStore", "listVectorStores", "getVectorStore", "modifyVectorStore", "deleteVectorStore",
    "searchVectorStore", "createVectorStoreFile", "listVectorStoreFiles", "getVectorStoreFile",
    "updateVectorStoreFileAttributes", "deleteVectorStoreFile", "retrieveVectorStoreFileContent",
    "createVectorStoreFileBatch", "getVectorStoreFileBatch", "cancelVectorStoreFileBatch",
    "listFilesInVectorStoreBatch", "createEmbedding",
}  # fmt: skip


def test_every_served_operation_was_called_above(api, request):
    here = [item for item in request.session.items if item.path == request.path]
    if here[-1] is not request.node or len(here) < sum(
        name.startswith("test_") for name in dir(request.module)
    ):
        pytest.skip("needs all tests of this file, and before it")

    assert api.operations == SERVED
