"""Makes a jail without namespaces: Landlock, a system-call filter, a user of its own where possible.

Started as `launcher.py ORDER`; ORDER is a JSON object: `lifeline` (a pipe from the server; its end is the
end of everything here), `rules` (paths with rights), `uid` (or null),
`session` (see `session.py`). The launcher leads the process group of everything the guest starts: the guest
cannot leave it, so one signal ends all. Failures are printed for the server to read.
"""

import ctypes
import json
import os
import select
import signal
import struct
import sys
from typing import Any, NoReturn

from kernel import call, control

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every machine
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_EXECUTE, _WRITE, _READ, _READ_DIR, _MAKE_DEVICES = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 6 | 1 << 9 | 1 << 11
_ALL_FS = {3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP = 1 << 0 | 1 << 1
_SCOPES = 1 << 0 | 1 << 1  # abstract sockets, signals


def landlock_version() -> int:
    """The kernel's Landlock ABI, 0 where there is none."""
    try:
        return int(call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))
    except OSError:
        return 0


def restrict(rules: list[tuple[str, str]]) -> None:
    """Only `rules` from here on: each a path and `read`, `device` or `write`."""
    version = landlock_version()
    handled = _ALL_FS.get(version, _ALL_FS[5])
    attributes = struct.pack("<QQQ", handled, _TCP, _SCOPES)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = call(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    rights = {
        "read": _EXECUTE | _READ | _READ_DIR,
        "device": _WRITE | _READ,
        "write": handled & ~_MAKE_DEVICES & ~_EXECUTE & ~(1 << 15),
    }
    for path, kind in rules:
        allowed = rights[kind]
        if not os.path.isdir(path):
            allowed &= _EXECUTE | _READ | _WRITE
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("<Qi", allowed, descriptor)
        call(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
        os.close(descriptor)
    call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def become_guest(order: dict[str, Any], parent: int) -> None:
    """Everything that is given up before the first line of a guest; then the session."""
    uid = order["uid"]
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
    control(_PR_SET_NO_NEW_PRIVS, 1)
    # Rules are opened before the user changes: the way to them may be closed to the new one.
    restrict(order["rules"])
    if uid is not None:
        os.setresuid(uid, uid, uid)
    control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.umask(0o077)
    import session

    session.main(order["session"])


def watch(guest: int, lifeline: int) -> NoReturn:
    """Waits for the guest's or the server's end, and then ends everything in the process group."""
    poll = select.poll()
    poll.register(os.pidfd_open(guest), select.POLLIN)
    poll.register(lifeline, select.POLLIN)
    poll.poll()
    os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main(order: dict[str, Any]) -> None:
    """Forks the guest and stays as its keeper."""
    parent = os.getpid()
    guest = os.fork()
    if guest == 0:
        os.close(order["lifeline"])
        become_guest(order, parent)
        os._exit(0)
    os.close(order["session"]["channel"])
    watch(guest, order["lifeline"])


if __name__ == "__main__":
    if sys.argv[1] == "version":
        print(landlock_version())
    else:
        main(json.loads(sys.argv[1]))
