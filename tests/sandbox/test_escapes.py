"""What hostile code tries, in both tiers. Every test's session fixture also proves that no process is left."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from assistants_api.domain.errors import InvalidRequest, NotFound
from assistants_api.domain.sandbox import SessionEnded
from assistants_api.ports import Sandbox
from assistants_api.sandbox.session import JailedSession
from assistants_api.sandbox.syscalls import number
from assistants_api.sandbox.watchdog import descendants
from tests.conftest import until
from tests.sandbox.conftest import ROOT, Host, all_blocked, attempts, environment, is_alive, run

X86 = os.uname().machine == "x86_64"


async def test_files_of_the_host_cannot_be_read(session: JailedSession, host: Host):
    tries = {
        "secret": f"open({str(host.secret)!r}).read()",
        "secret by os": f"os.read(os.open({str(host.secret)!r}, os.O_RDONLY), 99)",
        "its folder": f"os.listdir({str(host.secret.parent)!r})",
        "through the first process": f"open('/proc/1/root{host.secret}').read()",
        "through the parent": f"open(f'/proc/{{os.getppid()}}/root{host.secret}').read()",
        "through the parent's folder": f"open(f'/proc/{{os.getppid()}}/cwd{host.secret}').read()",
        "upwards": f"open('../../../../../../../..{host.secret}').read()",
        "shadow": "open('/etc/shadow').read()",
        "root's home": "os.listdir('/root')",
        "state": "os.listdir('/var')",
        "host name file": "open('/etc/hostname').read()",
        "resolver": "open('/etc/resolv.conf').read()",
        "this repository": f"os.listdir({str(ROOT)!r})",
        "system": "os.listdir('/sys')",
        "hard link": f"os.link({str(host.secret)!r}, 'linked')",
        "by a program": f"subprocess.check_output(['cat', {str(host.secret)!r}])",
        "by a shell": f"subprocess.check_output('cat {host.secret}', shell=True)",
    }

    found = await attempts(session, tries)

    assert found == all_blocked(tries)


async def test_the_only_accounts_to_be_seen_are_the_jails_own(session: JailedSession, tier: str):
    found = await attempts(session, {"passwd": "open('/etc/passwd').read()"})

    own = repr((ROOT / "src/assistants_api/sandbox/guest/passwd").read_text())
    assert found["passwd"] == (own if tier == "bubblewrap" else "blocked")


async def test_secrets_in_environments_are_not_there(session: JailedSession, host: Host):
    code = f"""
    import glob, os
    seen = repr(os.environ)
    for path in [*glob.glob("/proc/[0-9]*/environ"), "/proc/{os.getpid()}/environ", "/proc/self/environ"]:
        try:
            seen += open(path, "rb").read().decode(errors="replace")
        except OSError:
            pass
    print(seen)
    """

    ran = await run(session, textwrap.dedent(code))

    assert "PYTHONHOME" in ran.text
    assert host.token not in ran.text


async def test_nothing_can_be_reached_by_network(session: JailedSession, host: Host):
    tries = {
        "loopback": f"socket.create_connection(('127.0.0.1', {host.port}), 2)",
        "loopback 6": f"socket.create_connection(('::1', {host.port}), 2)",
        "metadata": "socket.create_connection(('169.254.169.254', 80), 2)",
        "names": "socket.getaddrinfo('example.com', 80)",
        "datagrams": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('1.1.1.1', 53))",
        "abstract": f"socket.socket(socket.AF_UNIX).connect('\\0{host.abstract_name}')",
        "docker": "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
        "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "packet": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "vsock": "socket.socket(socket.AF_VSOCK)",
        "crypto": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
        "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "pair": "socket.socketpair(socket.AF_INET)",
    }

    found = await attempts(session, tries)

    assert found == all_blocked(tries)
    assert host.calls() == 0


BOMBS = {
    "forks": """
        import os, signal
        count = 0
        try:
            while True:
                if os.fork() == 0:
                    signal.pause()
                count += 1
        except OSError:
            print("stopped at", count)
    """,
    "threads": """
        import threading
        stop = threading.Event()
        count = 0
        try:
            while True:
                threading.Thread(target=stop.wait).start()
                count += 1
        except RuntimeError:
            print("stopped at", count)
        stop.set()
    """,
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_processes_and_threads_are_limited(session: JailedSession, bomb: str):
    ran = await run(session, textwrap.dedent(BOMBS[bomb]))

    assert "stopped at" in ran.text or ran.done.ended is not None
    if ran.done.ended is None:
        assert int(ran.text.split()[-1]) <= 64
        assert (await run(session, "1 + 1")).text == "2\n"


async def test_a_shell_fork_bomb_does_not_reach_the_host(session: JailedSession, host: Host):
    await run(session, "import subprocess; subprocess.run(['sh', '-c', ':(){ :|:& };:'])", 3)

    process = await asyncio.create_subprocess_exec("true")  # the host can still start processes
    assert await process.wait() == 0
    assert is_alive(host.sentinel.pid)


async def test_one_huge_allocation_is_an_error(session: JailedSession):
    ran = await run(session, "x = bytearray(10 * 2**30)")

    assert "MemoryError" in ran.text
    assert ran.done.ended is None


async def test_much_memory_over_many_processes_ends_the_session(session: JailedSession):
    code = """
    import os, signal
    for _ in range(12):
        if os.fork() == 0:
            block = os.urandom(1) * (150 * 2**20)
            signal.pause()
    signal.pause()
    """

    ran = await run(session, textwrap.dedent(code), 60)

    assert ran.done.ended is not None
    assert "1024 MB of memory" in ran.done.ended


async def test_memory_that_limits_do_not_count_cannot_be_had(session: JailedSession):
    tries = {
        "memory file": "os.memfd_create('x')",
        "System V": f"call({number('shmget', os.uname().machine)}, 0, 2**28, 0o1600)",
        "locked": "libc.mlockall(3) == 0 or 1 / 0",
    }

    assert await attempts(session, tries) == all_blocked(tries)


async def test_the_working_folder_cannot_be_filled_beyond_its_cap(session: JailedSession, tier: str):
    code = """
    import os
    block = os.urandom(2**20)
    total = 0
    try:
        for number in range(100):
            with open(f"/mnt/data/{number}", "wb") as file:
                for _ in range(20):
                    file.write(block)
                    total += 1
    except OSError as error:
        print(error.strerror)
    print(total)
    """

    ran = await run(session, textwrap.dedent(code), 120)

    if tier == "bubblewrap":
        assert ran.text.split("\n")[0] == "No space left on device"
        assert int(ran.text.split()[-1]) <= 128
    else:
        assert ran.done.ended is not None
        assert "its files were more than" in ran.done.ended


async def test_deleted_files_that_are_still_held_count(session: JailedSession, tier: str):
    code = """
    import os
    block = os.urandom(2**20)
    held = []
    try:
        for number in range(100):
            held.append(open(f"/mnt/data/{number}", "wb"))
            os.unlink(f"/mnt/data/{number}")
            for _ in range(20):
                held[-1].write(block)
                held[-1].flush()
    except OSError as error:
        print(error.strerror)
    """

    ran = await run(session, textwrap.dedent(code), 120)

    assert "No space left" in ran.text if tier == "bubblewrap" else "its files were" in (ran.done.ended or "")


async def test_a_sparse_file_cannot_be_huge(session: JailedSession):
    tries = {
        "truncate": "open('sparse', 'wb').truncate(2**40)",
        "seek": "(lambda f: (f.seek(2**40), f.write(b'x'), f.flush()))(open('sparse', 'wb'))",
        "allocate": "os.posix_fallocate(os.open('sparse', os.O_CREAT | os.O_WRONLY), 0, 2**40)",
    }

    assert await attempts(session, tries) == all_blocked(tries)


@pytest.mark.parametrize("what", ["files", "folders"])
async def test_a_flood_of_names_ends_the_session(session: JailedSession, what: str):
    make = "open(f'f{n}', 'w').close()" if what == "files" else "(os.mkdir('d'), os.chdir('d'))"

    ran = await run(session, f"import os\nfor n in range(400_000):\n    {make}", 120)

    assert ran.done.ended is not None or "Errno" in ran.text
    if ran.done.ended is not None:
        assert "4096 files" in ran.done.ended


async def test_a_flood_of_descriptors_is_stopped(session: JailedSession):
    code = """
    import os, signal
    for _ in range(30):
        if os.fork() == 0:
            try:
                while True:
                    os.pipe()
            except OSError:
                signal.pause()
    signal.pause()
    """

    ran = await run(session, textwrap.dedent(code), 30)

    assert ran.done.ended == "The session was ended: it opened too many files."


async def test_nowhere_else_can_be_written(session: JailedSession, host: Host):
    places = [
        "/",
        "/usr",
        "/usr/bin",
        "/etc",
        "/opt",
        "/mnt",
        "/dev",
        "/proc",
        "/root",
        "/var/tmp",
        "/run",
        "/sys",
    ]
    places += [str(environment()), str(host.secret.parent), "/opt/python-env", "/opt/sandbox", str(ROOT)]
    # Numbered: the session program hides the host's paths in what is printed.
    tries = {f"place {number}": f"open('{place}/x', 'w')" for number, place in enumerate(places)}
    tries |= {
        "secret": f"open({str(host.secret)!r}, 'w')",
        "secret added to": f"open({str(host.secret)!r}, 'a')",
        "secret cut": f"os.truncate({str(host.secret)!r}, 0)",
        "secret removed": f"os.unlink({str(host.secret)!r})",
        "secret renamed": f"os.rename({str(host.secret)!r}, 'x')",
        "link in the host": f"os.symlink('x', {str(host.secret.parent / 'link')!r})",
        "folder in the host": f"os.mkdir({str(host.secret.parent / 'folder')!r})",
    }

    assert await attempts(session, tries) == all_blocked(tries)
    assert host.secret.read_text() == host.token
    assert [path.name for path in host.secret.parent.iterdir()] == ["secret.txt"]


async def test_modes_owners_and_times_of_the_host_stay(session: JailedSession, host: Host):
    before = host.secret.stat()

    await attempts(
        session,
        {
            "mode": f"os.chmod({str(host.secret)!r}, 0)",
            "owner": f"os.chown({str(host.secret)!r}, 1, 1)",
            "times": f"os.utime({str(host.secret)!r}, (1, 1))",
            "attribute": f"os.setxattr({str(host.secret)!r}, 'user.x', b'x')",
        },
    )

    after = host.secret.stat()
    assert (after.st_mode, after.st_uid, after.st_mtime) == (before.st_mode, before.st_uid, before.st_mtime)
    assert os.listxattr(host.secret) == []


async def test_an_endless_loop_is_interrupted_and_its_state_kept(session: JailedSession):
    await run(session, "kept = 6")  # the first cell of a session may take long to begin
    ran = await run(session, "kept += 1\nwhile True: pass", 0.5)

    assert "KeyboardInterrupt" in ran.text
    assert ran.done.has_failed
    assert ran.done.ended is None
    assert (await run(session, "kept")).text == "7\n"


@pytest.mark.parametrize(
    "code",
    [
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "while True:\n    try:\n        while True: pass\n    except KeyboardInterrupt: pass",
        "import re\nre.match(r'(a+)+$', 'a' * 64 + 'b')",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    ],
    ids=["ignored", "caught", "in C", "stopped"],
)
async def test_code_that_does_not_heed_the_interrupt_is_killed(session: JailedSession, code: str):
    ran = await run(session, code, 0.5)

    assert ran.done.has_failed
    # Some C code does look at signals now and then; then the interrupt is enough.
    assert ran.done.ended is not None or "KeyboardInterrupt" in ran.text


async def test_a_flood_of_output_is_cut_and_the_session_lives(session: JailedSession):
    ran = await run(session, "for _ in range(200_000): print('x' * 100)")

    assert ran.text.endswith("[The rest of the output is left out.]\n")
    assert len(ran.text) < 2**20 + 100
    assert (await run(session, "1")).text == "1\n"


async def test_a_huge_value_is_cut(session: JailedSession):
    ran = await run(session, "print('x' * 200_000_000)")

    assert len(ran.text) < 2**20 + 100


async def test_a_program_that_prints_for_ever_is_stopped(session: JailedSession):
    ran = await run(session, "!yes", 1)

    assert len(ran.text) < 2**20 + 1000
    assert ran.done.has_failed


async def test_processes_of_the_host_cannot_be_signalled(session: JailedSession, host: Host):
    pids = [os.getpid(), host.sentinel.pid, session.jail.process.pid]

    await attempts(session, {str(pid): f"os.kill({pid}, signal.SIGKILL)" for pid in pids})
    await attempts(session, {"parent": "os.kill(os.getppid(), signal.SIGKILL)"})
    if session.ended is None:
        await run(session, "import os, signal; os.kill(1, signal.SIGKILL)")
    if session.ended is None:
        await run(session, "os.killpg(0, signal.SIGTERM)", 2)
    if session.ended is None:
        await run(session, "os.kill(-1, signal.SIGKILL)", 2)

    assert is_alive(host.sentinel.pid)


async def test_no_rights_can_be_gained(session: JailedSession):
    tries = {
        "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0 or 1 / 0",
        "remount": "libc.mount(b'none', b'/', None, 0x1020, None) == 0 or 1 / 0",
        "unmount": "libc.umount2(b'/proc', 2) == 0 or 1 / 0",
        "user namespace": "libc.unshare(0x10000000) == 0 or 1 / 0",
        "mount namespace": "libc.unshare(0x00020000) == 0 or 1 / 0",
        "clone into a namespace": f"call({number('clone', os.uname().machine)}, 0x10000011, 0, 0, 0, 0)",
        "clone3": "call(435, ctypes.create_string_buffer(88), 88)",
        "other namespace": "libc.setns(os.open('/proc/1/ns/mnt', os.O_RDONLY), 0) == 0 or 1 / 0",
        "root": "os.setuid(0)",
        "root group": "os.setgid(0)",
        "groups": "os.setgroups([0])",
        "chroot": "os.chroot('/tmp')",
        "su": "subprocess.run(['su', '-c', 'id'], check=True, stdin=subprocess.DEVNULL)",
        "nice": "os.nice(-10)",
        "host name": "socket.sethostname('x')",
        "clock": "__import__('time').clock_settime(0, 1)",
        "device": "os.mknod('zero', 0o20666, os.makedev(1, 5))",
        "more processes": "__import__('resource').setrlimit(6, (10**6, 10**6))",
    }

    assert await attempts(session, tries) == all_blocked(tries)
    ids = await attempts(session, {"user": "os.getresuid()[0] != 0 and os.getresgid()[0] != 0"})
    assert ids == {"user": "True"}


async def test_capabilities_are_none_and_cannot_be_gained(session: JailedSession, tier: str):
    code = "libc.prctl(39, 0, 0, 0, 0), [libc.prctl(23, n, 0, 0, 0) for n in range(40)]"

    found = await attempts(session, {"no new privileges, bounding set": code})

    if tier == "bubblewrap":
        assert found["no new privileges, bounding set"] == repr((1, [0] * 40))
    header = "(ctypes.c_uint32 * 2)(0x20080522, 0)"
    capget = 125 if X86 else 90
    code = f"(lambda h, d: (call({capget}, h, d), list(d)[:3])[1])({header}, (ctypes.c_uint32 * 6)())"
    assert await attempts(session, {"capabilities": code}) == {"capabilities": "[0, 0, 0]"}


async def test_rare_doors_of_the_kernel_are_shut(session: JailedSession):
    machine = os.uname().machine
    names = [
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "bpf",
        "io_uring_setup",
        "userfaultfd",
        "perf_event_open",
        "keyctl",
        "add_key",
        "request_key",
        "open_by_handle_at",
        "name_to_handle_at",
        "kcmp",
        "pidfd_getfd",
        "fanotify_init",
        "syslog",
        "quotactl",
        "reboot",
        "kexec_load",
        "init_module",
        "finit_module",
        "delete_module",
        "memfd_secret",
        "statmount",
        "mount_setattr",
        "fsopen",
        "open_tree",
        "move_mount",
        "pivot_root",
        "acct",
        "swapon",
        "semget",
        "msgget",
        "mq_open",
    ]
    tries = {name: f"call({number(name, machine)}, 0, 0, 0, 0, 0, 0)" for name in names}
    tries |= {
        "a call of tomorrow's kernel": "call(600, 0, 0, 0)",
        "typing into a terminal": "__import__('fcntl').ioctl(0, 0x5412, b'x')",
        "hiding from the watchdog": "libc.prctl(4, 0, 0, 0, 0) == 0 or 1 / 0",
        "being traced by all": "libc.prctl(0x59616D61, -1, 0, 0, 0) == 0 or 1 / 0",
        "another personality": "libc.personality(0x0400000) >= 0 or 1 / 0",
    }
    if X86:
        tries["the x32 numbers"] = "call(0x40000000 + 39)"  # getpid

    found = await attempts(session, tries)

    assert found == all_blocked(tries)


@pytest.mark.skipif(not X86, reason="only x86 has a second kind of system call")
async def test_calls_in_the_old_way_kill_the_process(session: JailedSession):
    # mov eax, 20 (getpid); int 0x80; ret
    code = """
    import ctypes, mmap, os, signal
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    child = os.fork()
    if child == 0:
        call()
        os._exit(0)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]))
    """

    ran = await run(session, textwrap.dedent(code))

    assert int(ran.text) in (
        signal.SIGSYS,
        signal.SIGSEGV,
    )  # the second where the kernel has no such calls at all


async def test_other_processes_cannot_be_seen(session: JailedSession, tier: str, host: Host):
    tries = {
        "kernel memory": "open('/proc/kcore', 'rb').read(1)",
        "magic keys": "open('/proc/sysrq-trigger', 'w').write('h')",
        "kernel log": "open('/dev/kmsg').read(1)",
        "settings": "open('/proc/sys/kernel/hostname', 'w').write('x')",
        "memory of the parent": "open(f'/proc/{os.getppid()}/mem', 'rb')",
        "descriptors of the first process": "os.listdir('/proc/1/fd')",
        "sentinel": f"open('/proc/{host.sentinel.pid}/cmdline').read()",
    }

    assert await attempts(session, tries) == all_blocked(tries)
    seen = await attempts(session, {"pids": "len([n for n in os.listdir('/proc') if n.isdigit()])"})
    assert seen == {"pids": "2" if tier == "bubblewrap" else "blocked"}
    if tier == "bubblewrap":
        assert await attempts(session, {"name": "os.uname().nodename"}) == {"name": "'sandbox'"}


async def test_no_descriptor_leads_out(session: JailedSession):
    code = """
    import os, stat
    kinds = []
    for descriptor in range(4096):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue
        kinds.append(stat.S_IFMT(mode))
    print([{stat.S_IFCHR: "device", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}.get(k, "other") for k in kinds])
    """

    ran = await run(session, textwrap.dedent(code))

    assert sorted(json.loads(ran.text.replace("'", '"'))) == ["device", "pipe", "pipe", "pipe", "socket"]


async def test_outputs_cannot_be_links_pipes_or_devices(session: JailedSession, host: Host):
    code = f"""
    import os
    os.symlink({str(host.secret)!r}, "secret.txt")
    os.symlink("/etc/passwd", "passwd.txt")
    os.symlink("/dev/zero", "zero.bin")
    os.symlink({str(host.secret.parent)!r}, "folder")
    try:
        os.mkfifo("pipe.txt")
    except OSError:
        pass
    open("honest.txt", "w").write("yes")
    open("bad\\nname", "w").write("no")
    """

    ran = await run(session, textwrap.dedent(code))

    assert [file.name for file in ran.done.files] == ["honest.txt"]
    assert [file.name for file in await session.list()] == ["honest.txt"]
    names = [
        "secret.txt",
        "passwd.txt",
        "zero.bin",
        "pipe.txt",
        "folder/secret.txt",
        "../x",
        "/etc/passwd",
        "..",
    ]
    for name in names:
        with pytest.raises(NotFound):
            [part async for part in session.read(name)]
    assert b"".join([part async for part in session.read("honest.txt")]) == b"yes"


async def test_a_file_put_over_a_link_does_not_follow_it(session: JailedSession, host: Host):
    async def source():
        yield b"overwritten"

    await run(session, f"import os; os.symlink({str(host.secret)!r}, 'data.csv')")

    await session.put("data.csv", source())

    assert host.secret.read_text() == host.token
    for name in ("../x", "/x", "", "a//b", "a\nb", "a/../b", "x" * 300):
        with pytest.raises(InvalidRequest):
            await session.put(name, source())


FORGERIES = {
    "oversized": "struct.pack('!II', 2**31, 0)",
    "oversized bytes": "struct.pack('!II', 13, 2**30) + b'{\"op\":\"text\"}'",
    "not JSON": "struct.pack('!II', 4, 0) + b'{[}]'",
    "deep JSON": "struct.pack('!II', 100000, 0) + b'[' * 100000",
    "not an object": "struct.pack('!II', 2, 0) + b'[]'",
    "no text": "frame({'op': 'text', 'text': 5})",
    "no such op": "frame({'op': 'exec', 'code': '1'})",
    "not a picture": "frame({'op': 'image'}, b'<svg/>')",
    "files of the wrong kind": "frame({'op': 'done', 'failed': False, 'files': [['a', -1]]})",
    "failed of the wrong kind": "frame({'op': 'done', 'failed': 'no', 'files': []})",
    "too much text": "b''.join(frame({'op': 'text', 'text': 'x' * 500_000}) for _ in range(6))",
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_frame_ends_its_session_only(sandbox: Sandbox, session: JailedSession, forgery: str):
    code = f"""
    import json, os, socket, stat, struct, time
    def frame(fields, blob=b""):
        body = json.dumps(fields).encode()
        return struct.pack("!II", len(body), len(blob)) + body + blob
    for n in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(n).st_mode):
                channel = n
        except OSError:
            pass
    data = {FORGERIES[forgery]}
    while data:
        data = data[os.write(channel, data):]
    time.sleep(60)
    """
    other = await sandbox.open()

    ran = await run(session, textwrap.dedent(code))

    assert ran.done.ended == "The session was ended: it sent something that is not an output."
    assert (await run(other, "6 * 7")).text == "42\n"
    await other.close()


async def test_a_session_that_kills_itself_says_so(session: JailedSession):
    ran = await run(session, "import os; os._exit(0)")

    assert ran.done.ended == "The session's process ended: its variables and files are gone."
    with pytest.raises(SessionEnded):
        await session.list()


async def test_children_that_a_cell_leaves_behind_end_with_the_session(session: JailedSession):
    code = """
    import os, signal, subprocess
    for sort in range(3):
        if os.fork() == 0:
            try:
                if sort:
                    os.setsid()
                    if sort == 2 and os.fork():
                        os._exit(0)
            except OSError:
                pass
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            while True:
                signal.pause()
    subprocess.Popen(["sleep", "1000"])
    print("left")
    """

    ran = await run(session, textwrap.dedent(code))

    assert ran.text.endswith("left\n")  # the session fixture waits until they are gone


async def test_a_killed_server_leaves_no_process(sandbox: Sandbox, tier: str):
    code = f"""
    import asyncio, sys
    from pathlib import Path
    from assistants_api.sandbox.config import SandboxConfig
    from assistants_api.sandbox.opening import open_sandbox
    from assistants_api.sandbox.watchdog import descendants
    import os
    async def main():
        sandbox = await open_sandbox({tier!r}, SandboxConfig(Path({str(environment())!r})))
        sessions = [await sandbox.open() for _ in range(2)]
        async for _ in sessions[0].execute("import os\\nfor _ in range(3):\\n    if os.fork() == 0:\\n        while True: pass", 5):
            pass
        print(*descendants(os.getpid()), flush=True)
        await asyncio.Event().wait()
    asyncio.run(main())
    """
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": "src"},
        cwd=ROOT,
    )
    assert server.stdout is not None
    pids = [int(word) for word in (await asyncio.to_thread(server.stdout.readline)).split()]
    assert len(pids) >= 7

    server.kill()
    server.wait()
    server.stdout.close()

    await until(lambda: not [pid for pid in pids if is_alive(pid)])


async def test_a_user_of_its_own_runs_the_session_of_a_root_server(session: JailedSession):
    if os.geteuid() != 0:
        pytest.skip("this server is not root")
    *_, guest = descendants(session.jail.process.pid)
    assert 52000 <= Path(f"/proc/{guest}").stat().st_uid < 60000
