"""The process that reads one file: it may compute and read, and nothing else.

Standard input carries one line, the order as JSON; standard output a header line and the text. Limits on
memory, processor time and written bytes are set before anything of the file is read, and on Linux a
network namespace of its own where that is allowed.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def main() -> None:
    """Read the order, close the doors, parse, answer."""
    order = json.loads(sys.stdin.buffer.readline())
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries may print
    # What the parsers need is loaded before the limits make that harder.
    from assistants_api.knowledge.parsing import parse
    from assistants_api.knowledge.reading import ParseFailed

    _limit(order["memory"], order["seconds"])
    try:
        text = parse(Path(order["path"]), order["filename"])
        if len(text) > order["most"]:
            raise ParseFailed("invalid_file", "The file could not be parsed because it is too large.")
        header: dict[str, object] = {"code": None}
        body = text.encode("utf-8")
    except ParseFailed as failure:
        header, body = {"code": failure.code, "message": failure.message}, b""
    except MemoryError:
        message = "The file could not be parsed because it needs too much memory."
        header, body = {"code": "invalid_file", "message": message}, b""
    out.write(json.dumps({**header, "size": len(body)}).encode() + b"\n" + body)
    out.flush()
    os._exit(0)  # nothing that a library leaves running may keep us


def _limit(memory: int, seconds: float) -> None:
    _leave_network()
    try:
        import resource
    except ImportError:  # not on Windows; there only the time limit holds
        return
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def _leave_network() -> None:
    """Move to a network namespace without any way out, where the kernel lets us."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.unshare(_CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET)


if __name__ == "__main__":
    main()
