"""Input that no client should send: the right 4xx in the envelope, and nothing half-written."""

import re

import pytest

from assistants_api.domain.prompt import Text
from assistants_api.engine.scripted import ScriptedEngine
from tests.api.conftest import client_over, made, refusal

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"not json",
        b'{"model": NaN}',
        b'{"model": Infinity}',
        b'{"model": "m", "temperature": 1e999}',
        b"\xff\xfe{}",
        b'{"model": "m"} trailing',
        b"",
        b'{"a":' * 100_000,
        b"9" * 5000,
    ],
)
async def test_what_is_not_json_is_refused(http, raw):
    response = await http.post("/v1/assistants", content=raw, headers=JSON)

    status, message, _, _ = refusal(response)
    assert status == 400
    assert message.startswith("We could not parse the JSON body of your request.") or "nested" in message


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"3", b"null"])
async def test_a_body_is_an_object(http, raw):
    assert refusal(await http.post("/v1/assistants", content=raw, headers=JSON))[3] == "invalid_type"


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b'{"model": "m", "name": "\\ud800"}', "name"),
        (b'{"model": "m", "metadata": {"a": "x\\u0000y"}}', "metadata.a"),
        (
            b'{"model": "m", "tools": [{"type": "function", "function": {"name": "f", "parameters": {"\\udfff": 1}}}]}',
            None,
        ),
    ],
)
async def test_text_that_cannot_be_stored_is_refused(http, raw, param):
    status, _, where, _ = refusal(await http.post("/v1/assistants", content=raw, headers=JSON))

    assert status == 400
    assert param is None or where == param


async def test_whole_surrogate_pairs_are_text(http):
    raw = b'{"model": "m", "name": "\\ud83d\\ude00"}'

    assert (await http.post("/v1/assistants", content=raw, headers=JSON)).json()["name"] == "\U0001f600"


async def test_deep_nesting_is_refused(http):
    deep: dict = {}
    for _ in range(80):
        deep = {"a": deep}
    tool = {"type": "function", "function": {"name": "f", "parameters": deep}}

    response = await http.post("/v1/assistants", json={"model": "m", "tools": [tool]})

    assert refusal(response)[:2] == (400, "The JSON body is nested deeper than 64 levels.")


async def test_large_bodies_are_refused_before_they_are_read(http):
    response = await http.post("/v1/assistants", json={"model": "m", "instructions": "x" * 9_000_000})

    assert refusal(response)[0::3] == (413, "request_too_large")


async def test_an_image_that_is_not_there_is_refused(http):
    part = {"type": "image_file", "image_file": {"file_id": "file-none"}}
    thread = await made(http, "/v1/threads")

    for url, body in (
        (f"/v1/threads/{thread['id']}/messages", {"role": "user", "content": [part]}),
        ("/v1/threads", {"messages": [{"role": "user", "content": [part]}]}),
    ):
        assert refusal(await http.post(url, json=body))[:2] == (404, "No such File object: file-none")


async def test_the_longest_text_fits_though_it_is_escaped(http):
    thread = await made(http, "/v1/threads")

    message = await made(
        http, f"/v1/threads/{thread['id']}/messages", role="user", content="\U0001f600" * 256_000
    )

    assert len(message["content"][0]["text"]["value"]) == 256_000


async def test_forms_are_not_json(http):
    response = await http.post("/v1/assistants", files={"file": b"x"})

    assert refusal(response)[0] == 400


async def test_json_without_a_content_type_is_read(http):
    response = await http.post("/v1/threads", content=b'{"metadata": {"a": "b"}}')

    assert response.json()["metadata"] == {"a": "b"}


async def test_a_bad_message_leaves_no_thread_behind(http):
    response = await http.post(
        "/v1/threads",
        json={"messages": [{"role": "user", "content": "ok"}, {"role": "system", "content": "x"}]},
    )

    assert refusal(response)[2:] == ("messages[1].role", "invalid_value")
    assert (await http.get("/v1/threads")).json()["data"] == []


async def test_a_run_that_cannot_start_adds_no_message(http):
    assistant = await made(http, "/v1/assistants", model="m", tools=[{"type": "code_interpreter"}])
    thread = await made(http, "/v1/threads")
    body = {"assistant_id": assistant["id"], "additional_messages": [{"role": "user", "content": "x"}]}

    response = await http.post(f"/v1/threads/{thread['id']}/runs", json=body)

    assert refusal(response)[0] == 400
    assert (await http.get(f"/v1/threads/{thread['id']}/messages")).json()["data"] == []


@pytest.mark.parametrize("path", ["/v1/threads/thread_%00", "/v1/assistants?after=%00"])
async def test_nul_in_a_url_is_refused(http, path):
    assert refusal(await http.get(path))[0] == 400


async def test_slashes_that_clients_double_or_trail_are_forgiven(http):
    assert (await http.get("/v1//assistants")).status_code == 200
    assert (await http.get("/v1/assistants/")).status_code == 200
    assert (await http.get("//openai//v1//assistants?api-version=1")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/threads//runs",
        "/v1/threads//messages",
        "/openai//threads//runs",
        "/v1//threads//runs/run_a/steps",
    ],
)
async def test_an_empty_id_is_no_other_operation(http, path):
    assistant = await made(http, "/v1/assistants", model="m", instructions="Be brief.")

    response = await http.post(path, json={"assistant_id": assistant["id"]})

    told = path.replace("//threads", "/threads")
    assert refusal(response) == (404, f"Invalid URL (POST {told})", None, None)
    assert (await http.get("/v1/threads")).json()["data"] == []


UNIQUE = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}, "required": ["a"]}
ODD = {"type": "no-such-type"}
# What validation libraries make of an address: a pattern that looks ahead.
EMAIL = {
    "type": "object",
    "properties": {"e": {"type": "string", "format": "email", "pattern": "^(?!\\.).+@.+$"}},
}


def named(schema, strict):
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": strict}}


def function(schema, strict):
    return [{"type": "function", "function": {"name": "f", "parameters": schema, "strict": strict}}]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"response_format": named(UNIQUE, True)}, "response_format", "'answer': .*uniqueItems"),
        ({"response_format": named(ODD, True)}, "response_format", "'answer': .*no-such-type"),
        ({"response_format": named(ODD, False)}, "response_format", "'answer': .*no-such-type"),
        ({"tools": function(UNIQUE, True)}, "tools[0].function.parameters", "function 'f': .*uniqueItems"),
        ({"response_format": named(UNIQUE, False)}, None, None),
        ({"response_format": named(EMAIL, False)}, None, None),
        ({"response_format": named(EMAIL, True)}, "response_format", "'answer': .*look-around"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": None}}},
            None,
            None,
        ),
        ({"tools": function(UNIQUE, False)}, None, None),
        ({"response_format": {"type": "json_object"}}, None, None),
    ],
)
async def test_schemas_that_cannot_be_enforced_are_refused_before_anything_runs(
    sqlite_db, fields, param, words
):
    engine = ScriptedEngine([[Text('{"a": []}')]] * 9, enforces_schemas=True)
    async with client_over(sqlite_db, engine) as http:
        assistant = await made(http, "/v1/assistants", model="m", **fields)
        asked = {"messages": [{"role": "user", "content": "Hi"}]}
        run = await http.post("/v1/threads/runs", json={"assistant_id": assistant["id"], "thread": asked})
        if param is None:
            assert run.status_code == 200
            return
        completion = await http.post("/v1/chat/completions", json={"model": "m", **asked, **fields})

        for response in (run, completion):
            status, message, at, _ = refusal(response)
            assert (status, at) == (400, param)
            assert re.search(f"Invalid schema for .*{words}", message)
            assert "\n" not in message
        assert engine.prompts == []
