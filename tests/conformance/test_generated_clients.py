"""SDKs generated from our OpenAPI document: good names, and a main flow that works."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.conformance.conftest import NODE, _need

TYPES = NODE / "types"


@pytest.fixture(scope="module")
def document(server, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_text(httpx.get(f"{server.root}/openapi.json", timeout=60).text)
    return path


def test_the_document_says_what_generators_need(document):
    text = document.read_text()
    made = json.loads(text)
    ids = [operation["operationId"] for path in made["paths"].values() for operation in path.values()]
    run = made["paths"]["/v1/threads/{thread_id}/runs"]["post"]

    assert len(ids) == len(set(ids))
    assert {"createAssistant", "createThreadAndRun", "submitToolOuputsToRun", "streamRunEvents"} <= set(ids)
    assert set(run["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert made["components"]["schemas"]["AssistantStreamEvent"]["discriminator"]["propertyName"] == "event"
    assert "HTTPValidationError" not in text
    assert {
        json.dumps(reply["content"])
        for path in made["paths"].values()
        for operation in path.values()
        for status, reply in operation["responses"].items()
        if status != "200"
    } == {'{"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}}'}
    assert not [name for name in made["components"]["schemas"] if name.endswith(("-Input", "-Output"))]


def test_no_default_of_the_document_would_be_refused(document):
    made = json.loads(document.read_text())
    resource = Resource.from_contents(made, default_specification=DRAFT202012)
    registry = Registry().with_resource("urn:document", resource)

    refused = []
    for name, schema in made["components"]["schemas"].items():
        for field in schema.get("properties", {}):
            pointer = f"urn:document#/components/schemas/{name}/properties/{field}"
            default = schema["properties"][field].get("default", ...)
            validator = Draft202012Validator({"$ref": pointer}, registry=registry)
            if default is not ... and not validator.is_valid(default):
                refused.append((name, field, default))

    assert refused == []


def test_every_schema_of_the_document_has_a_plain_name_and_a_use(document):
    text = document.read_text()

    names = list(json.loads(text)["components"]["schemas"])

    assert [name for name in names if not name.isalnum()] == []
    assert [name for name in names if f"New{name}" in names] == []  # what Go calls the makers of `name`
    assert [name for name in names if f'"#/components/schemas/{name}"' not in text] == []


def _nodes(node):
    if isinstance(node, dict):
        yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(part)


def test_unions_have_names_where_they_are_met_again_and_hold_no_unions(document):
    made = json.loads(document.read_text())
    unions = [node for node in _nodes(made) if "oneOf" in node]
    told = [node for node in unions if "discriminator" in node]
    named = made["components"]["schemas"]

    # openapi-generator's TypeScript for a union in a union, or in an array in one, does not compile.
    inner = [part for union in unions for part in union["oneOf"]]
    assert [part for part in inner if "oneOf" in part or "oneOf" in part.get("items", {})] == []
    assert [union for union in told if union not in named.values()] == []
    # Zod knows a union by a discriminator only where it does not hold itself.
    assert '#/components/schemas/Filter"' in json.dumps(named["CompoundFilter"])
    assert "discriminator" not in named["Filter"]
    assert {"Tool", "ToolChoice", "ResponseFormat", "MessageContent", "RunStepDetails"} <= set(named)
    assert len({json.dumps(schema) for schema in named.values()}) == len(named)


def _shape(schema):
    """What is left of a schema without its names and constants."""
    if isinstance(schema, dict):
        told = {
            key: part for key, part in schema.items() if key not in ("title", "description", "const", "enum")
        }
        return {key: _shape(part) for key, part in told.items()}
    return schema


def test_members_of_a_union_differ_in_more_than_a_constant_unless_it_tells_them_apart(document):
    made = json.loads(document.read_text())
    named = made["components"]["schemas"]
    unions = [node["oneOf"] for node in _nodes(made) if "oneOf" in node and "discriminator" not in node]
    shapes = [
        [_shape(named[part["$ref"].rpartition("/")[2]] if "$ref" in part else part) for part in union]
        for union in unions
    ]

    assert len(unions) > 3
    assert [members for members in shapes if any(members.count(shape) > 1 for shape in members)] == []


def test_types_are_named_by_where_they_stand_and_not_by_a_field_alone(document):
    schemas = json.loads(document.read_text())["components"]["schemas"]

    assert [name for name, schema in schemas.items() if schema["title"] != name] == []
    parts = [node for schema in schemas.values() for part in schema.values() for node in _nodes(part)]
    assert [node for node in parts if isinstance(node.get("title"), str)] == []


def test_numbers_are_as_wide_as_they_may_be(document):
    schemas = json.loads(document.read_text())["components"]["schemas"]
    numbers = [node for node in _nodes(schemas) if node.get("type") == "number"]
    limits = [node for node in _nodes(schemas) if node.get("type") == "integer" and "format" not in node]
    wide = [
        ("OpenAIFile", "bytes"),
        ("CreateUploadRequest", "bytes"),
        ("VectorStoreObject", "usage_bytes"),
        ("Details", "parameters"),
        ("CreateChatCompletionRequest", "seed"),
    ]

    assert {number.get("format") for number in numbers} == {"double"}
    assert [
        field for name, field in wide if '"int64"' not in json.dumps(schemas[name]["properties"][field])
    ] == []
    assert [limit for limit in limits if not -(2**31) <= limit.get("minimum", 0) <= 2**31] == []


def test_what_is_deleted_is_a_boolean_and_no_word(document):
    schemas = json.loads(document.read_text())["components"]["schemas"]
    deleted = [
        schema["properties"]["deleted"]
        for schema in schemas.values()
        if "deleted" in schema.get("properties", {})
    ]

    assert deleted == [{"type": "boolean"}] * len(deleted) != []


def test_bytes_texts_and_filters_have_types_that_generators_know(document):
    made = json.loads(document.read_text())
    download = made["paths"]["/v1/files/{file_id}/content"]["get"]["responses"]["200"]["content"]
    texts = made["components"]["schemas"]["CreateEmbeddingRequest"]["properties"]["input"]["oneOf"]
    code = made["components"]["schemas"]["RunStepDetailsToolCallsCodeObject"]["properties"][
        "code_interpreter"
    ]

    assert download == {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    assert [text["type"] for text in texts] == ["string", "array"]
    assert code == {"$ref": "#/components/schemas/CodeCall"}
    for path in ("/v1/threads", "/v1/chat/completions"):
        [filter] = [each for each in made["paths"][path]["get"]["parameters"] if each["name"] == "metadata"]
        assert (filter["style"], filter["explode"]) == ("deepObject", True)


def test_a_generated_python_client_runs_the_main_flow(document, server, tmp_path, monkeypatch):
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document)]
    done = subprocess.run(
        [*command, "--output-path", str(tmp_path / "made"), "--meta", "none"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "made").rename(tmp_path / "generated_client")
    monkeypatch.syspath_prepend(str(tmp_path))
    client_module = importlib.import_module("generated_client")
    models = importlib.import_module("generated_client.models")

    def operation(tag: str, name: str):
        return importlib.import_module(f"generated_client.api.{tag}.{name}").sync

    with client_module.Client(base_url=server.root, headers={"OpenAI-Beta": "assistants=v2"}) as client:
        assistant = operation("assistants", "create_assistant")(
            client=client, body=models.CreateAssistantRequest(model="gpt-4o")
        )
        thread = operation("threads", "create_thread")(client=client, body=models.CreateThreadRequest())
        operation("messages", "create_message")(
            thread.id,
            client=client,
            body=models.CreateMessageRequest(role=models.CreateMessageRequestRole("user"), content="Hello"),
        )
        run = operation("runs", "create_run")(
            thread.id, client=client, body=models.CreateRunRequest(assistant_id=assistant.id)
        )
        while run.status not in ("completed", "failed"):
            run = operation("runs", "get_run")(thread.id, run.id, client=client)
        listed = operation("messages", "list_messages")(thread.id, client=client)

    assert run.status == "completed"
    assert listed.data[0].content[0].text.value == "Hello, how can I help you today?"


def test_generated_typescript_types_are_good_to_use(document):
    _need(shutil.which("node") is not None and (TYPES / "node_modules").exists(), "the TypeScript tools")
    environment = {**os.environ, "PATH": f"{TYPES / 'node_modules' / '.bin'}:{os.environ['PATH']}"}

    made = subprocess.run(
        ["openapi-typescript", str(document), "-o", str(TYPES / "api.d.ts")],
        capture_output=True, text=True, env=environment, cwd=TYPES, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    checked = subprocess.run(
        ["tsc", "--strict", "--noEmit", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler", "main.ts"],
        capture_output=True, text=True, env=environment, cwd=TYPES, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout
