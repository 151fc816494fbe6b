"""Every row of the error table that this version can reach, in the service's own words."""

import json
import re

import pytest

from assistants_api.domain.prompt import ToolCall
from assistants_api.engine.scripted import ScriptedEngine
from tests.api.conftest import made, refusal

GONE = "A" * 24


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"/v1/assistants/asst_{GONE}", f"No assistant found with id 'asst_{GONE}'."),
        (f"/v1/threads/thread_{GONE}", f"No thread found with id 'thread_{GONE}'."),
        (f"/v1/threads/thread_{GONE}/messages", f"No thread found with id 'thread_{GONE}'."),
        (f"/v1/threads/thread_{GONE}/runs", f"No thread found with id 'thread_{GONE}'."),
    ],
)
async def test_what_is_not_there_is_404_by_name(http, path, message):
    assert refusal(await http.get(path)) == (404, message, None, None)


async def test_parts_of_a_thread_belong_to_that_thread(http):
    thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "Hi"}])
    other = await made(http, "/v1/threads")
    message = (await http.get(f"/v1/threads/{thread['id']}/messages")).json()["data"][0]
    assistant = await made(http, "/v1/assistants", model="m")
    run = await made(http, f"/v1/threads/{thread['id']}/runs", assistant_id=assistant["id"])

    foreign_message = await http.get(f"/v1/threads/{other['id']}/messages/{message['id']}")
    foreign_run = await http.get(f"/v1/threads/{other['id']}/runs/{run['id']}")
    no_step = await http.get(f"/v1/threads/{thread['id']}/runs/{run['id']}/steps/step_{GONE}")

    assert refusal(foreign_message)[:2] == (404, f"No message found with id '{message['id']}'.")
    assert refusal(foreign_run)[:2] == (404, f"No run found with id '{run['id']}'.")
    assert refusal(no_step)[:2] == (404, f"No run step found with id 'step_{GONE}'.")


async def test_an_id_with_the_wrong_prefix_is_named(http):
    response = await http.get("/v1/threads/undefined")

    assert refusal(response) == (
        400,
        "Invalid 'thread_id': 'undefined'. Expected an ID that begins with 'thread'.",
        "thread_id",
        "invalid_value",
    )


async def test_an_active_run_locks_its_thread(http):
    assistant = await made(http, "/v1/assistants", model="m")
    thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "Hi"}])
    path = f"/v1/threads/{thread['id']}"
    run = await made(http, f"{path}/runs", assistant_id=assistant["id"])

    second = await http.post(f"{path}/runs", json={"assistant_id": assistant["id"]})
    message = await http.post(f"{path}/messages", json={"role": "user", "content": "And?"})

    held = r"It is queued, \d+ s old, and ends in (600|599|598) s at the latest\."
    locked = rf"Thread {thread['id']} already has an active run {run['id']}\. {held}"
    busy = rf"Can't add messages to {thread['id']} while a run {run['id']} is active\. {held}"
    for response, words in [(second, locked), (message, busy)]:
        status, said, param, code = refusal(response)
        assert (status, param, code) == (400, None, None)
        assert re.fullmatch(words, said)


async def test_a_run_needs_something_to_answer(http):
    assistant = await made(http, "/v1/assistants", model="m")
    thread = await made(http, "/v1/threads")

    response = await http.post(
        f"/v1/threads/{thread['id']}/runs", json={"assistant_id": assistant["id"], "stream": True}
    )

    assert response.headers["content-type"] == "application/json"
    assert refusal(response) == (
        400,
        "Run creation requires a Thread with a user message or an assistant with instructions.",
        None,
        "invalid_thread",
    )


async def test_outputs_are_only_taken_when_they_are_wanted(open_client):
    async with open_client() as http:
        assistant = await made(http, "/v1/assistants", model="m")
        run = await made(
            http,
            "/v1/threads/runs",
            assistant_id=assistant["id"],
            thread={"messages": [{"role": "user", "content": "x"}]},
        )
        path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}"

        early = await http.post(f"{path}/submit_tool_outputs", json={"tool_outputs": []})
        cancelled = await http.post(f"{path}/cancel")
        again = await http.post(f"{path}/cancel")

        assert refusal(early)[:2] == (400, 'Runs in status "queued" do not accept tool outputs.')
        assert cancelled.json()["status"] == "cancelling"
        assert refusal(again)[:2] == (400, "Cannot cancel run with status 'cancelled'.")


async def test_outputs_are_bounded_together(http):
    """Tools that shorten what they return look for these words."""
    half = "é" * (256 * 512)
    path = "/v1/threads/thread_x/runs/run_x/submit_tool_outputs"

    async def sent(*outputs):
        calls = [{"tool_call_id": f"call_{n}", "output": output} for n, output in enumerate(outputs)]
        return refusal(await http.post(path, json={"tool_outputs": calls}))

    words = "'tool_outputs' too large: the combined tool outputs must be less than 512kb."
    assert await sent(half, half) == (400, words, "tool_outputs", "invalid_value")
    assert (await sent(half, half[:-1]))[0] == 404


async def test_missing_outputs_are_listed(open_client):
    script = [[ToolCall("call_X", "f", "{}"), ToolCall("call_Y", "f", "{}")]]
    tool = {"type": "function", "function": {"name": "f"}}
    async with open_client(ScriptedEngine(script), works=True) as http:
        assistant = await made(http, "/v1/assistants", model="m", tools=[tool])
        thread = {"messages": [{"role": "user", "content": "x"}]}
        created = await http.post(
            "/v1/threads/runs", json={"assistant_id": assistant["id"], "thread": thread, "stream": True}
        )
        first = next(
            line for line in created.text.splitlines() if "thread.run" in line and line.startswith("data")
        )
        run = json.loads(first[6:])

        response = await http.post(
            f"/v1/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs",
            json={"tool_outputs": [{"tool_call_id": "call_Y", "output": "1"}]},
        )

        expected = "Expected tool outputs for call_ids ['call_X', 'call_Y'], got ['call_Y']"
        assert refusal(response) == (400, expected, None, None)


@pytest.mark.parametrize("path", ["/v1/assistants", "/v1/threads/thread_x"])
async def test_the_beta_header_is_asked_for(http, path):
    missing = await http.get(path, headers={"OpenAI-Beta": ""})
    old = await http.get(path, headers={"OpenAI-Beta": "assistants=v1"})
    listed = await http.get("/v1/assistants", headers={"OpenAI-Beta": "other=1, assistants=v2"})

    assert refusal(missing)[1].startswith("You must provide the 'OpenAI-Beta' header")
    assert refusal(old)[1].startswith("The v1 Assistants API has been deprecated.")
    assert refusal(missing)[0::3] == refusal(old)[0::3] == (400, "invalid_beta")
    assert listed.status_code == 200


async def test_the_beta_header_may_come_in_several_lines(http):
    lines = [("OpenAI-Beta", "assistants=v2"), ("OpenAI-Beta", "realtime=v1")]

    for headers in (lines, lines[::-1]):
        request = http.build_request("GET", "/v1/assistants", headers=headers)
        assert (await http.send(request)).status_code == 200


async def test_models_need_no_beta_header(http):
    assert (await http.get("/v1/models", headers={"OpenAI-Beta": ""})).status_code == 200


async def test_keys_are_asked_for_where_there_are_any(open_client):
    async with open_client(api_keys=("sk-abcdefghijklmnopqrstuvwxyz",)) as http:
        missing = await http.get("/v1/models")
        wrong = await http.get("/v1/models", headers={"Authorization": "Bearer sk-abXXXXXXXXXXXXXXXXyz"})
        right = await http.get(
            "/v1/models", headers={"Authorization": "Bearer sk-abcdefghijklmnopqrstuvwxyz"}
        )
        azure = await http.get("/openai/models", headers={"api-key": "sk-abcdefghijklmnopqrstuvwxyz"})
        denied = await http.get("/openai/models", headers={"api-key": "nope"})
        live = await http.get("/health/live")

        assert refusal(missing)[:2] == (401, "Missing bearer or basic authentication in header")
        status, message, _, code = refusal(wrong)
        assert (status, code) == (401, "invalid_api_key")
        assert message.startswith("Incorrect API key provided: sk-ab")
        assert "XXXX" not in message.split(".")[0].replace("sk-abXXX", "")
        assert right.status_code == azure.status_code == live.status_code == 200
        assert denied.status_code == 401
        assert set(denied.json()["error"]) == {"code", "message"}


INVALID = [
    ({}, "Missing required parameter: 'model'.", "model", "missing_required_parameter"),
    ({"model": "m", "file_ids": []}, "Unknown parameter: 'file_ids'.", "file_ids", "unknown_parameter"),
    (
        {"model": "m", "tool_resources": {"file_search": {"file_ids": []}}},
        "Unknown parameter: 'tool_resources.file_search.file_ids'.",
        "tool_resources.file_search.file_ids",
        "unknown_parameter",
    ),
    (
        {"model": "m", "metadata": {"modified": True}},
        "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.",
        "metadata.modified",
        "invalid_type",
    ),
    (
        {"model": "m", "metadata": {"k": "x" * 695}},
        "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got a string"
        " with length 695 instead.",
        "metadata.k",
        "string_above_max_length",
    ),
    (
        {"model": "m", "tools": [{"type": "code_interpreter"}] * 150},
        "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with"
        " length 150 instead.",
        "tools",
        "array_above_max_length",
    ),
    (
        {"model": "m", "tools": [{"type": "retrieval"}]},
        "Invalid value: 'retrieval'. Supported values are: 'code_interpreter', 'file_search', and 'function'.",
        "tools[0].type",
        "invalid_value",
    ),
    (
        {"model": "m", "tools": [{"type": "function", "function": {"parameters": {}}}]},
        "Missing required parameter: 'tools[0].function.name'.",
        "tools[0].function.name",
        "missing_required_parameter",
    ),
    (
        {"model": "m", "name": "x" * 257},
        "Invalid 'name': string too long. Expected a string with maximum length 256, but got a string with"
        " length 257 instead.",
        "name",
        "string_above_max_length",
    ),
    (
        {"model": "m", "temperature": 3},
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
        "temperature",
        "decimal_above_max_value",
    ),
    (
        {
            "model": "m",
            "tool_resources": {"file_search": {"vector_store_ids": ["vs_a"], "vector_stores": [{}]}},
        },
        "Mutually exclusive parameters: 'tool_resources.file_search.vector_store_ids' and"
        " 'tool_resources.file_search.vector_stores'.",
        "tool_resources.file_search.vector_stores",
        "mutually_exclusive_parameters",
    ),
]


@pytest.mark.parametrize(("body", "message", "param", "code"), INVALID, ids=[case[2] for case in INVALID])
async def test_wrong_fields_are_named(http, body, message, param, code):
    response = await http.post("/v1/assistants", json=body)

    assert refusal(response) == (400, message, param, code)
    assert (await http.get("/v1/assistants")).json()["data"] == []


@pytest.mark.parametrize("missing", ["file_id", "tools"])
async def test_an_attachment_names_its_file_and_its_tools(http, missing):
    """One without tools would reach no tool, and nobody would hear of it."""
    attachment = {"file_id": "file-1", "tools": [{"type": "file_search"}]}
    del attachment[missing]
    message = {"role": "user", "content": "x", "attachments": [attachment]}

    response = await http.post("/v1/threads", json={"messages": [message]})

    path = f"messages[0].attachments[0].{missing}"
    words = f"Missing required parameter: '{path}'."
    assert refusal(response) == (400, words, path, "missing_required_parameter")


async def test_numbers_in_the_query_have_bounds_and_names(http):
    above = await http.get("/v1/assistants?limit=200")
    below = await http.get("/v1/assistants?limit=0")
    words = await http.get("/v1/assistants?limit=many")
    order = await http.get("/v1/assistants?order=up")
    unknown = await http.get("/v1/assistants?offset=3")

    assert refusal(above) == (
        400,
        "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 200 instead.",
        "limit",
        "integer_above_max_value",
    )
    assert refusal(below)[3] == "integer_below_min_value"
    assert refusal(words)[1:] == (
        "Invalid type for 'limit': expected an integer, but got a string instead.",
        "limit",
        "invalid_type",
    )
    assert refusal(order)[1] == "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."
    assert refusal(unknown) == (400, "Unknown parameter: 'offset'.", "offset", "unknown_parameter")


async def test_small_token_budgets_are_refused(http):
    assistant = await made(http, "/v1/assistants", model="m", instructions="x")
    thread = await made(http, "/v1/threads")

    response = await http.post(
        f"/v1/threads/{thread['id']}/runs", json={"assistant_id": assistant["id"], "max_prompt_tokens": 16}
    )

    assert refusal(response)[1:] == (
        "Invalid 'max_prompt_tokens': integer below minimum value. Expected a value >= 256, but got 16 instead.",
        "max_prompt_tokens",
        "integer_below_min_value",
    )


async def test_what_a_run_cannot_honour_is_refused_by_name(open_client):
    async with open_client(ScriptedEngine([], has_structured_output=False)) as http:
        assistant = await made(http, "/v1/assistants", model="m", instructions="x")
        thread = await made(http, "/v1/threads")

        async def refused(**body):
            body["assistant_id"] = assistant["id"]
            return refusal(await http.post(f"/v1/threads/{thread['id']}/runs", json=body))

        code = [{"type": "code_interpreter"}]
        assert (await refused(tools=code))[2:] == ("tools[0].type", "unsupported_tool")
        taken = [{"type": "function", "function": {"name": "file_search"}}]
        assert (await refused(tools=taken))[2:] == ("tools[0].function.name", "invalid_value")
        assert (await refused(response_format={"type": "json_object"}))[3] == "unsupported_response_format"
        assert (await refused(tool_choice="required"))[2:] == ("tool_choice", "invalid_value")
        named = {"type": "function", "function": {"name": "absent"}}
        assert (await refused(tool_choice=named))[2:] == ("tool_choice", "invalid_value")
        hosted = {"type": "file_search"}
        assert (await refused(tool_choice=hosted))[2:] == ("tool_choice", "invalid_value")
        assert (await http.get(f"/v1/threads/{thread['id']}/runs")).json()["data"] == []


async def test_unknown_models_are_refused_when_aliases_are_closed(open_client):
    from datetime import UTC, datetime

    from assistants_api.domain.model import Catalogue

    closed = Catalogue("served", {"gpt-4o": "served"}, datetime.now(UTC))
    async with open_client(catalogue=closed) as http:
        refused = await http.post("/v1/assistants", json={"model": "gpt-9"})
        taken = await http.post("/v1/assistants", json={"model": "gpt-4o"})
        listed = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]
        missing = await http.get("/v1/models/org/gpt-9")

        assert refusal(refused) == (
            400,
            "The requested model 'gpt-9' does not exist.",
            "model",
            "model_not_found",
        )
        assert taken.json()["model"] == "gpt-4o"
        assert listed == ["served", "gpt-4o"]
        assert refusal(missing)[0] == 404
        assert refusal(await http.delete("/v1/models/served"))[0] == 400


async def test_unknown_urls_are_told_apart(http):
    assert refusal(await http.post("/v1/foo"))[:2] == (404, "Invalid URL (POST /v1/foo)")
    status, message, _, code = refusal(await http.post("/foo"))
    assert (status, code) == (404, "unknown_url")
    assert message.startswith("Unknown request URL: POST /foo. Please check the URL for typos")


async def test_php_clients_send_an_array_where_they_have_no_parameters(http):
    """PHP writes an empty array and an empty object alike; openai-php sends `[]` for both."""
    empty = {"content": "[]", "headers": {"content-type": "application/json"}}
    assistant = await made(http, "/v1/assistants", model="m")
    thread = await http.post("/v1/threads", **empty)
    root = f"/v1/threads/{thread.json()['id']}"
    run = await made(http, f"{root}/runs", assistant_id=assistant["id"], instructions="Help.")

    for path in (f"/v1/assistants/{assistant['id']}", root, f"{root}/runs/{run['id']}", "/v1/vector_stores"):
        assert (await http.post(path, **empty)).status_code == 200, path
    assert (await http.post(f"{root}/runs/{run['id']}/cancel", **empty)).json()["status"] == "cancelling"
    assert refusal(await http.post(root, content='[{"metadata": {}}]'))[3] == "invalid_type"


async def test_clients_send_null_where_they_have_no_body(http):
    """axios writes `null` for `post(url, null)` if the headers say JSON, and Go for a request that is nil."""
    nothing = {"content": "null", "headers": {"content-type": "application/json"}}
    assistant = await made(http, "/v1/assistants", model="m", instructions="Help.")
    thread = await http.post("/v1/threads", **nothing)
    runs = f"/v1/threads/{thread.json()['id']}/runs"
    run = await made(http, runs, assistant_id=assistant["id"])

    cancelled = await http.post(f"{runs}/{run['id']}/cancel", **nothing)

    assert cancelled.json()["status"] == "cancelling"
    assert refusal(await http.post(runs, **nothing))[3] == "invalid_type"


async def test_php_clients_number_what_they_list_in_a_query(http):
    steps = "/v1/threads/thread_1/runs/run_1/steps"
    content = "step_details.tool_calls[*].file_search.results[*].content"

    for name in ("include[]", "include[0]", "include%5B0%5D"):
        assert refusal(await http.get(f"{steps}?{name}={content}"))[0] == 404
    assert refusal(await http.get(f"{steps}?include[0]=other"))[2:] == ("include[]", "invalid_value")
    assert refusal(await http.get(f"{steps}?order[0]=asc"))[3] == "unknown_parameter"


async def test_a_wrong_method_is_told_with_the_right_ones(http):
    answer = await http.put("/v1/assistants")
    assert refusal(answer) == (405, "Invalid method for URL (PUT /v1/assistants)", None, None)
    assert answer.headers["allow"] == "GET, POST"
    assert (await http.put("/v1/assistants/asst_1")).headers["allow"] == "DELETE, GET, POST"


async def test_operations_to_come_say_so(http):
    response = await http.post("/v1/moderations", json={})

    status, message, _, code = refusal(response)
    assert (status, code) == (501, "not_implemented")
    assert "createModeration" in message
    assert response.headers["x-should-retry"] == "false"


async def test_our_own_mistakes_are_500_with_the_request_id(http, monkeypatch):
    from assistants_api.services import assistants

    async def broken(*args):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(assistants, "list_assistants", broken)

    response = await http.get("/v1/assistants")

    status, message, _, _ = refusal(response)
    assert status == 500
    assert response.headers["x-request-id"] in message
    assert "secret" not in response.text
    assert "openai-version" not in response.headers


async def test_a_queue_that_is_full_says_when_to_come_back(open_client):
    from assistants_api.services.runs import RunLimits

    async with open_client(limits=RunLimits(max_waiting=1)) as http:
        assistant = await made(http, "/v1/assistants", model="m", instructions="x")
        await made(http, "/v1/threads/runs", assistant_id=assistant["id"])

        response = await http.post("/v1/threads/runs", json={"assistant_id": assistant["id"]})

        assert refusal(response)[0::3] == (429, "rate_limit_exceeded")
        assert response.headers["retry-after"] == "1"
        assert len((await http.get("/v1/threads")).json()["data"]) == 1
