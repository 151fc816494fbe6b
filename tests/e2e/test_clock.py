"""Workers whose clocks are a day wrong: only the database's clock decides about leases and deadlines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conformance.serving import ELSEWHERE, start
from tests.e2e.topology import BETA, database

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
COUNTED = "".join(f"{n} " for n in range(20))
COUNTING = [step for n in range(20) for step in (f"{n} ", {"pause": 0.1})]


def worker(environment: dict[str, str], shift: str) -> "subprocess.Popen[bytes]":
    """A worker whose wall clock is off by so much."""
    faked = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": shift, "DONT_FAKE_MONOTONIC": "1"} if shift else {}
    command = [sys.executable, "-m", "assistants_api", "worker"]
    return subprocess.Popen(command, env={**os.environ, **environment, **faked}, cwd=ELSEWHERE)


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.timeout(120)
@pytest.mark.parametrize("shifts", [("+1d", ""), ("-1d", "+1d")], ids=["ahead", "behind"])
def test_a_worker_with_a_wrong_clock_carries_and_takes_over_like_any_other(tmp_path, shifts):
    if not LIBRARY.exists():
        pytest.skip("needs libfaketime from the distribution's packages")
    (tmp_path / "script.json").write_text(json.dumps([{"when": "count", "steps": COUNTING}]))
    with database() as url:
        environment = {
            "ASSISTANTS_DATABASE_URL": url,
            "ASSISTANTS_DATA_DIR": str(tmp_path),
            "ASSISTANTS_ENGINE": "scripted",
            "ASSISTANTS_SCRIPT": str(tmp_path / "script.json"),
            "ASSISTANTS_SANDBOX": "off",
            "ASSISTANTS_EMBEDDER": "hash",
        }
        served = start(environment, arguments=["--no-worker"])
        workers = [worker(environment, shift) for shift in shifts]
        try:
            served.ready()
            with httpx.Client(base_url=served.base_url, headers=BETA, timeout=60) as http:
                assistant = http.post("/assistants", json={"model": "m"}).json()["id"]
                body = {
                    "assistant_id": assistant,
                    "thread": {"messages": [{"role": "user", "content": "count"}]},
                }
                runs = [http.post("/threads/runs", json=body).json() for _ in range(6)]
                paths = [f"/threads/{run['thread_id']}/runs/{run['id']}" for run in runs]
                with http.stream("GET", f"{paths[0]}/events") as stream:
                    for line in stream.iter_lines():
                        if line == "event: thread.message.delta":
                            break
                workers[0].kill()
                for run, path in zip(runs, paths, strict=True):
                    ended = http.get(path, params={"wait": 50}).json()
                    assert (ended["status"], ended["last_error"]) == ("completed", None)
                    said = http.get(f"/threads/{run['thread_id']}/messages").json()["data"][0]
                    assert said["content"][0]["text"]["value"] == COUNTED
                    assert ended["expires_at"] is None
                    assert abs(ended["completed_at"] - ended["created_at"]) < 60
        finally:
            for each in workers:
                each.kill()
                each.wait()
            served.stop()
