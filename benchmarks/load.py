"""Two replicas behind a balancer, two workers, one of the four killed every few seconds, clients of the official SDK.

    python -m benchmarks.load [--seconds 300] [--clients 4] [--every 5] [--balancer haproxy]

Each client makes a thread, adds a message, starts a run and polls it, with the SDK's own two retries, over and over; half of
the clients send an `Idempotency-Key` with every POST. An error is an exception that the SDK raised to the application; a
double is a message that is in the thread twice, because a request was sent again that had been done. Needs PostgreSQL
(`ASSISTANTS_TEST_POSTGRES_URL`) and the balancer.
"""

import argparse
import random
import tempfile
import threading
import time
import uuid
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import openai
from rich.console import Console
from rich.table import Table
from tests.e2e.topology import Topology, running

SCRIPT = [{"when": "", "steps": [step for n in range(10) for step in (f"{n} ", {"pause": 0.03})]}]


@dataclass
class Tally:
    """What clients of one kind have seen."""

    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    conversations: int = 0
    completed: int = 0
    doubles: int = 0


def _converse(client: openai.OpenAI, assistant: str, tally: Tally, *, has_keys: bool) -> None:
    def headers() -> dict[str, str]:
        tally.requests += 1
        return {"Idempotency-Key": str(uuid.uuid4())} if has_keys else {}

    beta = client.beta
    tally.conversations += 1
    thread = beta.threads.create(extra_headers=headers())
    beta.threads.messages.create(thread.id, role="user", content="Count.", extra_headers=headers())
    run = beta.threads.runs.create(thread.id, assistant_id=assistant, extra_headers=headers())
    until = time.monotonic() + 60
    while run.status in ("queued", "in_progress") and time.monotonic() < until:
        time.sleep(0.2)
        tally.requests += 1
        run = beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    tally.completed += run.status == "completed"
    tally.requests += 1
    said = beta.threads.messages.list(thread.id).data
    tally.doubles += sum(message.role == "user" for message in said) - 1


def _client(
    topology: Topology, assistant: str, tally: Tally, is_over: threading.Event, has_keys: bool
) -> None:
    with openai.OpenAI(base_url=topology.base_url, api_key="sk-test", timeout=30) as client:
        while not is_over.is_set():
            try:
                _converse(client, assistant, tally, has_keys=has_keys)
            except openai.OpenAIError as error:
                tally.errors[f"{type(error).__name__}: {str(error)[:80]}"] += 1


def _strike(topology: Topology, chance: random.Random) -> str:
    kind = chance.choice(["replica", "worker"])
    place = chance.randrange(2)
    if kind == "replica":
        killed = topology.replicas[place]
        killed.kill()
        topology.replicas[place] = killed.again()
    else:
        worker = topology.workers[place]
        worker.kill()
        worker.wait()
        topology.worker()
        topology.workers[place] = topology.workers.pop()
    return kind


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--every", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--balancer", choices=["haproxy", "nginx"], default="haproxy")
    given = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    chance = random.Random(given.seed)
    tallies = {False: Tally(), True: Tally()}
    kills: Counter[str] = Counter()
    is_over = threading.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), given.balancer, SCRIPT) as topology,
    ):
        with openai.OpenAI(base_url=topology.base_url, api_key="sk-test") as client:
            assistant = client.beta.assistants.create(model="m").id
        threads = [
            threading.Thread(target=_client, args=(topology, assistant, tallies[has_keys], is_over, has_keys))
            for place in range(given.clients)
            for has_keys in [place % 2 == 1]
        ]
        for thread in threads:
            thread.start()
        until = time.monotonic() + given.seconds
        while time.monotonic() < until:
            time.sleep(given.every)
            kills[_strike(topology, chance)] += 1
        is_over.set()
        for thread in threads:
            thread.join()
    table = Table("clients", "requests", "errors", "rate", "conversations", "completed", "doubles")
    for has_keys, tally in tallies.items():
        errors = sum(tally.errors.values())
        table.add_row(
            "with Idempotency-Key" if has_keys else "as they come",
            f"{tally.requests:,}",
            str(errors),
            f"{errors / max(tally.requests, 1):.2%}",
            str(tally.conversations),
            str(tally.completed),
            str(tally.doubles),
        )
    console = Console(width=130)
    console.print(table)
    console.print(f"Killed in {given.seconds:.0f} s: {dict(kills)}.")
    for has_keys, tally in tallies.items():
        for words, number in tally.errors.most_common(5):
            console.print(f"  {'keys' if has_keys else 'none'}: {number} x {words}", markup=False)


if __name__ == "__main__":
    main()
