"""The doors apart, and a model that cannot load: plain processes, as an operator would run them."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.checks.stream_order import check_stream, parse_stream
from tests.conformance.script import SCRIPT
from tests.conformance.serving import ELSEWHERE, Served, free_port, serving, start
from tests.conftest import POSTGRES, fresh_postgres

BETA = {"OpenAI-Beta": "assistants=v2"}


def ask(base_url: str, text: str = "Hello", **given) -> list:
    with httpx.Client(base_url=base_url, headers=BETA, timeout=60) as http:
        assistant = http.post("/assistants", json={"model": "m"}).json()
        body = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": text}]}}
        response = http.post("/threads/runs", json={**body, "stream": True, **given})
        assert response.status_code == 200, response.text
        return check_stream(parse_stream(response.content))


@pytest.mark.postgres
@pytest.mark.timeout(120)
async def test_two_servers_and_a_worker_share_one_postgresql(tmp_path):
    if POSTGRES is None:
        if os.environ.get("CI"):
            pytest.fail("in CI PostgreSQL must be there: set ASSISTANTS_TEST_POSTGRES_URL")
        pytest.skip("needs a PostgreSQL server: set ASSISTANTS_TEST_POSTGRES_URL")
    (tmp_path / "script.json").write_text(json.dumps(SCRIPT))
    async with fresh_postgres() as url:
        environment = {
            "ASSISTANTS_DATA_DIR": str(tmp_path),
            "ASSISTANTS_DATABASE_URL": url,
            "ASSISTANTS_ENGINE": "scripted",
            "ASSISTANTS_SCRIPT": str(tmp_path / "script.json"),
        }
        servers = [start(environment, arguments=["--no-worker"]) for _ in range(2)]
        worker = subprocess.Popen(
            [sys.executable, "-m", "assistants_api", "worker"],
            env={**os.environ, **environment},
            cwd=ELSEWHERE,
        )
        try:
            for served in servers:
                served.ready()
            events = ask(servers[0].base_url)
            run = events[-1][1]
            path = f"{servers[1].base_url}/threads/{run['thread_id']}/runs/{run['id']}/events"
            seen_elsewhere = check_stream(parse_stream(httpx.get(path, headers=BETA, timeout=30).content))
            slow = ask(servers[1].base_url, "chinese")
        finally:
            worker.send_signal(signal.SIGTERM)
            for served in servers:
                served.stop()
            ended = worker.wait(20)

        assert run["status"] == slow[-1][1]["status"] == "completed"
        assert seen_elsewhere == events
        assert ended == 0


@pytest.mark.timeout(120)
def test_two_servers_share_one_sqlite_file(tmp_path):
    with serving(tmp_path, SCRIPT) as first:
        second = start(first.environment)
        try:
            second.ready()
            both = [first, second]
            runs = [ask(served.base_url, "chinese")[-1][1] for served in (*both, *both)]
            seen = [
                [
                    check_stream(parse_stream(httpx.get(path, headers=BETA, timeout=30).content))
                    for served in both
                    for path in [f"{served.base_url}/threads/{run['thread_id']}/runs/{run['id']}/events"]
                ]
                for run in runs
            ]
        finally:
            second.stop()

    assert [run["status"] for run in runs] == ["completed"] * 4
    assert all(here == there for here, there in seen)


@pytest.mark.model
@pytest.mark.timeout(120)
def test_a_model_that_cannot_load_says_why_and_the_server_stays_up(tmp_path):
    (tmp_path / "empty").mkdir()
    served = start(
        {
            "ASSISTANTS_DATA_DIR": str(tmp_path),
            "ASSISTANTS_MODEL": str(tmp_path / "empty"),
            "ASSISTANTS_LOG_LEVEL": "warning",
        }
    )
    try:
        with httpx.Client(base_url=served.root, timeout=5) as http:
            while True:
                assert served.process.poll() is None
                try:
                    ready = http.get("/health/ready")
                except httpx.TransportError:
                    continue
                if ready.json()["engine"]["state"] == "failed":
                    break
        events = ask(served.base_url)
        reason = ready.json()["engine"]["reason"]

        assert ready.status_code == 503
        assert events[-1][0] == "thread.run.failed"
        assert events[-1][1]["last_error"]["code"] == "server_error"
        assert reason
        assert reason in events[-1][1]["last_error"]["message"]
    finally:
        served.stop()


def heard(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    """Python with these arguments, whose errors are read."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        cwd=ELSEWHERE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs these tests in the background may ignore Ctrl-C, and what it starts would inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("command", "number", "code"),
    [
        ("worker", signal.SIGINT, 130),
        ("worker", signal.SIGTERM, -signal.SIGTERM),
        ("serve", signal.SIGINT, 130),
    ],
)
def test_a_process_that_waits_for_its_database_can_be_stopped(tmp_path, command, number, code):
    environment = {
        "ASSISTANTS_DATA_DIR": str(tmp_path),
        "ASSISTANTS_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/nothing",
    }
    with heard(environment, "-m", "assistants_api", command) as process:
        assert any("waiting for PostgreSQL" in line for line in process.stderr)
        process.send_signal(number)
        said = process.stderr.read()

    assert process.returncode == code, said


def unheard(folder: Path, **how: Any) -> Served:
    """A server that nobody hears, on the script."""
    (folder / "script.json").write_text(json.dumps(SCRIPT))
    environment = {
        "ASSISTANTS_DATA_DIR": str(folder),
        "ASSISTANTS_ENGINE": "scripted",
        "ASSISTANTS_SCRIPT": str(folder / "script.json"),
        "ASSISTANTS_EMBEDDER": "hash",
        "ASSISTANTS_SANDBOX": "off",
    }
    port = free_port()
    command = [sys.executable, "-m", "assistants_api", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=ELSEWHERE, **how)
    return Served(process, port, environment)


@pytest.mark.timeout(60)
def test_a_server_whose_standard_streams_are_closed_serves_and_ends_in_order(tmp_path):
    """What else is opened first would get their numbers, and what is printed."""
    served = unheard(tmp_path, preexec_fn=partial(os.closerange, 0, 3))
    try:
        served.ready()
        streams = [os.readlink(f"/proc/{served.process.pid}/fd/{number}") for number in range(3)]
        events = ask(served.base_url)
    finally:
        served.stop()

    assert streams == [os.devnull] * 3
    assert events[-1][0] == "thread.run.completed"
    assert served.process.returncode == 0


@pytest.mark.timeout(60)
def test_a_server_goes_on_when_nobody_reads_any_more_what_it_says(tmp_path):
    """As after `serve 2>&1 | grep -m 1 serves`."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        served = unheard(tmp_path, stdout=writing, stderr=writing)
    finally:
        os.close(writing)
    try:
        served.ready()
        events = ask(served.base_url)
    finally:
        served.stop()

    assert events[-1][0] == "thread.run.completed"
    assert served.process.returncode == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", ["serve", "worker"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_something_holds_up_ends_all_the_same(tmp_path, command, number):
    """Such as a database that takes what is said and answers nothing."""
    held_up = (
        "import asyncio, signal, sys\n"
        "from assistants_api import cli\n"
        "from assistants_api.worker.worker import Worker\n"
        "async def drain(self, seconds=0.0):\n"
        "    while True:\n"
        "        try: await asyncio.Event().wait()\n"
        "        except asyncio.CancelledError: pass\n"
        "run = Worker.run\n"
        "async def heard(self):\n"
        "    print('carries', file=sys.stderr, flush=True)\n"
        "    await run(self)\n"
        "Worker.drain, Worker.run, cli._END_SECONDS = drain, heard, 0.5\n"
        "cli.app(sys.argv[1:])\n"
    )
    (tmp_path / "script.json").write_text(json.dumps(SCRIPT))
    environment = {
        "ASSISTANTS_DATA_DIR": str(tmp_path),
        "ASSISTANTS_PORT": "0",
        "ASSISTANTS_ENGINE": "scripted",
        "ASSISTANTS_SCRIPT": str(tmp_path / "script.json"),
        "ASSISTANTS_EMBEDDER": "hash",
        "ASSISTANTS_SANDBOX": "off",
        "ASSISTANTS_DRAIN_SECONDS": "0",
    }
    with heard(environment, "-c", held_up, command) as process:
        try:
            begun = "carries" if command == "worker" else "is ready"
            assert any(begun in line for line in process.stderr)
            process.send_signal(number)
            said = process.stderr.read()
        except BaseException:
            process.kill()
            raise

    assert process.returncode == 1, said
    assert "the process ends though something holds it up" in said


@pytest.mark.timeout(60)
def test_sigterm_hands_a_run_back_and_the_next_start_ends_it(tmp_path):
    with serving(tmp_path, SCRIPT, drain_seconds="0") as served:
        with httpx.Client(base_url=served.base_url, headers=BETA, timeout=30) as http:
            assistant = http.post("/assistants", json={"model": "m"}).json()
            body = {
                "assistant_id": assistant["id"],
                "thread": {"messages": [{"role": "user", "content": "slowly"}]},
            }
            run = http.post("/threads/runs", json=body).json()
            path = f"/threads/{run['thread_id']}/runs/{run['id']}"
            while not http.get(f"/threads/{run['thread_id']}/messages?run_id={run['id']}").json()["data"]:
                pass
        served.stop()
        assert served.process.returncode == 0
        again = served.again()
        try:
            again.ready()
            events = check_stream(
                parse_stream(httpx.get(f"{again.base_url}{path}/events", headers=BETA, timeout=40).content)
            )
        finally:
            again.stop()

    text = next(data for name, data in events if name == "thread.message.completed")["content"][0]["text"][
        "value"
    ]
    assert text == "".join(f"word{n} " for n in range(200))


@pytest.mark.postgres
@pytest.mark.timeout(120)
async def test_a_chat_goes_on_when_its_worker_is_killed(tmp_path):
    if POSTGRES is None:
        if os.environ.get("CI"):
            pytest.fail("in CI PostgreSQL must be there: set ASSISTANTS_TEST_POSTGRES_URL")
        pytest.skip("needs a PostgreSQL server: set ASSISTANTS_TEST_POSTGRES_URL")
    said = [f"word{n} " for n in range(200)]
    # The first worker never comes to the end, however late it is killed.
    scripts = {"held": [*said[:100], {"pause": 3600}], "whole": said}
    for name, steps in scripts.items():
        (tmp_path / f"{name}.json").write_text(json.dumps([steps]))
    async with fresh_postgres() as url:
        environment = {
            "ASSISTANTS_DATA_DIR": str(tmp_path),
            "ASSISTANTS_DATABASE_URL": url,
            "ASSISTANTS_ENGINE": "scripted",
            "ASSISTANTS_SCRIPT": str(tmp_path / "whole.json"),
        }

        def worker(script: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "assistants_api", "worker"]
            path = {"ASSISTANTS_SCRIPT": str(tmp_path / f"{script}.json")}
            return subprocess.Popen(command, env={**os.environ, **environment, **path}, cwd=ELSEWHERE)

        served = start(environment, arguments=["--no-worker"])
        workers = [worker("held")]
        body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
        chunks = []
        try:
            served.ready()
            with httpx.stream(
                "POST", f"{served.base_url}/chat/completions", json=body, timeout=60
            ) as response:
                for line in response.iter_lines():
                    if not line.startswith("data: {"):
                        continue
                    chunks.append(json.loads(line.removeprefix("data: ")))
                    if len(chunks) == 20:
                        workers[0].kill()
                        workers.append(worker("whole"))
        finally:
            for each in workers:
                each.terminate()
            served.stop()
            codes = [each.wait(20) for each in workers]

    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == "".join(said)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert codes == [-signal.SIGKILL, 0]
