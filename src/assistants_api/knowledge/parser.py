"""Reads files in a process of its own for each: whatever a file does to its parser ends with that process."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from assistants_api.knowledge.reading import ParseFailed

# Some 500 million characters of text are more than the token limit lets pass.
_MOST_CHARACTERS = 60_000_000
_PACKAGE = str(Path(__file__).resolve().parents[2])


class LimitedReader:
    """A `Reader` that gives each file at most `seconds` and `memory_bytes`, and no place to write."""

    def __init__(self, seconds: float = 60.0, memory_bytes: int = 1 << 30) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes

    async def read(self, path: Path, filename: str) -> str:
        """The text of the file; `ParseFailed` when there is none, or when the process had to be ended."""
        search = os.pathsep.join(part for part in (_PACKAGE, os.environ.get("PYTHONPATH")) if part)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "assistants_api.knowledge.parse_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": search, "PYTHONIOENCODING": "utf-8"},
            start_new_session=True,
        )
        order = {
            "path": str(path),
            "filename": filename,
            "memory": self._memory_bytes,
            "seconds": self._seconds,
            "most": _MOST_CHARACTERS,
        }
        try:
            async with asyncio.timeout(self._seconds):
                answer, _ = await process.communicate(json.dumps(order).encode() + b"\n")
        except TimeoutError as error:
            message = f"The file could not be parsed within {self._seconds:g} seconds."
            raise ParseFailed("invalid_file", message) from error
        finally:
            await _end(process)
        return _text(answer, process.returncode)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        await process.wait()


def _text(answer: bytes, status: int | None) -> str:
    line, _, body = answer.partition(b"\n")
    try:
        header: dict[str, Any] = json.loads(line)
    except ValueError as error:
        if status is not None and -status == getattr(signal, "SIGXCPU", None):
            message = "The file could not be parsed: it takes too long."
        else:
            message = "The file could not be parsed: its parser crashed or ran out of memory."
        raise ParseFailed("invalid_file", message) from error
    if header["code"] is not None:
        raise ParseFailed(header["code"], header["message"])
    if len(body) != header["size"]:
        raise ParseFailed("server_error", "The parser was ended before it had given the whole text.")
    return body.decode("utf-8")
