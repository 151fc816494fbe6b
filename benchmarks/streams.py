"""Streams: cut and resumed at random; and very many at once on one server process.

    python -m benchmarks.streams [--cuts 1000] [--streams 1000] [--rate 3] [--seconds 60] [--stalled 0.5]

The first part reads the streams of runs in short pieces, each from another of two server processes over one database, goes
on after the id of the last whole event, and compares every byte with an uncut reading. The second part has as many runs as
streams, each of which says `--rate` words a second; every word is the time at which the engine said it, so that its age when
a client has read it is the whole way: engine, worker, database commit, log, socket. Some of the readers then stall: they
open a stream and never read. Memory is that of the server process, which works and serves.
"""

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from tests.conformance.serving import Served, free_port, serving, start

BETA = {"OpenAI-Beta": "assistants=v2"}
WORDS = 120
COUNTING = [step for n in range(WORDS) for step in (f"{n} ", {"pause": 0.01})]


# --- cuts ---------------------------------------------------------------------------------------------------------


async def _cut_reading(urls: list[str], path: str, chance: random.Random, cuts: list[int]) -> bytes:
    """The stream of a run, read in pieces that end wherever chance wills."""
    read, last = b"", 0
    while not read.endswith(b"data: [DONE]\n\n"):
        budget = chance.randrange(1, 12_000)
        raw = b""
        url = f"{chance.choice(urls)}{path}"
        headers = {**BETA, "Last-Event-ID": str(last)} if chance.random() < 0.5 else BETA
        parameters = {} if "Last-Event-ID" in headers else {"after": last}
        async with (
            httpx.AsyncClient(timeout=60) as http,
            http.stream("GET", url, params=parameters, headers=headers) as response,
        ):
            assert response.status_code == 200
            async for piece in response.aiter_raw(chance.choice((17, 256, 4096))):
                raw += piece
                if len(raw) >= budget:
                    raw = raw[:budget]
                    break
        cuts[0] += not raw.endswith(b"data: [DONE]\n\n")
        whole, end, _ = raw.rpartition(b"\n\n")  # nothing, where the cut fell into the first event
        raw = whole + end
        read += raw
        if b"\nid: " in raw:
            last = int(raw.rpartition(b"\nid: ")[2].split(b"\n")[0])
    return read


async def _all_cut(urls: list[str], wanted: int, seed: int) -> tuple[int, int, int]:
    """How often streams were cut, how many there were, and how many of them differed."""
    async with httpx.AsyncClient(base_url=urls[0], headers=BETA, timeout=60) as http:
        assistant = (await http.post("/assistants", json={"model": "m"})).json()["id"]
        cuts, streams, different = [0], 0, 0
        while cuts[0] < wanted:
            paths = []
            for _ in range(8):
                body = {
                    "assistant_id": assistant,
                    "thread": {"messages": [{"role": "user", "content": "count"}]},
                }
                run = (await http.post("/threads/runs", json=body)).json()
                paths.append(f"/threads/{run['thread_id']}/runs/{run['id']}/events")
            chances = [random.Random(f"{seed} {streams} {n}") for n in range(len(paths))]
            read = await asyncio.gather(
                *(_cut_reading(urls, path, chance, cuts) for path, chance in zip(paths, chances, strict=True))
            )
            for path, raw in zip(paths, read, strict=True):
                streams += 1
                different += raw != (await http.get(path)).content
        return cuts[0], streams, different


def cut(wanted: int, seed: int) -> tuple[int, int, int]:
    """`_all_cut` over two servers on one database."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), [{"when": "count", "steps": COUNTING}]) as one,
    ):
        two = start(one.environment)
        try:
            two.ready()
            return asyncio.run(_all_cut([one.base_url, two.base_url], wanted, seed))
        finally:
            two.stop()


# --- very many ----------------------------------------------------------------------------------------------------


async def _serve(folder: Path, port: int, rate: float, seconds: float) -> None:
    """A server whose engine says the time, `rate` times a second."""
    import uvicorn

    from assistants_api.api.app import create_app
    from assistants_api.bootstrap import running
    from assistants_api.domain.prompt import Part, Prompt, Started, Stop, Text
    from assistants_api.domain.usage import Usage
    from assistants_api.engine.scripted import ScriptedEngine
    from assistants_api.settings import Settings

    async def turn(self: ScriptedEngine, prompt: Prompt) -> AsyncGenerator[Part, None]:
        yield Started(1)
        words = int(rate * seconds)
        # Not all at the same moment.
        await asyncio.sleep(random.random() / rate)
        for _ in range(words):
            yield Text(f"{time.monotonic():.6f} ", 1)
            await asyncio.sleep(1 / rate)
        yield Stop("stop", Usage(1, words))

    ScriptedEngine.turn = turn  # type: ignore[method-assign, assignment]
    (folder / "script.json").write_text("[]")
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=folder,
        engine="scripted",
        script=folder / "script.json",
        embedder="hash",
        sandbox="off",
        max_concurrent_runs=5000,
        max_waiting_runs=5000,
        run_expiry_seconds=3600,
    )
    async with running(settings) as server:
        config = uvicorn.Config(create_app(server.parts), port=port, log_level="warning", access_log=False)
        await uvicorn.Server(config).serve()


class Reader:
    """One stream over a bare socket; `ages` are the seconds from the engine's word to here."""

    def __init__(self) -> None:
        self.ages: list[float] = []
        self.is_whole = False
        self.begun = asyncio.Event()

    async def read(self, port: int, assistant: str, *, stalls: bool) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
        thread = {"messages": [{"role": "user", "content": "What is the time?"}]}
        body = json.dumps({"assistant_id": assistant, "stream": True, "thread": thread}).encode()
        head = (
            "POST /v1/threads/runs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"openai-beta: assistants=v2\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        try:
            while line := await reader.readline():
                if line.startswith(b"HTTP/1.1") and b" 200 " not in line:
                    raise AssertionError(line)
                if line.startswith(b"data: {") and b'"thread.message.delta"' in line:
                    at = line.index(b'"value":"') + 9
                    self.ages.append(time.monotonic() - float(line[at : line.index(b" ", at)]))
                    self.begun.set()
                    if stalls:
                        await asyncio.Event().wait()
                elif line.startswith(b"event: thread.run.completed"):
                    self.is_whole = True
                elif line.startswith(b"data: [DONE]"):
                    return
        finally:
            writer.close()


def _memory(pid: int) -> float:
    """Resident MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


async def _many(served: Served, streams: int, seconds: float, stalled: float) -> dict[str, Any]:
    before = _memory(served.process.pid)
    async with httpx.AsyncClient(base_url=served.base_url, headers=BETA, timeout=60) as http:
        assistant = (await http.post("/assistants", json={"model": "m"})).json()["id"]
    readers = [Reader() for _ in range(streams)]
    silent = int(streams * stalled)
    tasks = []
    for place, reader in enumerate(readers):
        stalls = place < silent
        tasks.append(asyncio.create_task(reader.read(served.port, assistant, stalls=stalls)))
        if place % 50 == 49:
            await asyncio.sleep(0.1)
    await asyncio.gather(*(reader.begun.wait() for reader in readers))
    memory = []
    began = time.monotonic()
    live = tasks[silent:]
    while not all(task.done() for task in live):
        memory.append(_memory(served.process.pid))
        await asyncio.sleep(1)
        assert time.monotonic() - began < 3 * seconds + 120, "the streams do not end"
    for task in tasks[:silent]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # What came while streams were still being opened is left out.
    ages = sorted(age for reader in readers[silent:] for age in reader.ages[3:])
    half = len(memory) // 2
    return {
        "whole": sum(reader.is_whole for reader in readers[silent:]),
        "events": len(ages),
        "p50": ages[len(ages) // 2],
        "p99": ages[int(0.99 * len(ages))],
        "kib": 1024 * (max(memory) - before) / streams,
        "early": max(memory[:half], default=before),
        "late": max(memory[half:], default=before),
    }


def many(streams: int, rate: float, seconds: float, stalled: float) -> dict[str, Any]:
    """`_many` against a server process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        arguments = [str(value) for value in ("--serve", folder, port, rate, seconds)]
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.streams", *arguments])
        served = Served(process, port, {})
        try:
            served.ready()
            return asyncio.run(_many(served, streams, seconds, stalled))
        finally:
            served.kill()


def main() -> None:
    """Print both tables."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    if sys.argv[1:2] == ["--serve"]:
        folder, port, rate, seconds = sys.argv[2:]
        asyncio.run(_serve(Path(folder), int(port), float(rate), float(seconds)))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=3.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--stalled", type=float, default=0.5)
    given = parser.parse_args()
    console = Console()
    if given.cuts:
        cuts, streams, different = cut(given.cuts, given.seed)
        console.print(
            f"{cuts} cuts in {streams} streams over two servers: {different} differ from the uncut one."
        )
    if given.streams:
        table = Table("streams", "stalled", "whole", "events read", "age p50", "p99", "per stream", "memory")
        for stalled in sorted({0.0, given.stalled}):
            found = many(given.streams, given.rate, given.seconds, stalled)
            table.add_row(
                f"{given.streams}",
                f"{stalled:.0%}",
                f"{found['whole']}",
                f"{found['events']:,}",
                f"{1000 * found['p50']:.0f} ms",
                f"{1000 * found['p99']:.0f} ms",
                f"{found['kib']:.0f} KiB",
                f"{found['early']:.0f} → {found['late']:.0f} MiB",
            )
        console.print(table)


if __name__ == "__main__":
    main()
