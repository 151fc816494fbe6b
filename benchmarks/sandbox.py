"""What the jail costs: cold and warm start, calls, figures, a pandas job, memory, many sessions at once.

    python -m benchmarks.sandbox

The floor in the same run is the same IPython session program, Python environment and channel in a plain process
without any jail. Ratios are to that. Ends by itself after about two minutes.
"""

import asyncio
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from assistants_api.domain.sandbox import Done, Image, SandboxFacts
from assistants_api.ports import Sandbox
from assistants_api.sandbox.config import GUEST, Limits, SandboxConfig, find_environment
from assistants_api.sandbox.folders import remove
from assistants_api.sandbox.jail import Jail, guest_environment, session_order, start
from assistants_api.sandbox.opening import open_sandbox
from assistants_api.sandbox.session import JailedSession, first_words

ROUNDS = 20
CALLS = 300
CROWD = 20
FIGURE = "import matplotlib.pyplot as plt\nplt.plot(range(50))\nplt.title('x')\nplt.show()"
JOB = """
import numpy as np, pandas as pd
rng = np.random.default_rng(0)
frame = pd.DataFrame({"key": rng.integers(0, 500, 400_000), "a": rng.random(400_000), "b": rng.random(400_000)})
frame["text"] = frame["key"].astype(str)
result = frame.groupby("text").agg({"a": "mean", "b": "std"}).sort_values("a")
frame.head(60_000).to_csv("f.csv")
merged = pd.read_csv("f.csv").merge(frame.head(2_000), on="key")
float(result["a"].iloc[0]) + len(merged)
"""

# The filter that lets everything pass: the session program loads one always.
_NO_FILTER = bytes([0x06, 0, 0, 0, 0, 0, 0xFF, 0x7F])


class PlainSandbox:
    """The session program without a jail: for comparison only."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config

    async def start(self) -> None:
        """Nothing is proven."""

    async def open(self, *, preload: bool = False) -> JailedSession:
        """A new guest."""
        return await first_words(self._launch(), self._config.limits, preload=preload)

    def describe(self) -> SandboxFacts:
        """Not a tier."""
        return SandboxFacts("plain process", "")

    async def close(self) -> None:
        """Nothing to end."""

    def _launch(self) -> Jail:
        python = self._config.environment
        folder = tempfile.mkdtemp()

        def command(channel: int) -> list[str]:
            hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
            order = session_order(
                channel, folder, self._config.limits, _NO_FILTER, processes=hard if hard > 0 else 10**6
            )
            return [f"{python}/bin/python3", "-s", str(GUEST / "session.py"), json.dumps(order)]

        jail = start(
            command,
            uid=None,
            is_group=True,
            environment=guest_environment(str(python), f"{folder}/home", folder),
        )
        jail.after.append(lambda: remove(Path(folder)))
        return jail


async def timed(action: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds that it takes."""
    began = time.perf_counter()
    await action()
    return (time.perf_counter() - began) * 1000


async def cell(session: JailedSession, code: str, images: int = 0) -> None:
    """Runs a cell that must succeed."""
    seen = 0
    async for output in session.execute(code, 120):
        match output:
            case Image():
                seen += 1
            case Done(_, True):
                raise RuntimeError(f"the cell failed: {output}")
    if seen < images:
        raise RuntimeError("the picture is missing")


async def measure(sandbox: Sandbox) -> dict[str, list[float]]:
    """Every number of one kind of process, in milliseconds or megabytes."""
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for _ in range(ROUNDS):
        began = time.perf_counter()
        session = await sandbox.open()
        note("cold start: session ready", (time.perf_counter() - began) * 1000)
        await cell(session, "1 + 1")
        note("cold start: first result", (time.perf_counter() - began) * 1000)
        note("memory of a cold session, MB", session.watch.memory() / 2**20)
        note("end of a session", await timed(session.close))
    for _ in range(3):
        session = await sandbox.open()
        note("first figure, cold session", await timed(lambda s=session: cell(s, FIGURE, 1)))
        await session.close()
    for _ in range(3):
        began = time.perf_counter()
        session = await sandbox.open(preload=True)
        note("warm start: libraries loaded", (time.perf_counter() - began) * 1000)
        await cell(session, "1 + 1")
        note("memory of a warm session, MB", session.watch.memory() / 2**20)
        note("first figure, warm session", await timed(lambda s=session: cell(s, FIGURE, 1)))
        await cell(session, JOB)
        for _ in range(4):
            note("pandas job, 400,000 rows", await timed(lambda s=session: cell(s, JOB)))
        if len(found["warm start: libraries loaded"]) == 1:
            for _ in range(CALLS):
                note("trivial call, warm", await timed(lambda s=session: cell(s, "1 + 1")))
        await session.close()
    return found


async def crowd(sandbox: Sandbox) -> tuple[float, float, float]:
    """Milliseconds until many sessions opened at once have answered; their memory; the slowest next call."""
    sessions: list[JailedSession] = []

    async def one() -> None:
        session = await sandbox.open()
        sessions.append(session)
        await cell(session, "import numpy as np; int(np.ones(9).sum())")

    spent = await timed(lambda: asyncio.gather(*(one() for _ in range(CROWD))))
    memory = sum(session.watch.memory() for session in sessions) / 2**20
    calls = await asyncio.gather(*(timed(lambda s=session: cell(s, "2 + 2")) for session in sessions))
    await asyncio.gather(*(session.close() for session in sessions))
    return spent, memory, max(calls)


def shown(values: list[float]) -> str:
    """Median, and 95th percentile where there are enough."""
    middle = statistics.median(values)
    return (
        f"{middle:.1f} / {statistics.quantiles(values, n=20)[-1]:.1f}"
        if len(values) >= 20
        else f"{middle:.1f}"
    )


async def main() -> None:
    """Run everything and print the tables."""
    console = Console()
    config = SandboxConfig(find_environment(), Limits())
    if config.environment is None:
        console.print("The sandbox's Python environment is missing; run `make install`.")
        return
    kinds: list[Sandbox] = [PlainSandbox(config)]
    for tier in ("bubblewrap", "landlock"):
        sandbox = await open_sandbox(tier, config)
        if sandbox.describe().is_on:
            kinds.append(sandbox)
        else:
            console.print(f"{tier} is left out: {sandbox.describe().reason}")
    names = [sandbox.describe().tier for sandbox in kinds]
    found = [await measure(sandbox) for sandbox in kinds]
    table = Table(
        "what", *names, *(f"{name} ÷ plain" for name in names[1:]), title="ms: median, or median / p95"
    )
    for what, floor in found[0].items():
        ratios = [statistics.median(numbers[what]) / statistics.median(floor) for numbers in found[1:]]
        table.add_row(
            what, *(shown(numbers[what]) for numbers in found), *(f"{ratio:.2f}" for ratio in ratios)
        )
    console.print(table)
    crowds = [await crowd(sandbox) for sandbox in kinds]
    table = Table(f"{CROWD} sessions at once", *names)
    for row, what in enumerate(
        ("ms until all have answered", "MB private, all together", "slowest next call, ms")
    ):
        table.add_row(what, *(f"{numbers[row]:.0f}" for numbers in crowds))
    console.print(table)
    for sandbox in kinds:
        await sandbox.close()


if __name__ == "__main__":
    asyncio.run(main())
