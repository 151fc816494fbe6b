"""Parses files in a process of their own, so that a hostile one can hurt nothing but itself."""

import asyncio
import contextlib
import json
import math
import os
import signal
import struct
import sys
from pathlib import Path

import assistants_api
from assistants_api.knowledge.parsed import Parsed, ParseFailed, invalid
from assistants_api.knowledge.parsing import MAX_TEXT

_ROOT = str(Path(assistants_api.__file__).parents[1])
# Isolated mode ignores PYTHONPATH; the child must run this very package, not another that is installed.
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from assistants_api.knowledge.parse_process import main; main()"
)
_STARTS = 3
_HEADER = 4  # bytes
_MOST_ERRORS = 8 * 1024  # bytes of stderr that are kept


async def parse_limited(
    path: Path,
    filename: str,
    *,
    timeout: float = 60,
    memory_bytes: int = 1 << 30,
    max_text: int = MAX_TEXT,
) -> Parsed:
    """The text of a file, read by a child process within `timeout` seconds and `memory_bytes` of address
    space.

    Raises ParseFailed: `invalid_file` when the file is at fault, also for breaking a limit or crashing its
    reader,
    `server_error` when the child could not do its work. A cancelled call kills the child before it returns.
    """
    for _ in range(_STARTS):
        status, reply, errors = await _read_in_child(path, filename, timeout, memory_bytes, max_text)
        if status != -signal.SIGTERM:  # which is for the server: systemd sends it to every process of a unit
            break
    return _parsed(status, reply, errors)


async def _read_in_child(
    path: Path, filename: str, timeout: float, memory_bytes: int, max_text: int
) -> tuple[int, bytes, bytes]:
    """One child's exit status, reply and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-B", "-c", _START, _ROOT, str(path)),
        filename.encode(),  # as the child reads it, whatever the locale of this process
        *(str(memory_bytes), str(math.ceil(timeout) + 1), str(max_text), str(os.getpid())),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"LC_ALL": "C.UTF-8"},
        start_new_session=True,
    )
    assert process.stdout is not None, "the process was started with pipes"
    assert process.stderr is not None, "the process was started with pipes"
    try:
        async with asyncio.timeout(timeout):
            reply, errors = await asyncio.gather(
                _read(process.stdout, 4 * max_text + 64 * 1024), _read(process.stderr, _MOST_ERRORS)
            )
            status = await process.wait()
    except TimeoutError:
        raise invalid("because reading it takes too long") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
    return status, reply, errors


def _parsed(status: int, reply: bytes, errors: bytes) -> Parsed:
    if status == 0 and len(reply) >= _HEADER:
        (length,) = struct.unpack_from(">I", reply)
        header = json.loads(reply[_HEADER : _HEADER + length])
        if header:
            raise ParseFailed(header["code"], header["message"])
        return Parsed(reply[_HEADER + length :].decode())
    if status == -signal.SIGXCPU:
        raise invalid("because reading it takes too long")
    if status == -signal.SIGKILL:  # not by us: out of memory, or the hard limit of time
        raise invalid("because reading it takes too much time or memory")
    if status < 0 or b"MemoryError" in errors:
        raise invalid()
    raise ParseFailed("server_error", "The file could not be read.") from RuntimeError(
        f"the reading process ended with {status}: {errors.decode(errors='replace')}"
    )


async def _read(stream: asyncio.StreamReader, most: int) -> bytes:
    """All of a stream; what goes beyond `most` bytes is read and dropped."""
    kept = bytearray()
    while piece := await stream.read(64 * 1024):
        kept += piece[: most - len(kept)]
    return bytes(kept)
