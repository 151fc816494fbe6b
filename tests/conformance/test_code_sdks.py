"""code_interpreter through the official Python SDKs, on a server with a real sandbox."""

import sys
from pathlib import Path

import httpx
import pytest

from tests.checks.schema import check_event, protocol_file
from tests.checks.stream_order import check_stream, parse_stream
from tests.conformance.script import CHART, SCRIPT
from tests.conformance.serving import serving
from tests.conformance.test_sdks import flows
from tests.sandbox.conftest import environment

FLOWS = Path(__file__).parent / "code_flows.py"
NODE_FLOWS = Path(__file__).parent / "node" / "code_flows.mjs"


@pytest.fixture(scope="module")
def coding_server(tmp_path_factory):
    """A server that runs code."""
    folder = tmp_path_factory.mktemp("code")
    with serving(folder, SCRIPT, sandbox="auto", sandbox_warm="0", sandbox_env=str(environment())) as served:
        yield served


@pytest.mark.parametrize("version", ["1.109.1", "3.54.0"])
def test_the_python_sdks_see_code_run(coding_server, version, request):
    python = sys.executable if version.startswith("3") else request.getfixturevalue("old_python")

    assert flows([python, str(FLOWS), coding_server.base_url]) == {
        "input": True,
        "logs": "total 8\n",
        "images": 1,
        "shown": True,
        "png": "89504e47",
        "purpose": "assistants_output",
        "outputs": ["logs", "image"],
        "link": "sandbox:/mnt/data/copy.csv",
        "linked": "region,sum\nnorth,3\nsouth,5\n",
        "second": "It was 8.",
    }


def test_the_node_sdks_see_code_run(coding_server, node_sdk):
    assert flows(["node", str(NODE_FLOWS), coding_server.base_url], node_sdk) == {
        "input": True,
        "logs": "total 8\n",
        "images": 1,
        "shown": True,
        "png": "89504e47",
        "outputs": ["logs", "image"],
        "link": "sandbox:/mnt/data/copy.csv",
        "linked": "region,sum\nnorth,3\nsouth,5\n",
        "second": "It was 8.",
    }


def test_the_stream_of_code_keeps_every_rule(coding_server):
    protocol_file("openapi.assistants.json")
    headers = {"OpenAI-Beta": "assistants=v2"}
    with httpx.Client(base_url=coding_server.base_url, headers=headers, timeout=60) as http:
        tools = {"model": "m", "tools": [{"type": "code_interpreter"}]}
        assistant = http.post("/assistants", json=tools).json()["id"]
        csv = {"file": ("sales.csv", b"region,sum\nnorth,3\n")}
        file = http.post("/files", files=csv, data={"purpose": "assistants"}).json()["id"]
        attachment = {"file_id": file, "tools": [{"type": "code_interpreter"}]}
        asked = {"role": "user", "content": "Draw a bar chart.", "attachments": [attachment]}
        body = {"assistant_id": assistant, "thread": {"messages": [asked]}, "stream": True}
        raw = http.post("/threads/runs", json=body).content

    events = check_stream(parse_stream(raw))

    for name, data in events:
        check_event(name, data)
    deltas = [data["delta"]["content"][0] for name, data in events if name == "thread.message.delta"]
    assert [(delta["index"], delta["type"]) for delta in deltas][:2] == [(0, "image_file"), (1, "text")]
    code = [data for name, data in events if name == "thread.run.step.delta"]
    calls = [data["delta"]["step_details"]["tool_calls"][0]["code_interpreter"] for data in code]
    inputs = [call["input"] for call in calls if call.get("input")]
    assert "".join(inputs) == CHART
    assert len(inputs) > 10
    assert code[0]["delta"]["step_details"]["tool_calls"][0]["code_interpreter"] == {
        "input": "",
        "outputs": [],
    }
