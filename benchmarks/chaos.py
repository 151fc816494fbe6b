"""Processes are killed under load, one after another, and everything that was promised is checked.

    python -m benchmarks.chaos [--kills 300] [--seed 1] [--database sqlite] [--engine scripted] [--restart CMD]

A server and two workers carry the runs of a few clients, who stream, lose their line, come back with the id of the last
event they have, and send again whatever was not answered, with its idempotency key. Meanwhile `kill -9` strikes a server,
a worker, the engine's process (`--engine bundled`), or PostgreSQL: all of its connections, or the whole server by the
command `--restart`. The order and the pauses come from the seed.

Checked at each end and once more when all is over: every acknowledged write is there, every run is final, no thread is
locked, each stream is byte for byte what a later reader gets, its events are numbered without a gap, no tool step was done
twice, and each text is the text of an undisturbed run. Prints a table; exits with 1 when anything was broken.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from rich.console import Console
from rich.table import Table
from tests.conformance.serving import ELSEWHERE, start
from tests.e2e.topology import database as new_postgres

BETA = {"OpenAI-Beta": "assistants=v2"}
PATIENCE = 120.0
ENDED = {"completed", "incomplete", "failed", "cancelled", "expired"}
# A run that three workers in turn were killed over ends so, by design.
POISONED = "was lost by"

WORDS = 40
COUNTED = "".join(f"{n} " for n in range(WORDS))
COUNTING = [step for n in range(WORDS) for step in (f"{n} ", {"pause": 0.03})]
SCRIPT: list[Any] = [
    {"when": "count", "steps": COUNTING},
    {"when": "weather", "steps": [{"call": "get_weather", "arguments": {"city": "Oslo"}}]},
    {"when": "sunny", "steps": COUNTING},
    {"when": "look up", "steps": [{"call": "file_search", "arguments": {"query": "zebra"}}]},
    {"when": "The zebra", "steps": COUNTING},
]
FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
# What is asked, and the kinds of the steps that answer it.
SCRIPTED = {
    "Please count.": ["message_creation"],
    "How is the weather?": ["function", "message_creation"],
    "Please look up the animal.": ["file_search", "message_creation"],
}
ASKED_OF_THE_MODEL = (
    "What is artificial intelligence?",
    "What is self-attention?",
    "What is a large language model?",
)


@dataclass
class Report:
    """What happened; `violations` is empty when every promise was kept."""

    kills: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    gaps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cuts: int = 0
    repeats: int = 0
    seconds: float = 0.0


class House:
    """A server without a worker, some workers, and who can be killed of them."""

    def __init__(self, environment: dict[str, str], workers: int, strike: Callable[[], None] | None) -> None:
        self.environment = environment
        self.server = start(environment, arguments=["--no-worker"])
        self.workers = [self._worker() for _ in range(workers)]
        self._strike = strike
        self.kinds = ["server", "worker", *(["database"] if strike else [])]
        if environment.get("ASSISTANTS_ENGINE") != "scripted":
            self.kinds.append("engine")

    def _worker(self) -> "subprocess.Popen[bytes]":
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ASSISTANTS_")}
        return subprocess.Popen(
            [sys.executable, "-m", "assistants_api", "worker"],
            env={**clean, **self.environment},
            cwd=ELSEWHERE,
        )

    def kill(self, kind: str, chance: random.Random) -> bool:
        """Strike; what was killed is started again, but for an engine: its worker does that."""
        match kind:
            case "server":
                self.server.kill()
                self.server = start(self.environment, self.server.port, ["--no-worker"])
            case "worker":
                place = chance.randrange(len(self.workers))
                self.workers[place].kill()
                self.workers[place].wait()
                self.workers[place] = self._worker()
            case "engine":
                engines = [pid for worker in self.workers for pid in _children(worker.pid)]
                if not engines:
                    return False
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(engines), signal.SIGKILL)
            case _:
                assert self._strike is not None
                self._strike()
        return True

    def stop(self) -> None:
        for worker in self.workers:
            worker.terminate()
        self.server.stop()
        for worker in self.workers:
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def _children(pid: int) -> list[int]:
    """The engine processes of a worker."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(each) for each in found if b"engine" in _command(int(each))]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Storm:
    """The kills, the clients that live through them, and what both have noted."""

    def __init__(
        self, house: House, seed: int, expected: dict[str, str], steps: dict[str, list[str]]
    ) -> None:
        self.house = house
        self.seed = seed
        self.expected = expected
        self.steps = steps
        self.report = Report()
        self.assistant = ""
        self.threads: list[str] = []
        self.struck: list[tuple[float, str]] = []
        self.is_over = threading.Event()
        self._lock = threading.Lock()

    def broken(self, what: str) -> None:
        with self._lock:
            self.report.violations.append(what)

    def request(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """The answer's body; sent again, under the same key, until there is one."""
        headers = BETA if key is None else {**BETA, "Idempotency-Key": key}
        until = time.monotonic() + PATIENCE
        last = ""
        while time.monotonic() < until:
            try:
                url = f"{self.house.server.base_url}{path}"
                response = httpx.request(method, url, json=body, headers=headers, timeout=20)
            except httpx.HTTPError as error:
                last = repr(error)
            else:
                if response.status_code == 200:
                    return response.json()
                last = f"{response.status_code} {response.text}"
                if response.status_code < 500 and response.status_code not in (409, 429):
                    break
            with self._lock:
                self.report.repeats += 1
            time.sleep(0.1)
        raise Broken(f"{method} {path}: {last}")

    def strike(self, kills: int) -> None:
        """Kill, pause, kill: as the seed says."""
        chance = random.Random(self.seed)
        while sum(self.report.kills.values()) < kills:
            kind = chance.choice(self.house.kinds)
            time.sleep(chance.uniform(0.5, 4.0))
            now = time.monotonic()
            if self.house.kill(kind, chance):
                self.struck.append((now, kind))
                self.report.kills[kind] += 1

    def check_all(self) -> None:
        """Once more, now that nothing happens any more."""
        for thread in self.threads:
            try:
                self.request("GET", f"/threads/{thread}")
                for run in self.request("GET", f"/threads/{thread}/runs")["data"]:
                    if run["status"] not in ENDED:
                        self.broken(f"{run['id']} is {run['status']} for ever")
                self.request("POST", f"/threads/{thread}/messages", {"role": "user", "content": "Free?"})
            except Broken as broken:
                self.broken(str(broken))


class Broken(Exception):
    """A promise was not kept."""


class Client(threading.Thread):
    """Asks one thing after another, and checks every answer."""

    def __init__(self, storm: Storm, number: int) -> None:
        super().__init__(name=f"client-{number}")
        self._storm = storm
        self._chance = random.Random(f"{storm.seed} {number}")
        self._serial = 0
        self._last_token: float | None = None

    def run(self) -> None:
        while not self._storm.is_over.is_set():
            try:
                self._ask(self._chance.choice(list(self._storm.expected)))
            except Broken as broken:
                self._storm.broken(str(broken))
            except Exception as error:  # a client that falls silent would prove nothing
                self._storm.broken(f"{self.name}: {error!r}")

    def _key(self) -> str:
        self._serial += 1
        return f"{self.name}-{self._serial}"

    def _ask(self, words: str) -> None:
        storm = self._storm
        messages = [{"role": "user", "content": words}]
        thread = storm.request("POST", "/threads", {"messages": messages}, self._key())["id"]
        storm.threads.append(thread)
        frames: list[bytes] = []
        body = {"assistant_id": storm.assistant, "stream": True, "temperature": 0.0}
        key = self._key()
        until = time.monotonic() + PATIENCE
        while not frames or _status(frames) not in ENDED:
            if time.monotonic() > until:
                raise Broken(f"thread {thread} saw no end: {frames[-1:]!r}")
            if not frames:
                self._read("POST", f"/threads/{thread}/runs", frames, body, key)
                continue
            path = f"/threads/{thread}/runs/{_run(frames)['id']}"
            self._read("GET", f"{path}/events?after={_seq(frames[-1])}", frames)
            if _status(frames) == "requires_action":
                run = storm.request("GET", path)
                if run["status"] == "requires_action":
                    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
                    outputs = [{"tool_call_id": call["id"], "output": "sunny"} for call in calls]
                    storm.request(
                        "POST", f"{path}/submit_tool_outputs", {"tool_outputs": outputs}, self._key()
                    )
        self._check(thread, words, frames)

    def _read(
        self, method: str, path: str, frames: list[bytes], body: Any = None, key: str | None = None
    ) -> None:
        """Add every whole event that comes, until the stream ends, is cut, or an action is required."""
        url = f"{self._storm.house.server.base_url}{path}"
        headers = BETA if key is None else {**BETA, "Idempotency-Key": key}
        rest = b""
        try:
            with httpx.stream(method, url, json=body, headers=headers, timeout=30) as response:
                if response.status_code != 200:
                    text = response.read().decode()
                    if response.status_code < 500 and response.status_code not in (409, 429):
                        raise Broken(f"{method} {path}: {response.status_code} {text}")
                    time.sleep(0.1)
                    return
                for piece in response.iter_raw():
                    *whole, rest = (rest + piece).split(b"\n\n")
                    for frame in whole:
                        if b"\nid: " in frame:
                            self._hear(frame)
                            frames.append(frame)
                    if frames and _status(frames) == "requires_action":
                        return
        except httpx.HTTPError:
            self._storm.report.cuts += 1
            time.sleep(0.05)

    def _hear(self, frame: bytes) -> None:
        """Note how long each kill kept this client from its next word."""
        if not frame.startswith(b"event: thread.message.delta"):
            if not frame.startswith(b"event: thread.run.step.delta"):
                self._last_token = None
            return
        now = time.monotonic()
        if self._last_token is not None:
            for at, kind in list(self._storm.struck):
                if self._last_token < at <= now:
                    self._storm.report.gaps[kind].append(now - at)
        self._last_token = now

    def _check(self, thread: str, words: str, frames: list[bytes]) -> None:
        storm = self._storm
        run = _run(frames)
        path = f"/threads/{thread}/runs/{run['id']}"
        if [_seq(frame) for frame in frames] != list(range(1, len(frames) + 1)):
            raise Broken(f"{run['id']}: events {[_seq(frame) for frame in frames]}")
        again: list[bytes] = []
        while not again or _status(again) not in ENDED:
            self._read("GET", f"{path}/events?after={_seq(again[-1]) if again else 0}", again)
        if again != frames:
            raise Broken(f"{run['id']}: a later reader gets other bytes")
        stored = storm.request("GET", path)
        if stored["status"] != _status(frames):
            raise Broken(f"{run['id']} is {stored['status']}, its stream said {_status(frames)}")
        if stored["status"] != "completed":
            message = (stored["last_error"] or {}).get("message", "")
            if POISONED not in message:
                raise Broken(f"{run['id']} is {stored['status']}: {message}")
            storm.report.runs["given up after three workers"] += 1
            return
        steps = storm.request("GET", f"{path}/steps?order=asc")["data"]
        kinds = [
            call["type"] if call else step["type"]
            for step in steps
            for call in (step["step_details"].get("tool_calls") or [None])
        ]
        if kinds != storm.steps[words] or any(step["status"] != "completed" for step in steps):
            raise Broken(f"{run['id']}: steps {kinds}, {[step['status'] for step in steps]}")
        messages = storm.request("GET", f"/threads/{thread}/messages?order=asc")["data"]
        text = "".join(part["text"]["value"] for part in messages[-1]["content"])
        shown = "".join(
            part["text"]["value"]
            for frame in frames
            if frame.startswith(b"event: thread.message.delta")
            for part in _data(frame)["delta"]["content"]
        )
        if len(messages) != 2 or not text == shown == storm.expected[words]:
            raise Broken(f"{run['id']}: {len(messages)} messages, {text!r}, shown {shown!r}")
        storm.report.runs["completed"] += 1


def _data(frame: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(frame.split(b"data: ", 1)[1].split(b"\n", 1)[0])
    return found


def _seq(frame: bytes) -> int:
    return int(frame.rpartition(b"\nid: ")[2].split(b"\n")[0])


def _run(frames: list[bytes]) -> dict[str, Any]:
    return next(data for data in map(_data, frames) if data["object"] == "thread.run")


def _status(frames: list[bytes]) -> str:
    """The run's status by the last event that tells one."""
    for frame in reversed(frames):
        if frame.startswith(b"event: thread.run.") and not frame.startswith(b"event: thread.run.step."):
            status: str = _data(frame)["status"]
            return status
    return "queued"


@contextmanager
def _environment(
    folder: Path, database: str, engine: str, restart: str | None
) -> Iterator[tuple[dict[str, str], Callable[[], None] | None]]:
    """Settings of every process, and how the database is struck where that can be."""
    environment = {
        "ASSISTANTS_DATA_DIR": str(folder),
        "ASSISTANTS_SANDBOX": "off",
        "ASSISTANTS_LOG_LEVEL": "error",
        "ASSISTANTS_EMBEDDER": "hash",
    }
    if engine == "scripted":
        (folder / "script.json").write_text(json.dumps(SCRIPT))
        environment |= {
            "ASSISTANTS_ENGINE": "scripted",
            "ASSISTANTS_SCRIPT": str(folder / "script.json"),
        }
    if database == "sqlite":
        yield environment, None
        return
    with new_postgres() as url:

        def strike() -> None:
            if restart is not None:
                subprocess.run(restart, shell=True, check=True, stdout=subprocess.DEVNULL)
            else:
                _cut_connections(url)

        yield {**environment, "ASSISTANTS_DATABASE_URL": url}, strike


def _cut_connections(url: str) -> None:
    """PostgreSQL ends every connection to this database, as a restart does."""
    import asyncio

    import asyncpg

    async def cut() -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        finally:
            await connection.close()

    asyncio.run(cut())


def storm(
    folder: Path,
    *,
    kills: int,
    seed: int,
    database: Literal["sqlite", "postgresql"] = "sqlite",
    engine: Literal["scripted", "bundled"] = "scripted",
    clients: int = 4,
    workers: int = 2,
    restart: str | None = None,
) -> Report:
    """Let it rage; returns what happened."""
    with _environment(folder, database, engine, restart) as (environment, strike):
        house = House(environment, workers, strike)
        try:
            house.server.ready()
            if engine == "scripted":
                expected, steps = dict.fromkeys(SCRIPTED, COUNTED), SCRIPTED
            else:
                expected, steps = {}, {words: ["message_creation"] for words in ASKED_OF_THE_MODEL}
            raging = Storm(house, seed, expected, steps)
            _furnish(raging, engine)
            began = time.monotonic()
            asking = [Client(raging, number) for number in range(clients)]
            for client in asking:
                client.start()
            try:
                raging.strike(kills)
            finally:
                raging.is_over.set()
                for client in asking:
                    client.join()
            raging.report.seconds = time.monotonic() - began
            raging.check_all()
            return raging.report
        finally:
            house.stop()


def _furnish(raging: Storm, engine: str) -> None:
    """The assistant, what it searches, and what undisturbed runs say."""
    if engine == "scripted":
        form = {"files": {"file": ("zoo.txt", b"The zebra is striped.")}, "data": {"purpose": "assistants"}}
        root = raging.house.server.base_url
        file = httpx.post(f"{root}/files", timeout=30, **form).json()["id"]  # type: ignore[arg-type]
        store = raging.request("POST", "/vector_stores", {"file_ids": [file]})["id"]
        while raging.request("GET", f"/vector_stores/{store}")["status"] != "completed":
            time.sleep(0.1)
        fields: dict[str, Any] = {
            "tools": [FUNCTION, {"type": "file_search"}],
            "tool_resources": {"file_search": {"vector_store_ids": [store]}},
        }
    else:
        fields = {}
    raging.assistant = raging.request("POST", "/assistants", {"model": "m", **fields})["id"]
    if engine == "bundled":
        for words in ASKED_OF_THE_MODEL:
            thread = {"messages": [{"role": "user", "content": words}]}
            body = {"assistant_id": raging.assistant, "thread": thread, "temperature": 0.0}
            run = raging.request("POST", "/threads/runs", body)
            path = f"/threads/{run['thread_id']}"
            while raging.request("GET", f"{path}/runs/{run['id']}?wait=10")["status"] not in ENDED:
                pass
            [answer, _] = raging.request("GET", f"{path}/messages")["data"]
            raging.expected[words] = answer["content"][0]["text"]["value"]


def _percentile(values: list[float], share: float) -> str:
    if not values:
        return "-"
    ordered = sorted(values)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))]:.2f} s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--engine", choices=["scripted", "bundled"], default="scripted")
    parser.add_argument("--restart", help="command that restarts PostgreSQL; else its connections are cut")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = storm(
            Path(folder),
            kills=given.kills,
            seed=given.seed,
            database=given.database,
            engine=given.engine,
            clients=given.clients,
            restart=given.restart,
        )
    table = Table(
        f"killed ({given.database}, {given.engine})",
        "times",
        "streams in the middle",
        "next word, p50",
        "p95",
    )
    for kind, times in sorted(report.kills.items()):
        gaps = report.gaps[kind]
        table.add_row(kind, str(times), str(len(gaps)), _percentile(gaps, 0.5), _percentile(gaps, 0.95))
    console = Console()
    console.print(table)
    ends = ", ".join(f"{number} {end}" for end, number in report.runs.items())
    console.print(
        f"{sum(report.runs.values())} runs in {report.seconds:.0f} s: {ends}; {report.cuts} streams cut and"
        f" resumed, {report.repeats} requests repeated; {len(report.violations)} promises broken."
    )
    for violation in report.violations[:20]:
        console.print(f"  {violation}", markup=False)
    sys.exit(1 if report.violations else 0)


if __name__ == "__main__":
    main()
