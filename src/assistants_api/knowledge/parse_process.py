"""The child process that reads one file: limits itself first, then parses, writes its reply and ends.

Arguments: path, file name, bytes of memory, seconds of processor time, most characters, the parent's
process id.
Reply on stdout: the length of a JSON header (4 bytes, big-endian), the header, then the text in UTF-8.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def main() -> None:
    """Reads the file that the arguments name."""
    path, filename, memory, seconds, max_text, parent = sys.argv[1:]
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not reach the reply
    _limit(int(memory), int(seconds), int(parent))
    from assistants_api.knowledge.parsed import ParseFailed, invalid
    from assistants_api.knowledge.parsing import parse

    header: dict[str, str] = {}
    text = b""
    try:
        text = parse(Path(path), filename, int(max_text)).text.encode()
    except ParseFailed as failure:
        header = {"code": failure.code, "message": failure.message}
    except MemoryError:
        hungry = invalid("because reading it takes too much memory")
        header = {"code": hungry.code, "message": hungry.message}
    packed = json.dumps(header).encode()
    out.write(struct.pack(">I", len(packed)) + packed)
    out.write(text)
    out.flush()
    os._exit(0)  # nothing is left to tidy, and a library's tidying may hang


def _limit(memory: int, seconds: int, parent: int) -> None:
    """No memory, time, written files, core dumps or network beyond what is allowed; dies with its parent.

    The network namespace is a second fence where the system lets an ordinary process make one; parsers open
    no
    connections of their own (external entities are off).
    """
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    with contextlib.suppress(OSError, AttributeError):  # not on Linux
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.unshare(_CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
