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
    path.write_text(httpx.get(f"{server.root}/openapi.json").text)
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
