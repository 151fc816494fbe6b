"""What the server adds: time before the first token, the rate of plain operations, memory per stream.

    python -m benchmarks.overhead

Floors in the same run: the bare engine (same model, same prompt, no server) and an empty FastAPI route
under the same uvicorn. All traffic stays on loopback; the run ends by itself after a few minutes.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.conformance.serving import Served, free_port, serving

from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, Text
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.local import TransformersEngine

ROUNDS = 30
REQUESTS = 1500
CONNECTIONS = 8
STREAMS = 200
QUESTION = "What is a token?"
EMPTY = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/empty")
async def empty() -> dict[str, str]:
    return {"status": "ok"}
@app.post("/empty")
async def empty_post(body: dict[str, str]) -> dict[str, str]:
    return {"status": "ok"}
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
"""


class Wire:
    """A plain HTTP/1.1 connection, lighter than any client library, so that the server is what is measured."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> "Wire":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    def send(self, method: str, path: str, body: object = None) -> None:
        raw = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nOpenAI-Beta: assistants=v2\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
        )
        self.writer.write(head.encode() + raw)

    async def ask(self, method: str, path: str, body: object = None) -> dict:
        self.send(method, path, body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(
            int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")
        )
        return json.loads(await self.reader.readexactly(length))

    def close(self) -> None:
        self.writer.close()


async def rate(port: int, method: str, path: str, body: object = None) -> float:
    """Requests per second over a few connections."""
    wires = [await Wire(port).open() for _ in range(CONNECTIONS)]
    for wire in wires:
        await wire.ask(method, path, body)

    async def work(wire: Wire) -> None:
        for _ in range(REQUESTS // CONNECTIONS):
            await wire.ask(method, path, body)

    began = time.perf_counter()
    await asyncio.gather(*[work(wire) for wire in wires])
    spent = time.perf_counter() - began
    for wire in wires:
        wire.close()
    return REQUESTS / spent


async def bare_engine() -> list[float]:
    """Seconds to the first text of the engine alone."""
    engine = TransformersEngine(EngineConfig())
    await engine.start()
    prompt = Prompt("bench", "m", (ChatMessage("user", QUESTION),), sampling=Sampling(temperature=0.0))
    times = []
    for _ in range(ROUNDS + 3):
        began = time.perf_counter()
        first = None
        async for part in engine.turn(prompt):
            if isinstance(part, Text) and first is None:
                first = time.perf_counter() - began
        times.append(first)
    await engine.close()
    return times[3:]


async def through_the_server(port: int) -> tuple[list[float], list[float]]:
    """Seconds to the first event and to the first text of a streamed run."""
    wire = await Wire(port).open()
    assistant = await wire.ask("POST", "/v1/assistants", {"model": "m", "temperature": 0.0})
    wire.close()
    body = {
        "assistant_id": assistant["id"],
        "thread": {"messages": [{"role": "user", "content": QUESTION}]},
        "stream": True,
    }
    events, texts = [], []
    for _ in range(ROUNDS + 3):
        wire = await Wire(port).open()
        began = time.perf_counter()
        wire.send("POST", "/v1/threads/runs", body)
        first = text = None
        async for line in wire.reader:
            if line.startswith(b"event:") and first is None:
                first = time.perf_counter() - began
            if b"thread.message.delta" in line and text is None:
                text = time.perf_counter() - began
            if b"[DONE]" in line:
                break
        wire.close()
        events.append(first)
        texts.append(text)
    return events[3:], texts[3:]


def memory(pid: int) -> float:
    """A process's own memory in MB (its private pages)."""
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean", "Private_Dirty")):
            total += int(line.split()[1])
    return total / 1024


async def many_streams(served: Served) -> dict[str, float]:
    """Opens the streams, holds them half-way, lets them end."""
    wire = await Wire(served.port).open()
    assistant = await wire.ask("POST", "/v1/assistants", {"model": "m"})
    wire.close()
    body = {
        "assistant_id": assistant["id"],
        "thread": {"messages": [{"role": "user", "content": "slowly"}]},
        "stream": True,
    }
    before = memory(served.process.pid)
    began = time.perf_counter()
    done, deltas = 0, 0
    half = asyncio.Event()

    async def one() -> None:
        nonlocal done, deltas
        wire = await Wire(served.port).open()
        wire.send("POST", "/v1/threads/runs", body)
        async for line in wire.reader:
            deltas += line.startswith(b"event: thread.message.delta")
            if deltas > STREAMS * 20:
                half.set()
            if b"[DONE]" in line:
                done += 1
                break
        wire.close()

    tasks = [asyncio.create_task(one()) for _ in range(STREAMS)]
    await half.wait()
    during = memory(served.process.pid)
    await asyncio.gather(*tasks)
    spent = time.perf_counter() - began
    return {
        "ended": done,
        "events/s": deltas / spent,
        "kB per stream": (during - before) * 1024 / STREAMS,
        "seconds": spent,
    }


def quantiles(times: list[float]) -> tuple[str, str]:
    """Median and 95th percentile in milliseconds."""
    cuts = statistics.quantiles(times, n=20)
    return f"{statistics.median(times) * 1000:.1f}", f"{cuts[-1] * 1000:.1f}"


async def main() -> None:
    """Run everything and print the tables."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        with serving(Path(folder)) as served:
            facts = served.ready()["engine"]["details"]
            idle = memory(served.process.pid), memory(facts["pid"])
            events, texts = await through_the_server(served.port)
            port = free_port()
            empty = subprocess.Popen([sys.executable, "-c", EMPTY, str(port)], env=os.environ)
            try:
                for _ in range(100):
                    try:
                        (await Wire(port).open()).close()
                        break
                    except OSError:
                        await asyncio.sleep(0.1)
                wire = await Wire(served.port).open()
                assistant = await wire.ask("POST", "/v1/assistants", {"model": "m"})
                thread = await wire.ask(
                    "POST", "/v1/threads", {"messages": [{"role": "user", "content": "x"}] * 20}
                )
                wire.close()
                rows = [
                    ("empty GET", await rate(port, "GET", "/empty"), "GET"),
                    ("empty POST", await rate(port, "POST", "/empty", {"a": "b"}), "POST"),
                    ("/health/live (no work)", await rate(served.port, "GET", "/health/live"), "GET"),
                    (
                        "getAssistant",
                        await rate(served.port, "GET", f"/v1/assistants/{assistant['id']}"),
                        "GET",
                    ),
                    ("getThread", await rate(served.port, "GET", f"/v1/threads/{thread['id']}"), "GET"),
                    (
                        "listMessages (20)",
                        await rate(served.port, "GET", f"/v1/threads/{thread['id']}/messages"),
                        "GET",
                    ),
                    ("createThread", await rate(served.port, "POST", "/v1/threads", {}), "POST"),
                    (
                        "createMessage",
                        await rate(
                            served.port,
                            "POST",
                            f"/v1/threads/{thread['id']}/messages",
                            {"role": "user", "content": "x"},
                        ),
                        "POST",
                    ),
                ]
            finally:
                empty.terminate()
                empty.wait()
    bare = await bare_engine()
    script = [{"when": "slowly", "steps": [s for n in range(60) for s in (f"w{n} ", {"pause": 0.05})]}]
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), script, max_concurrent_runs="256") as served,
    ):
        crowd = await many_streams(served)

    table = Table("first token, 1 stream", "p50 ms", "p95 ms", title="Time")
    table.add_row("bare engine: to first text", *quantiles(bare))
    table.add_row("server: request to first event", *quantiles(events))
    table.add_row("server: request to first text", *quantiles(texts))
    added = (statistics.median(texts) - statistics.median(bare)) * 1000
    table.add_row("added by the server (difference of medians)", f"{added:.1f}", "")
    console.print(table)
    floors = {"GET": rows[0][1], "POST": rows[1][1]}
    table = Table("operation", "requests/s", "÷ empty route", title=f"Rate, {CONNECTIONS} connections")
    for name, per_second, method in rows:
        table.add_row(name, f"{per_second:.0f}", f"{per_second / floors[method]:.2f}")
    console.print(table)
    table = Table("what", "value", title=f"{STREAMS} streams at once; memory")
    for name, value in crowd.items():
        table.add_row(name, f"{value:.1f}")
    table.add_row("server process idle, MB private", f"{idle[0]:.0f}")
    table.add_row("engine process idle, MB private", f"{idle[1]:.0f}")
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main())
