"""The official SDKs, old and new, in Python and Node, over a real socket."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FLOWS = Path(__file__).parent / "flows.py"
FILE_FLOWS = Path(__file__).parent / "file_flows.py"
NODE_FILE_FLOWS = Path(__file__).parent / "node" / "file_flows.mjs"
NODE_FLOWS = Path(__file__).parent / "node" / "flows.mjs"
CHINESE = '你好，世界。\U0001f600 done\n\n"quoted"'
CALLS = [["get_weather", {"city": "Oslo"}], ["get_weather", {"city": "Rome"}]]
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "ASSISTANTS"))
}


def flows(command: list[str], folder: Path | None = None) -> dict:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=180, cwd=folder, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("version", ["1.109.1", "3.54.0"])
def test_the_python_sdks_run_every_flow(server, version, request):
    python = sys.executable if version.startswith("3") else request.getfixturevalue("old_python")

    found = flows([python, str(FLOWS), server.base_url])

    assert found == {
        "version": version,
        "not_found": [404, "No assistant found with id ", "req_"],
        "bad_request": ["invalid_type", "model", "invalid_request_error"],
        "answer": "Hello, how can I help you today?",
        "streamed": CHINESE,
        "calls": CALLS,
        "answered_inside": "It is cold in Oslo and warm in Rome.",
        "cancelled": ["thread.run.cancelled", "cancelled", True],
        "incomplete": ["incomplete", "max_completion_tokens", 256],
        "failed": ["failed", "server_error", "The model broke."],
        "azure": "completed",
    }


@pytest.mark.parametrize("version", ["1.109.1", "3.54.0"])
def test_the_python_sdks_upload_index_search_and_cite(server, version, request):
    python = sys.executable if version.startswith("3") else request.getfixturevalue("old_python")

    found = flows([python, str(FILE_FLOWS), server.base_url])

    assert found == {
        "upload": ["completed", 10_000],
        "refused": ["unsupported_file", "file_ids"],
        "failed": ["failed", "invalid_file"],
        "batch": ["completed", 7, 7],
        "search": [1, True],
        "content": "Staff get 25 days of holiday a year.\n\nThe office closes at 18:30.",
        "polled": ["You get 25 days【0:0†source】 a year.", "handbook.md"],
        "quoted": "Staff get 25 days of holiday a year",
        "streamed": [["file_search"], [["You get 25 days【0:0†source】 a year.", ["【0:0†source】"]]]],
        "embedding": 1.0,
    }


def test_the_node_sdks_upload_index_search_and_cite(server, node_sdk):
    found = flows(["node", str(NODE_FILE_FLOWS), server.base_url], node_sdk)

    assert found == {
        "added": "completed",
        "batch": ["completed", 2],
        "search": 2,
        "calls": ["file_search"],
        "answer": "You get 25 days【0:0†source】 a year.",
        "cited": [True],
        "file": True,
        "results": True,
    }


def test_the_node_sdks_run_every_flow(server, node_sdk):
    found = flows(["node", str(NODE_FLOWS), server.base_url], node_sdk)

    assert found.pop("version") in ("4.104.0", "7.57.0")
    assert found == {
        "answer": "Hello, how can I help you today?",
        "streamed": CHINESE,
        "calls": CALLS,
        "afterOutputs": "It is cold in Oslo and warm in Rome.",
        "cancelled": "cancelled",
        "failed": ["failed", "The model broke."],
        "notFound": ["NotFoundError", 404],
    }
