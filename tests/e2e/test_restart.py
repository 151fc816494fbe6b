"""A server that is asked to stop: it says so first, lets what runs end, and loses no word of the rest."""

import json
import signal
import socket
import threading
from http.client import HTTPConnection

import httpx
import pytest

from tests.checks.stream_order import check_stream, parse_stream
from tests.conformance.serving import Served, serving, start

BETA = {"OpenAI-Beta": "assistants=v2"}
WITH_IDS = {**BETA, "Accept": "text/event-stream"}
COUNTED = "".join(f"{n} " for n in range(60))
STEPS = [step for n in range(60) for step in (f"{n} ", {"pause": 0.03})]
SCRIPT = [{"when": "count", "steps": STEPS}]
HELD = [{"when": "count", "steps": [*STEPS[:60], {"pause": 3600}]}]


class Stream:
    """A streamed run, read line by line; `after(n)` waits for the n-th piece of its text."""

    def __init__(self, served: Served) -> None:
        with httpx.Client(base_url=served.base_url, headers=BETA, timeout=60) as http:
            assistant = http.post("/assistants", json={"model": "m"}).json()
        thread = {"messages": [{"role": "user", "content": "count"}]}
        self.body = {"assistant_id": assistant["id"], "thread": thread, "stream": True}
        self.url = f"{served.base_url}/threads/runs"
        self.raw = b""
        self.run: dict = {}
        self._pieces = 0
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with httpx.stream("POST", self.url, json=self.body, headers=WITH_IDS, timeout=60) as response:
            for line in response.iter_lines():
                self.raw += line.encode() + b"\n"
                if not self.run and line.startswith("data: {"):
                    data = json.loads(line[6:])
                    self.run = data if data["object"] == "thread.run" else {}
                with self._news:
                    self._pieces += line.startswith("event: thread.message.delta")
                    self._news.notify_all()

    def after(self, pieces: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self._pieces >= pieces, timeout=30)

    def whole(self) -> bytes:
        self._thread.join(30)
        return self.raw


def text_of(events: list) -> str:
    return next(data for name, data in events if name == "thread.message.completed")["content"][0]["text"][
        "value"
    ]


@pytest.mark.timeout(60)
def test_sigterm_lets_what_runs_end_and_says_first_that_the_server_is_not_ready(tmp_path):
    # For so long it answers, however soon the run ends.
    with serving(tmp_path, SCRIPT, drain_notice_seconds="3") as served:
        stream = Stream(served)
        stream.after(3)
        served.process.send_signal(signal.SIGTERM)
        while (ready := httpx.get(f"{served.root}/health/ready")).status_code == 200:
            pass
        live = httpx.get(f"{served.root}/health/live")
        stopping = ready.json()["status"]
        events = check_stream(parse_stream(stream.whole()))
        code = served.process.wait(20)

    assert (ready.status_code, stopping, live.status_code) == (503, "stopping", 200)
    assert text_of(events) == COUNTED
    assert events[-1][0] == "thread.run.completed"
    assert code == 0


@pytest.mark.timeout(60)
def test_a_request_on_a_connection_from_before_the_stop_is_answered_to_its_end(tmp_path):
    """A balancer has connected, and the server stops before the request is there."""
    served = start(
        {
            "ASSISTANTS_DATA_DIR": str(tmp_path),
            "ASSISTANTS_DRAIN_NOTICE_SECONDS": "2",
            "ASSISTANTS_LOG_LEVEL": "warning",
        },
        arguments=["--no-worker"],
    )
    served.ready()
    early = HTTPConnection("127.0.0.1", served.port, timeout=10)
    early.request("GET", "/health/live")
    first = early.getresponse()
    first.read()
    served.process.send_signal(signal.SIGTERM)
    while is_listening(served.port):
        pass
    early.request("GET", "/health/live")
    second = early.getresponse()
    second.read()
    code = served.process.wait(20)

    assert (first.status, first.getheader("connection")) == (200, None)
    assert (second.status, second.getheader("connection")) == (200, "close")
    assert code == 0


def is_listening(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("number", "drain_seconds"), [(signal.SIGTERM, "0"), (signal.SIGINT, "3600")])
def test_a_stream_that_is_cut_by_a_restart_says_so_and_goes_on_after_it_byte_for_byte(
    tmp_path, number, drain_seconds
):
    with serving(tmp_path, HELD, drain_seconds=drain_seconds) as served:
        stream = Stream(served)
        stream.after(10)
        served.process.send_signal(number)
        code = served.process.wait(20)
        first = stream.whole()
        shown, mark, rest = first.partition(b"event: error\n")
        last_id = shown.rpartition(b"id: ")[2].split(b"\n")[0].decode()
        (tmp_path / "script.json").write_text(json.dumps(SCRIPT))

        again = served.again()
        try:
            again.ready()
            path = f"{again.base_url}/threads/{stream.run['thread_id']}/runs/{stream.run['id']}/events"
            later = httpx.get(path, headers={**BETA, "Last-Event-ID": last_id}, timeout=60).content
            uncut = httpx.get(path, headers=BETA, timeout=60).content
        finally:
            again.stop()

    assert code == 0
    assert mark
    assert json.loads(rest.split(b"\n")[0].removeprefix(b"data: "))["error"]["code"] == "server_stopping"
    assert b"[DONE]" not in first
    assert shown + later == uncut
    assert text_of(check_stream(parse_stream(uncut))) == COUNTED


@pytest.mark.timeout(60)
def test_a_second_sigterm_ends_the_server_at_once(tmp_path):
    with serving(tmp_path, [[{"pause": 3600}]], drain_seconds="3600") as served:
        stream = Stream(served)
        while not stream.run:
            pass
        served.process.send_signal(signal.SIGTERM)
        while httpx.get(f"{served.root}/health/ready").status_code == 200:
            pass
        served.process.send_signal(signal.SIGTERM)

        assert served.process.wait(20) == 0
        stream.whole()
