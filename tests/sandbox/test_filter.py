"""The compiled filter, run by a small machine of our own, for both kinds of processor."""

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistants_api.sandbox import syscalls
from assistants_api.sandbox.filter import compile_filter

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = 0x7FFF0000, 0x80000000


def verdict(program: bytes, arch: int, nr: int, *arguments: int) -> int:
    """What the kernel would answer, as the byte code's definition says."""
    data = struct.pack("<IIQ6Q", nr, arch, 0, *[*arguments, *[0] * 6][:6])
    code = list(struct.iter_unpack("<HBBI", program))
    at, value = 0, 0
    while True:
        op, yes, no, k = code[at]
        at += 1
        match op:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, k)
            case 0x15:
                at += yes if value == k else no
            case 0x35:
                at += yes if value >= k else no
            case 0x45:
                at += yes if value & k else no
            case 0x06:
                return k
            case _:
                raise AssertionError(op)


def refused(code: int) -> int:
    """The verdict that makes a call fail with an error number."""
    return 0x00050000 | code


@pytest.fixture(params=ARCH)
def machine(request: pytest.FixtureRequest) -> str:
    """Both kinds."""
    return request.param


@pytest.mark.parametrize("namespaces", [True, False])
def test_programs_fit_the_kernels_rules(machine: str, namespaces: bool):
    program = compile_filter(namespaces=namespaces, on=machine)

    code = list(struct.iter_unpack("<HBBI", program))
    assert len(code) < 4096
    for at, (op, yes, no, _) in enumerate(code):
        if op in (0x15, 0x35, 0x45):
            assert at + 1 + max(yes, no) < len(code)
    assert code[-1][0] == 0x06


def test_calls_of_another_architecture_kill(machine: str):
    program = compile_filter(namespaces=True, on=machine)
    other = next(arch for name, arch in ARCH.items() if name != machine)

    assert verdict(program, other, 0) == KILL
    assert verdict(program, 0x40000003, 0) == KILL  # 32-bit x86


def test_common_calls_pass_and_rare_ones_fail(machine: str):
    program = compile_filter(namespaces=True, on=machine)
    arch = ARCH[machine]
    read, openat = (0, 257) if machine == "x86_64" else (63, 56)

    assert verdict(program, arch, read) == ALLOW
    assert verdict(program, arch, openat) == ALLOW
    for name in ("ptrace", "bpf", "mount", "unshare", "keyctl", "io_uring_setup", "process_vm_writev"):
        assert verdict(program, arch, syscalls.number(name, machine)) == refused(errno.EPERM), name
    for name in ("clone3", "memfd_create"):
        assert verdict(program, arch, syscalls.number(name, machine)) == refused(errno.ENOSYS), name


@given(nr=st.integers(syscalls.NEWEST + 1, 2**32 - 1))
def test_unknown_numbers_do_not_exist(nr: int):
    for machine, arch in ARCH.items():
        assert verdict(compile_filter(namespaces=True, on=machine), arch, nr) == refused(errno.ENOSYS)


def test_arguments_decide(machine: str):
    program = compile_filter(namespaces=True, on=machine)

    def ask(name: str, *arguments: int) -> int:
        return verdict(program, ARCH[machine], syscalls.number(name, machine), *arguments)

    assert ask("clone", 0x11) == ALLOW
    assert ask("clone", 0x003D0F00) == ALLOW  # a thread
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert ask("clone", flag | 0x11) == refused(errno.EPERM), hex(flag)
    assert ask("socket", 1) == ALLOW
    for family in (2, 10, 16, 17, 38, 40):
        assert ask("socket", family) == refused(errno.EAFNOSUPPORT), family
    assert ask("ioctl", 0, 0x5401) == ALLOW
    assert ask("ioctl", 0, 0x5412) == refused(errno.EPERM)
    assert ask("prctl", 4) == refused(errno.EPERM)
    assert ask("prctl", 15) == ALLOW
    assert ask("personality", 0xFFFFFFFF) == ALLOW
    assert ask("personality", 0x0400000) == refused(errno.EPERM)


def test_without_namespaces_more_is_shut(machine: str):
    program = compile_filter(namespaces=False, on=machine)

    def ask(name: str, *arguments: int) -> int:
        return verdict(program, ARCH[machine], syscalls.number(name, machine), *arguments)

    for name in ("socket", "connect", "setsid", "setpgid", "setxattr", "inotify_init1", "mknodat"):
        assert ask(name, 1) == refused(errno.EPERM), name
    for name in ("fchmodat", "fchownat", "utimensat"):
        assert ask(name) == refused(0), name
    assert ask("socketpair", 1) == ALLOW
