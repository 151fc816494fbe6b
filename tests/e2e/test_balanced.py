"""Replicas behind a balancer, workers beside them: streams pass through, and any one of them may go away."""

import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from tests.checks.stream_order import check_stream, parse_stream
from tests.e2e.topology import BETA, Topology, running

WORDS = 150
COUNTED = "".join(f"{n} " for n in range(WORDS))
WITH_IDS = {**BETA, "Accept": "text/event-stream"}
SCRIPT: list[Any] = [
    {"when": "count", "steps": [step for n in range(WORDS) for step in (f"{n} ", {"pause": 0.02})]},
    {"when": "hesitate", "steps": [*map(str, range(20)), {"pause": 4}, "and so on."]},
    {"when": "and then nothing", "steps": ["One ", {"pause": 3600}]},
    {"when": "Hello", "steps": ["Hello, how can I help you today?"]},
]

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.timeout(240),
    # The SDK marks every method of the API that we serve.
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def topology(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    folder = tmp_path_factory.mktemp(request.param)
    with running(
        folder, request.param, SCRIPT, drain_notice_seconds="3", drain_seconds="60"
    ) as running_topology:
        yield running_topology


def sdk(topology: Topology, **given: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=topology.base_url, api_key="sk-test", **given)


def ask(client: openai.OpenAI, words: str) -> tuple[str, str]:
    """The text of a streamed run as the official SDK puts it together, and the run's end."""
    assistant = client.beta.assistants.create(model="m")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": words}])
    text, status = "", ""
    for event in client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True):
        match event.event:
            case "thread.message.delta":
                [part] = event.data.delta.content or []
                assert part.type == "text"
                assert part.text is not None
                text += part.text.value or ""
            case "thread.run.completed":
                status = event.data.status
    return text, status


class Reading:
    """A streamed run, read as raw bytes until it ends or is cut."""

    def __init__(self, base_url: str, words: str) -> None:
        with httpx.Client(base_url=base_url, headers=BETA, timeout=60) as http:
            assistant = http.post("/assistants", json={"model": "m"}).json()
            thread = http.post("/threads", json={"messages": [{"role": "user", "content": words}]}).json()
        self._url = f"{base_url}/threads/{thread['id']}/runs"
        self._body = {"assistant_id": assistant["id"], "stream": True}
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self.raw = b""
        self.is_cut = False
        self._thread.start()

    def _read(self) -> None:
        try:
            with httpx.stream("POST", self._url, json=self._body, headers=WITH_IDS, timeout=60) as response:
                for piece in response.iter_raw():
                    with self._news:
                        self.raw += piece
                        self._news.notify_all()
        except httpx.HTTPError:
            self.is_cut = True

    def after(self, pieces: int) -> "Reading":
        with self._news:
            wanted = b"event: thread.message.delta"
            assert self._news.wait_for(lambda: self.raw.count(wanted) >= pieces, timeout=30)
        return self

    def whole(self) -> bytes:
        """Every whole event that came."""
        self._thread.join(60)
        return self.raw[: self.raw.rfind(b"\n\n") + 2]

    @property
    def run(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw.split(b"data: ", 1)[1].split(b"\n", 1)[0])
        return found


def last_id(raw: bytes) -> str:
    return raw.rpartition(b"\nid: ")[2].split(b"\n")[0].decode()


def events_at(base_url: str, run: dict[str, Any], after: str | None = None) -> bytes:
    """The run's stream from after this id to its end."""
    headers = BETA if after is None else {**BETA, "Last-Event-ID": after}
    path = f"{base_url}/threads/{run['thread_id']}/runs/{run['id']}/events"
    response = httpx.get(path, headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    return response.content


def test_the_official_sdk_streams_a_run_through_the_balancer(topology):
    with sdk(topology, max_retries=0) as client:
        assert ask(client, "count") == (COUNTED, "completed")


def test_a_stream_is_not_held_back_until_it_is_whole(topology):
    """The one word of a run that never ends arrives: neither of the two waits for a full buffer."""
    reading = Reading(topology.base_url, "and then nothing").after(1)
    run = reading.run
    path = f"{topology.base_url}/threads/{run['thread_id']}/runs/{run['id']}/cancel"
    assert httpx.post(path, headers=BETA).status_code == 200

    events = check_stream(parse_stream(reading.whole()))

    assert events[-1][0] == "thread.run.cancelled"


def test_a_worker_is_killed_and_another_takes_its_run_over_in_the_same_stream(topology):
    reading = Reading(topology.base_url, "count").after(10)
    killed = topology.carrier_of(reading.run["id"])
    killed.kill()
    events = check_stream(parse_stream(reading.whole()))
    topology.worker()

    text = next(data for name, data in events if name == "thread.message.completed")["content"][0]["text"]
    assert text["value"] == COUNTED
    assert events[-1][0] == "thread.run.completed"
    assert killed.wait() == -signal.SIGKILL


def test_a_replica_is_killed_and_the_client_reads_on_at_the_other_byte_for_byte(topology):
    reading = Reading(topology.base_url, "hesitate").after(10)
    killed = topology.streaming_replica()
    killed.kill()
    first = reading.whole()
    later = events_at(topology.base_url, reading.run, last_id(first))
    uncut = events_at(topology.base_url, reading.run)
    topology.replicas[topology.replicas.index(killed)] = again = killed.again()
    again.ready()

    assert reading.is_cut
    assert b"thread.run.completed" not in first
    assert first + later == uncut
    assert check_stream(parse_stream(uncut))[-1][0] == "thread.run.completed"
    assert events_at(again.base_url, reading.run) == uncut


def test_every_part_is_restarted_in_turn_under_load_and_no_client_sees_an_error(topology):
    is_over = threading.Event()
    answers: list[tuple[str, str]] = []

    def work() -> None:
        # Sending again what was never answered is the SDK's own habit; none of it may be needed.
        with sdk(topology, max_retries=0) as client:
            while not is_over.is_set():
                answers.append(ask(client, "count" if len(answers) % 2 else "Hello"))

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(work) for _ in range(4)]
        try:
            for place in range(2):
                served = topology.replicas[place]
                served.process.send_signal(signal.SIGTERM)
                assert served.process.wait(90) == 0
                topology.replicas[place] = again = served.again()
                again.ready()
            for worker in [each for each in topology.workers if each.poll() is None]:
                topology.worker()
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(90) == 0
        finally:
            is_over.set()
        for client in clients:
            client.result()

    assert {status for _, status in answers} == {"completed"}
    assert {text for text, _ in answers} == {COUNTED, "Hello, how can I help you today?"}
