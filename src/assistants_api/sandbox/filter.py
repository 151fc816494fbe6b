"""The system-call filter of a jail, compiled to the kernel's own byte code (classic BPF).

A deny list over what Python and its data libraries need: it takes away what reaches other processes, the
kernel's rare and risky doors, and memory that no limit counts. Number tables are in `syscalls.py`; nothing
but the standard library is used, so that a filter can be made wherever the server runs.
"""

import errno
import platform
import struct
from collections.abc import Sequence

from assistants_api.sandbox.syscalls import NEWEST, number

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_ALLOW = 0x7FFF0000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARG = 0, 4, 16  # offsets in struct seccomp_data; arguments are eight bytes, low half first


def _names(text: str) -> list[str]:
    return text.split()


# Refused in every tier with "operation not permitted".
_NEVER = _names(
    """
    _sysctl acct add_key adjtimex bpf chroot clock_adjtime clock_settime create_module delete_module
    fanotify_init fanotify_mark finit_module fsconfig fsmount fsopen fspick init_module io_uring_enter
    io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl listmount
    lookup_dcookie mbind migrate_pages modify_ldt mount mount_setattr move_mount move_pages mq_open
    mq_unlink msgctl msgget msgrcv msgsnd name_to_handle_at nfsservctl open_by_handle_at open_tree
    perf_event_open pidfd_getfd pivot_root process_madvise process_vm_readv process_vm_writev ptrace
    quotactl quotactl_fd reboot request_key semctl semget semop semtimedop set_mempolicy
    set_mempolicy_home_node setdomainname sethostname setns settimeofday shmat shmctl shmdt shmget
    statmount swapoff swapon sysfs syslog umount2 unshare uselib userfaultfd ustat vhangup vmsplice
    """
)
# Answered as on a kernel without them, so that libraries fall back: clone3 hides its flags from a filter, and
# memory files are counted neither as memory nor as disk.
_MISSING = _names(
    """
    clone3 memfd_create memfd_secret
    """
)
# Without namespaces: no sockets at all, no leaving the process group by which a session is killed, and no
# doors that Landlock leaves open (it knows nothing of extended attributes and of watching folders).
_WITHOUT_NAMESPACES = _names(
    """
    accept accept4 bind connect fremovexattr fsetxattr inotify_add_watch inotify_init inotify_init1
    listen lremovexattr lsetxattr mknod mknodat removexattr setpgid setsid setxattr socket
    """
)
# Nor of modes, owners and times. Common library calls (shutil.copy) want them to succeed, so they seem to.
_PRETENDED = _names(
    """
    chmod chown fchmod fchmodat fchmodat2 fchown fchownat futimesat lchown utime utimensat utimes
    """
)

_CLONE_NEW = 0x7E020080  # every CLONE_NEW… flag: time, mount, cgroup, uts, ipc, user, pid, net
_AF_UNIX = 1
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # typing into a terminal
_PR_SET_DUMPABLE, _PR_SET_MM, _PR_SET_PTRACER = 4, 35, 0x59616D61
_QUERY_PERSONALITY = (0, 0xFFFFFFFF)

Instruction = tuple[int, int, int, int]


def machine() -> str:
    """This machine's name as the tables know it."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def compile_filter(*, namespaces: bool, on: str | None = None) -> bytes:
    """The program as an array of `struct sock_filter`.

    `namespaces` says whether the jail has its own; `on` names the machine, by default this one.

    Raises KeyError on a machine without a table.
    """
    on = on or machine()
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[on]),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NR),
        # The x32 calls share the 64-bit architecture under other numbers; so would calls of later kernels.
        (_AT_LEAST, 0, 1, NEWEST + 1),
        (_RETURN, 0, 0, _refuse(errno.ENOSYS)),
    ]
    refused = dict.fromkeys(_NEVER, errno.EPERM) | dict.fromkeys(_MISSING, errno.ENOSYS)
    if not namespaces:
        refused |= dict.fromkeys(_WITHOUT_NAMESPACES, errno.EPERM) | dict.fromkeys(_PRETENDED, 0)
    for name, code in refused.items():
        if (nr := number(name, on)) is not None:
            program += [(_EQUAL, 0, 1, nr), (_RETURN, 0, 0, _refuse(code))]
    # These are looked at more closely; each part loads an argument and so must end with a verdict.
    program += _part(number("clone", on), [(_LOAD, 0, 0, _ARG), *_unless((_ANY_BIT, _CLONE_NEW))])
    if namespaces:
        program += _part(number("socket", on), _only(_ARG, [_AF_UNIX], errno.EAFNOSUPPORT))
    program += _part(number("socketpair", on), _only(_ARG, [_AF_UNIX], errno.EAFNOSUPPORT))
    program += _part(number("ioctl", on), _none_of(_ARG + 8, [_TIOCSTI, _TIOCLINUX]))
    program += _part(number("prctl", on), _none_of(_ARG, [_PR_SET_DUMPABLE, _PR_SET_MM, _PR_SET_PTRACER]))
    program += _part(number("personality", on), _only(_ARG, _QUERY_PERSONALITY, errno.EPERM))
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _refuse(code: int) -> int:
    return _ERRNO | code


def _part(nr: int | None, body: Sequence[Instruction]) -> list[Instruction]:
    return [] if nr is None else [(_EQUAL, 0, len(body), nr), *body]


def _unless(bad: tuple[int, int]) -> list[Instruction]:
    return [(bad[0], 0, 1, bad[1]), (_RETURN, 0, 0, _refuse(errno.EPERM)), (_RETURN, 0, 0, _ALLOW)]


def _none_of(offset: int, values: Sequence[int]) -> list[Instruction]:
    body: list[Instruction] = [(_LOAD, 0, 0, offset)]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _refuse(errno.EPERM))]
    return [*body, (_RETURN, 0, 0, _ALLOW)]


def _only(offset: int, values: Sequence[int], code: int) -> list[Instruction]:
    body: list[Instruction] = [(_LOAD, 0, 0, offset)]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*body, (_RETURN, 0, 0, _refuse(code))]
