"""The guest: an IPython shell that runs cells, shows what they put out, and hands files over.

Started inside the jail as `session.py ORDER`; ORDER is a JSON object: `channel` (a descriptor), `data` (the
place of /mnt/data), `filter` (byte code in hex), `limits`. Everything here can be changed by the code that it
runs: the host believes none of it.
"""

import ast
import base64
import fcntl
import json
import logging
import mimetypes
import os
import queue
import re
import resource
import signal
import stat
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from frames import Channel
from kernel import control, load_filter
from printed import SHOWN, Printed

PR_SET_DUMPABLE = 4
PIECE = 1 << 20
LONGEST_NAME = 1536  # characters of JSON: whatever is longer has more than the 512 bytes that the host takes
PRELOAD = """
import io
import numpy, pandas, stack_data
import matplotlib.pyplot as plt
plt.figure()
plt.plot([1, 2])
plt.title("x")
plt.savefig(io.BytesIO(), format="png")
plt.close("all")
"""


def limit(limits: dict[str, int]) -> None:
    """Applies the limits that the kernel keeps for each process."""
    for what, most in (
        (resource.RLIMIT_AS, limits["address_space"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_NOFILE, limits["descriptors"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    # A write beyond the file limit is an error to the code, not the end of the session.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.nice(5)  # the server and its model come first


class Moved(ast.NodeTransformer):
    """Where the jail has no mounts of its own, '/mnt/data' and '/tmp' in a cell are the session's folders."""

    _NAMED = re.compile(rf"{SHOWN}|(?<![\w./-])/tmp(?![\w.-])")

    def __init__(self, data: str, temporary: str) -> None:
        self._folders = {SHOWN: data, "/tmp": temporary}

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """Texts that name a folder."""
        value = node.value
        if isinstance(value, str) and self._NAMED.search(value):
            moved = self._NAMED.sub(lambda match: self._folders[match[0]], value)
            return ast.copy_location(ast.Constant(moved), node)
        return node


class Once(logging.Filter):
    """Lets a warning pass once in a cell: matplotlib tells of a missing font at every text of a figure."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        is_new = message not in self.told
        self.told.add(message)
        return is_new


class Guest:
    """Runs what the host asks for, one thing after the other."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._limits = order["limits"]
        self._data = order["data"]
        self._channel = Channel(order["channel"])
        self._asked: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
        self._printed = Printed(self._channel, self._data, self._limits)
        os.register_at_fork(after_in_child=self._channel.close)
        os.chdir(self._data)
        self._shell = self._new_shell()
        self._known = dict(self._files())
        self._once = Once()
        logging.getLogger("matplotlib.font_manager").addFilter(self._once)
        signal.signal(signal.SIGINT, too_late)
        self._main = threading.get_ident()

    def serve(self) -> None:
        """Until the host is gone."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._channel.send("ready")
        while True:
            message, blob = self._asked.get()
            try:
                getattr(self, "_do_" + message["op"])(message, blob)
            except Exception as error:
                self._channel.send("no", why=f"{type(error).__name__}: {error}"[:500])

    def _listen(self) -> None:
        try:
            while True:
                message, blob = self._channel.receive()
                if message["op"] == "interrupt":
                    signal.pthread_kill(self._main, signal.SIGINT)
                else:
                    self._asked.put((message, blob))
        except (EOFError, OSError):
            os._exit(0)

    def _do_load(self, message: dict[str, Any], blob: bytes) -> None:
        exec(PRELOAD, {})
        self._channel.send("ok")

    def _do_run(self, message: dict[str, Any], blob: bytes) -> None:
        failed = True
        self._once.told.clear()
        self._printed.begin()
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            failed = not self._shell.run_cell(message["code"], store_history=True).success
        except BaseException as error:  # SystemExit and interrupts between our own lines
            self._printed.send(f"{type(error).__name__}\n")
        finally:
            signal.signal(signal.SIGINT, too_late)
        files = dict(self._files())
        made = [(name, mark[0]) for name, mark in files.items() if self._known.get(name) != mark]
        self._known = files
        most = self._limits["listed_files"]
        if len(made) > most:
            self._printed.send(f"[{len(made) - most} more new files are left out.]\n")
        self._printed.end()
        self._channel.send("done", failed=failed, files=made[:most])

    def _do_put(self, message: dict[str, Any], blob: bytes) -> None:
        path = os.path.join(self._data, message["name"])
        if message["first"]:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.lexists(path):
                os.unlink(path)
        with open(path, "ab") as file:
            file.write(blob)
        self._known = dict(self._files())
        self._channel.send("ok")

    def _do_discard(self, message: dict[str, Any], blob: bytes) -> None:
        os.unlink(os.path.join(self._data, message["name"]))
        self._channel.send("ok")

    def _do_read(self, message: dict[str, Any], blob: bytes) -> None:
        path = os.path.join(self._data, message["name"])
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags)
        except PermissionError:  # the code's own doing: it is its user's file
            os.chmod(path, 0o600)
            descriptor = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("not a regular file")
            part = os.pread(descriptor, PIECE, message["offset"])
        finally:
            os.close(descriptor)
        self._channel.send("piece", part)

    def _do_list(self, message: dict[str, Any], blob: bytes) -> None:
        files = [(name, mark[0]) for name, mark in self._files()]
        self._channel.send("files", files=files[: self._limits["listed_files"]])

    def _files(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        """Names of regular files with size, time and inode; links and devices are none.

        A name that the host would not take is left out: many long ones would make too large a frame.
        """
        for folder, folders, names in os.walk(self._data):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = os.path.join(folder, name)
                try:
                    facts = os.lstat(path)
                except OSError:
                    continue
                name = os.path.relpath(path, self._data)
                if stat.S_ISREG(facts.st_mode) and len(json.dumps(name)) <= LONGEST_NAME:
                    yield name, (facts.st_size, facts.st_mtime_ns, facts.st_ino)

    def show(self, data: dict[str, Any]) -> None:
        """What a notebook would show of a value: its picture, else its text."""
        picture = data.get("image/png")
        if picture is None and "image/jpeg" in data:
            picture = as_png(data["image/jpeg"])
        if picture is not None:
            raw = base64.b64decode(picture) if isinstance(picture, str) else picture
            self._printed.send_picture(raw)
        elif "text/plain" in data:
            self._printed.send(f"{data['text/plain']}\n")

    def _new_shell(self) -> Any:
        from IPython.core.displayhook import DisplayHook
        from IPython.core.displaypub import DisplayPublisher
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        guest = self

        class Hook(DisplayHook):
            """Shows the last expression of a cell."""

            def write_output_prompt(self) -> None:
                """No 'Out[1]:'."""

            def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
                guest.show(format_dict)

            def finish_displayhook(self) -> None:
                """No empty lines."""

        class Publisher(DisplayPublisher):
            """Shows what `display` and figures publish."""

            def publish(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
                guest.show(data)

        class Shell(InteractiveShell):
            """IPython without a terminal and without a history file."""

            displayhook_class = Hook
            display_pub_class = Publisher

            def system(self, cmd: str) -> None:
                """`!command`, with its output among the cell's."""
                import subprocess

                sys.stdout.flush()
                self.user_ns["_exit_code"] = subprocess.call(self.var_expand(cmd, depth=1), shell=True)

            def ask_exit(self) -> None:
                """`exit()` ends the cell, not the session."""
                raise SystemExit

            def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
                """Among the cell's output, wherever the code lets its own go."""
                guest._printed.send(f"{self.InteractiveTB.stb2text(stb)}\n")

            def enable_gui(self, gui: Any = None) -> None:
                """There is no screen."""

        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.xmode = "Context"
        config.InteractiveShell.enable_tip = False
        # What it says of `exit()` is for people at a prompt.
        warnings.filterwarnings("ignore", "To exit: use")
        shell = Shell.instance(config=config)
        if self._data != SHOWN:
            # It reads files of the host where they exist, and takes it badly when it may not.
            mimetypes.knownfiles.clear()
            shell.ast_transformers.append(Moved(self._data, os.environ["TMPDIR"]))
        return shell


def too_late(*_: Any) -> None:
    """An interrupt that comes when no cell runs."""


def as_png(picture: str | bytes) -> bytes:
    """Another kind of picture as PNG."""
    import io

    from PIL import Image

    raw = base64.b64decode(picture) if isinstance(picture, str) else picture
    sink = io.BytesIO()
    image = Image.open(io.BytesIO(raw))
    # PNG has no colours of print.
    (image.convert("RGB") if image.mode == "CMYK" else image).save(sink, "png")
    return sink.getvalue()


def close_others(channel: int) -> None:
    """Whatever else was inherited must not be seen by the code."""
    os.closerange(3, channel)
    os.closerange(channel + 1, 65536)
    fcntl.fcntl(channel, fcntl.F_SETFD, fcntl.FD_CLOEXEC)


def prepare_home() -> None:
    """matplotlib wants to write beside its font list."""
    import shutil

    source = os.environ["SANDBOX_MATPLOTLIB"]
    target = os.environ["MPLCONFIGDIR"]
    os.makedirs(target, exist_ok=True)
    for name in os.listdir(source):
        shutil.copyfile(os.path.join(source, name), os.path.join(target, name))


def split(channel: int, program: bytes) -> None:
    """The first process of a namespace becomes its keeper, and a child goes on as the guest.

    The keeper collects orphans, and its end is the end of all. It has the guest's user, so it makes itself
    unreadable to it: whoever could write to its memory could undo that it dies with the server.
    """
    waits, goes = os.pipe()
    guest = os.fork()
    if guest == 0:
        os.close(goes)
        os.read(waits, 1)
        os.close(waits)
        return
    os.close(channel)
    control(PR_SET_DUMPABLE, 0)
    load_filter(program)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, goes)
    os.close(goes)
    while os.wait()[0] != guest:
        pass
    os._exit(0)


def main(order: dict[str, Any]) -> None:
    """The whole life of a guest."""
    close_others(order["channel"])
    program = bytes.fromhex(order["filter"])
    if os.getpid() == 1:
        split(order["channel"], program)
    limit(order["limits"])
    load_filter(program)
    prepare_home()
    # What was only for starting is not for the code to see.
    sys.argv = [""]
    sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]
    sys.path.insert(0, "")
    Guest(order).serve()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
