"""What grows must not get slower: a thread of many messages, a database of many runs.

    python -m benchmarks.scale [--rounds 30] [--runs 100000] [--database-url URL]

The rows are written straight into the database; then a server over it is asked over HTTP. "Run start" is the time from the
request to the first word of a scripted engine. Each column is the median; the ratio is to the smallest size of the same row.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from tests.conformance.serving import serving

from assistants_api.domain import ids
from assistants_api.domain.assistant import Assistant
from assistants_api.domain.message import Message, text_part
from assistants_api.domain.run import NewRun, Run, RunStatus
from assistants_api.domain.thread import Thread
from assistants_api.store.database import Database
from assistants_api.store.opening import migrate, open_database, sqlite_url
from assistants_api.store.wake import Wake

BETA = {"OpenAI-Beta": "assistants=v2"}
MESSAGES = (10, 100, 1000, 5000)
_BATCH = 2000


async def _assistant(db: Database) -> Assistant:
    assistant = Assistant(
        ids.new("asst"), datetime.now(UTC), "m", None, None, None, (), {}, {}, None, None, "auto", None
    )
    async with db.begin() as tx:
        await tx.assistants.add(assistant)
    return assistant


async def _thread(db: Database, messages: int) -> str:
    """A thread of so many messages, the last of them by the user."""
    now = datetime.now(UTC)
    thread = Thread(ids.new("thread"), now, {}, {})
    async with db.begin() as tx:
        await tx.threads.add(thread)
        for number in range(messages):
            role = "assistant" if (messages - number) % 2 == 0 else "user"
            words = f"Message {number}: " + "some words of a conversation " * 4
            await tx.messages.add(Message(ids.new("msg"), now, thread.id, role, (text_part(words),)))
    return thread.id


async def _runs(db: Database, assistant: Assistant, number: int) -> None:
    """So many runs that have ended, ten on each thread, each with a message."""
    then = datetime.now(UTC) - timedelta(days=1)
    left = number
    while left > 0:
        async with db.begin() as tx:
            for _ in range(min(left, _BATCH) // 10):
                thread = Thread(ids.new("thread"), then, {}, {})
                await tx.threads.add(thread)
                for _ in range(10):
                    run = Run.start(
                        ids.new("run"), thread, assistant, NewRun(assistant.id), "m", timedelta(600), then
                    )
                    run = run.to(RunStatus.IN_PROGRESS, then).to(RunStatus.COMPLETED, then)
                    await tx.runs.add(run)
                    await tx.messages.add(
                        Message(
                            ids.new("msg"), then, thread.id, "assistant", (text_part("Yes."),), run_id=run.id
                        )
                    )
        left -= _BATCH


def _median(rounds: int, work: Callable[[], float]) -> float:
    return statistics.median(work() for _ in range(rounds))


def _timed(http: httpx.Client, method: str, path: str, body: Any = None) -> float:
    began = time.perf_counter()
    response = http.request(method, path, json=body)
    spent = time.perf_counter() - began
    assert response.status_code == 200, response.text
    return spent


def _first_word(http: httpx.Client, thread: str, assistant: str) -> float:
    began = time.perf_counter()
    first = 0.0
    body = {"assistant_id": assistant, "stream": True}
    with http.stream("POST", f"/threads/{thread}/runs", json=body) as response:
        for line in response.iter_lines():
            if not first and line == "event: thread.message.delta":
                first = time.perf_counter() - began
    assert first, "the run said nothing"
    return first


def _measured(http: httpx.Client, assistant: str, thread: str, rounds: int) -> dict[str, float]:
    path = f"/threads/{thread}"
    message = {"role": "user", "content": "And this?"}
    oldest = http.get(f"{path}/messages", params={"order": "asc", "limit": 1}).json()["data"][0]["id"]
    return {
        "list messages, newest": _median(rounds, lambda: _timed(http, "GET", f"{path}/messages")),
        "list messages, from the oldest": _median(
            rounds, lambda: _timed(http, "GET", f"{path}/messages?order=asc&after={oldest}")
        ),
        "list runs of the thread": _median(rounds, lambda: _timed(http, "GET", f"{path}/runs")),
        "list threads": _median(rounds, lambda: _timed(http, "GET", "/threads")),
        "create message": _median(rounds, lambda: _timed(http, "POST", f"{path}/messages", message)),
        "run start to first word": _median(rounds, lambda: _first_word(http, thread, assistant)),
    }


def _print(title: str, columns: list[str], measured: list[dict[str, float]]) -> None:
    table = Table(title, *columns, "largest ÷ smallest")
    for name in measured[0]:
        row = [each[name] for each in measured]
        table.add_row(name, *(f"{1000 * value:.1f} ms" for value in row), f"{row[-1] / row[0]:.2f}")
    Console(width=140).print(table)


async def _filled(url: str, runs: int, threads: tuple[int, ...]) -> tuple[str, list[str]]:
    await migrate(url)
    db = await open_database(url, Wake())
    try:
        assistant = await _assistant(db)
        if runs:
            await _runs(db, assistant, runs)
        return assistant.id, [await _thread(db, messages) for messages in threads]
    finally:
        await db.close()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--database-url", help="an empty PostgreSQL database; else SQLite files")
    given = parser.parse_args()

    def asked(runs: int, threads: tuple[int, ...]) -> list[dict[str, float]]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            url = given.database_url or sqlite_url(folder)
            assistant, made = asyncio.run(_filled(url, runs, threads))
            settings = {"database_url": given.database_url} if given.database_url else {}
            with (
                serving(folder, json.loads('[{"when": "", "steps": ["Yes."]}]'), **settings) as served,
                httpx.Client(base_url=served.base_url, headers=BETA, timeout=60) as http,
            ):
                return [_measured(http, assistant, thread, given.rounds) for thread in made]

    _print("messages in the thread", [f"{number:,}" for number in MESSAGES], asked(0, MESSAGES))
    sizes = [given.runs // 100, given.runs // 10, given.runs]
    if given.database_url:  # it grows; SQLite files are made anew
        sizes = [sizes[0], sizes[1] - sizes[0], sizes[2] - sizes[1]]
    measured = [asked(size, (10,))[0] for size in sizes]
    shown = [given.runs // 100, given.runs // 10, given.runs]
    _print("runs in the database", [f"{number:,}" for number in shown], measured)


if __name__ == "__main__":
    main()
