"""The processes of the contenders, as the benchmark sees them."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from benchmarks.engine.contenders import LOCAL, Answer, Http, Measured
from benchmarks.engine.models import computes_in_full

HERE = Path(__file__).resolve().parent


class Child:
    """A contender's process, as the parent sees it."""

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"it did not start; see {log}")

    def do(self, verb: str, **job: Any) -> Any:
        """What the contender answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"verb": verb, **job}) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline() or '{"failed": "it died"}')
        if isinstance(told, dict) and "failed" in told:
            raise RuntimeError(told["failed"])
        return told

    def measure(self, questions: list[str], new: int, form: Any = None, temperature: float = 0.0) -> Measured:
        """One round; only our engine is asked for a temperature."""
        drawn = {"temperature": temperature} if temperature else {}
        told = self.do("measure", questions=questions, new=new, form=form, **drawn)
        return Measured(told["seconds"], [Answer(tokens, at) for tokens, at in told["answers"]])

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


def wanted(options: argparse.Namespace) -> list[str]:
    """The contenders on this machine that the chosen parts need."""
    parts = set(options.only)
    if parts & {"decode", "steps"}:
        return [name for name in LOCAL if name != "ours guessing"]
    return ["ours"] if parts - {"guesses"} else []


@contextmanager
def contenders(folder: Path, options: argparse.Namespace, console: Console) -> Iterator[dict[str, Any]]:
    """Everybody that can be started here."""
    log = folder.parent / "peers.log"
    children: list[Any] = []
    found: dict[str, Any] = {}
    rendered = [sys.executable, "-m", "benchmarks.engine", "--contender"]
    commands = {name: [*rendered, name, "--folder", str(folder)] for name in wanted(options)}
    if len(commands) > 1 and options.llama_python:
        gguf = folder.parent / f"{folder.name}.gguf"
        kind = "F16" if computes_in_full(folder) else "BF16"
        commands["llama.cpp"] = [
            options.llama_python,
            str(HERE / "llama_peer.py"),
            str(folder),
            str(gguf),
            kind,
        ]
    elif len(commands) > 1:
        console.print("llama.cpp is left out: no --llama-python")
    try:
        for name, command in commands.items():
            if name in options.skip:
                continue
            try:
                found[name] = child = Child(command, log)
                children.append(child)
            except (OSError, RuntimeError) as error:
                console.print(f"{name} is left out: {error}")
        yield found
    finally:
        for child in children:
            child.close()


@contextmanager
def servers(folder: Path, options: argparse.Namespace, console: Console) -> Iterator[dict[str, Any]]:
    """Our server, and transformers' own, over HTTP."""
    from tests.conformance.serving import free_port, serving

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home:
        with serving(
            Path(home),
            model=str(folder),
            engine="transformers",
            max_batch="64",
            max_concurrent_runs="64",
            draft_tokens="0",
        ) as served:
            found["ours over HTTP"] = Http(served.base_url, "m")
            port = free_port()
            dtype = "float32" if computes_in_full(folder) else "bfloat16"
            command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder)]
            process = None
            if "transformers serve" not in options.skip:
                with (folder.parent / "peers.log").open("ab") as log:
                    process = subprocess.Popen(
                        [*command, "--port", str(port), "--continuous-batching", "--dtype", dtype],
                        stdout=log,
                        stderr=log,
                    )
                url = f"http://127.0.0.1:{port}"
                if _answers(f"{url}/health", process):
                    found["transformers serve"] = Http(f"{url}/v1", str(folder))
                else:
                    console.print("transformers serve is left out: it did not start; see peers.log")
            try:
                yield found
            finally:
                if process is not None:
                    process.kill()
                    process.wait()


def _answers(url: str, process: subprocess.Popen[bytes], patience: float = 120.0) -> bool:
    until = time.monotonic() + patience
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    return False
