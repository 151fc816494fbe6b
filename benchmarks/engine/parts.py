"""What is measured: all contenders side by side, and what only our engine is asked."""

import argparse
import itertools
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.engine.contenders import Measured
from benchmarks.engine.models import question
from benchmarks.engine.processes import Child


def whole(peer: Any, options: argparse.Namespace, streams: int, turn: int) -> float:
    """Tokens per second from the requests to their last token, behind short prompts."""
    measured: Measured = peer.measure(
        [question(64, 1000 * turn + number) for number in range(streams)], options.new
    )
    return measured.rate


def steps(peer: Any, options: argparse.Namespace, streams: int, turn: int) -> float | None:
    """Tokens per second while all answers are written, behind prompts of `--prompt` tokens.

    Two rounds differ in the length of their answers alone; prompts that are read beside the first tokens cost both the same.
    None where the longer answers took no longer: something else had the machine meanwhile.
    """
    asked = [
        [question(options.prompt, 20_000 + 1000 * turn + 500 * part + number) for number in range(streams)]
        for part in (0, 1)
    ]
    short, long = (peer.measure(asked[part], new) for part, new in enumerate((48, 48 + options.new)))
    seconds = long.seconds - short.seconds
    return streams * options.new / seconds if seconds > 0 else None


def compare(
    peers: dict[str, Any],
    options: argparse.Namespace,
    console: Console,
    title: str,
    first: str,
    rate: Callable[[Any, argparse.Namespace, int, int], float | None],
) -> None:
    """Tokens per second at each number of streams, and ours ÷ theirs."""
    rates: dict[tuple[str, int], list[float]] = {}
    gone: dict[str, str] = {}
    for turn in range(options.rounds + 1):
        for streams in options.streams:
            for name, peer in peers.items():
                if name in gone:
                    continue
                try:
                    measured = rate(peer, options, streams, turn)
                except Exception as error:
                    gone[name] = f"{type(error).__name__}: {error}"[:200]
                    continue
                if turn and measured is not None:  # the first round warms up
                    rates.setdefault((name, streams), []).append(measured)
    table = Table(title=title)
    table.add_column("tokens per second")
    for streams in options.streams:
        table.add_column(f"{streams} streams", justify="right")
    for name in peers:
        row = []
        for streams in options.streams:
            cell = statistics.median(rates.get((name, streams), [0.0]))
            ours = statistics.median(rates.get((first, streams), [0.0]))
            ratio = f"  ÷ {ours / cell:.2f}" if name != first and cell else ""
            row.append(f"{cell:.0f}{ratio}" if cell else "–")
        table.add_row(name, *row)
    console.print(table)
    for name, why in gone.items():
        console.print(f"{name} gave up: {why}")


def quantile(values: list[float], share: float) -> float:
    """The value at this share of the sorted ones."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def long_prompt(name: str) -> int:
    """Tokens of a prompt that fills most of the model's window, or 4,000."""
    return 3500 if name == "bundled" else 4000


def beside(ours: Any, options: argparse.Namespace, console: Console, name: str) -> None:
    """Gaps between the tokens of streams while a long prompt is read."""
    long = long_prompt(name)
    for turn in range(2):  # the first one warms up
        questions = [question(64, 7000 + 10 * turn + number) for number in range(8)]
        asked = {"questions": questions, "new": 600, "long": question(long, 7999 + turn)}
        before, during, first = ours.do("beside", **asked)
    quiet, loud = quantile(before, 0.95) * 1000, quantile(during, 0.95) * 1000
    console.print(
        f"{name}: between two tokens of 8 streams, p95: {quiet:.1f} ms undisturbed, {loud:.1f} ms beside a"
        f" prompt of about {long} tokens (× {loud / quiet if quiet else 0:.2f}); its first token after {first:.2f} s"
    )


def unlike(ours: Any, options: argparse.Namespace, console: Console, name: str) -> None:
    """Gaps between the tokens of streams beside an answer that has a long prompt behind it."""
    long = long_prompt(name)
    questions = [question(64, 7100 + number) for number in range(8)]
    alone, beside = ours.do("unlike", questions=questions, new=options.new, long=question(long, 7998))
    quiet, loud = statistics.median(alone) * 1000, statistics.median(beside) * 1000
    console.print(
        f"{name}: between two tokens of 8 streams, median: {quiet:.1f} ms alone, {loud:.1f} ms beside an answer"
        f" behind {long} tokens (× {loud / quiet if quiet else 0:.2f})"
    )


def turns(ours: Any, options: argparse.Namespace, console: Console, name: str) -> None:
    """The first token of the last turn of a long thread, against the same prompt cold."""
    found = ours.do("turns", size=3300 if name == "bundled" else 4000, number=20)
    tokens, cached, warm = found[-1]
    told = ours.measure([question(tokens - 100, 8123)], 1)
    cold = (*told.answers[0].at, told.seconds)[0]
    console.print(
        f"{name}: turn 20 of a thread, {tokens} tokens, all but {tokens - cached} of them kept: first token after"
        f" {warm * 1000:.0f} ms, {100 * warm / cold:.1f} % of the same prompt cold ({cold * 1000:.0f} ms);"
        f" turn 1 {found[0][2] * 1000:.0f} ms"
    )


def neighbour(ours: Any, options: argparse.Namespace, console: Console, name: str) -> None:
    """Streams beside a process that keeps one core busy."""
    free, busy = [], []
    for turn in range(options.rounds + 1):
        asked = [[question(64, 11_000 + 100 * turn + 8 * kind + n) for n in range(8)] for kind in (0, 1)]
        alone = ours.measure(asked[0], options.new)
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
            beside = ours.measure(asked[1], options.new)
            spinning.kill()
        if turn:
            free.append(alone.seconds)
            busy.append(beside.seconds)
    console.print(
        f"{name}: 8 streams beside a process that keeps one core busy: {statistics.median(busy) / statistics.median(free):.2f}"
        f" times as long as alone"
    )


def form(ours: Any, options: argparse.Namespace, console: Console, name: str) -> None:
    """Streams whose answers are held to a schema, against free ones: whole requests, and their steps alone.

    The model is shown the schema, so that a request has a longer prompt to read as well.
    """
    # One that cannot end before the others do.
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 1000}
    held = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    kinds = list(itertools.product((None, held), (options.new, 2 * options.new)))
    seconds: dict[int, list[float]] = {kind: [] for kind in range(len(kinds))}
    for turn in range(options.rounds + 1):
        for kind, (form, new) in enumerate(kinds):
            asked = [question(64, 9000 + 100 * turn + 8 * kind + number) for number in range(8)]
            told = ours.measure(asked, new, form)
            if turn:
                seconds[kind].append(told.seconds)
    free, twice_free, formed, twice_formed = (statistics.median(seconds[kind]) for kind in seconds)
    console.print(
        f"{name}: 8 streams, all in a JSON schema: {100 * free / formed:.1f} % of the speed without one,"
        f" {100 * (twice_free - free) / (twice_formed - formed):.1f} % once the prompts are read"
    )


def drawn(ours: Any, options: argparse.Namespace, console: Console, name: str) -> None:
    """Streams whose tokens are drawn, as the API does unless it is told otherwise, against the likeliest ones."""
    shares = []
    for streams in options.streams:
        rates: dict[float, list[float]] = {0.0: [], 1.0: []}
        for turn in range(options.rounds + 1):
            for kind, temperature in enumerate(rates):
                first = 30_000 + 1000 * turn + 500 * kind
                questions = [question(64, first + number) for number in range(streams)]
                told = ours.measure(questions, options.new, temperature=temperature)
                if turn:
                    rates[temperature].append(told.rate)
        plain, free = (statistics.median(rates[temperature]) for temperature in rates)
        shares.append(f"{100 * free / plain:.0f} %")
    console.print(
        f"{name}: {', '.join(map(str, options.streams))} streams at temperature 1: {', '.join(shares)} of the speed at 0"
    )


# What only our engine is asked.
ALONE: dict[str, Callable[[Any, argparse.Namespace, Console, str], None]] = {
    "beside": beside,
    "unlike": unlike,
    "turns": turns,
    "neighbour": neighbour,
    "form": form,
    "drawn": drawn,
}


def guesses(options: argparse.Namespace, console: Console, log: Path) -> None:
    """What guessing tokens ahead brings, in real conversations of the bundled model."""
    from assistants_api.engine.config import BUNDLED_MODEL

    command = [sys.executable, "-m", "benchmarks.engine", "--folder", str(BUNDLED_MODEL), "--contender"]
    children = {name: Child([*command, name], log) for name in ("ours", "ours guessing")}
    try:
        for streams, in_form in itertools.product(options.streams, (False, True)):
            rounds: dict[str, list[Any]] = {name: [] for name in children}
            for turn in range(options.rounds + 1):
                for name, child in children.items():
                    told = child.do("talk", seed=100 * turn, streams=streams, in_form=in_form)
                    if turn:  # the first round warms up
                        rounds[name].append(told)
            plain, quick = (
                statistics.median(seconds / tokens for seconds, tokens, *_ in told)
                for told in rounds.values()
            )
            tokens, guessed, right = (sum(told[n] for told in rounds["ours guessing"]) for n in (1, 2, 3))
            console.print(
                f"bundled: {'answers in a JSON schema' if in_form else 'conversations'}, {streams} at once: {plain / quick:.2f} times as fast with guesses; of"
                f" {tokens} tokens {guessed} were guessed, {right} rightly"
            )
    finally:
        for child in children.values():
            child.close()
