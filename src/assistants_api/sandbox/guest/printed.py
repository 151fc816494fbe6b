"""What a guest and the programs that it starts print, taken from their descriptors and sent as text."""

import codecs
import os
import select
import sys
import threading

from frames import Channel

SHOWN = "/mnt/data"


class Printed:
    """Descriptors 1 and 2 of the guest and all its children: one pipe, read here and sent as text."""

    def __init__(self, channel: Channel, data: str, most: int) -> None:
        self._channel = channel
        self._data = data
        self._most = most
        self._left = 0
        self._lock = threading.Lock()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._source, sink = os.pipe()
        os.set_blocking(self._source, False)
        for descriptor in (1, 2):
            os.dup2(sink, descriptor)
        os.close(sink)
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            stream = open(  # noqa: SIM115  (lives as long as the guest)
                descriptor, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False
            )
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        threading.Thread(target=self._pump, daemon=True).start()

    def begin(self) -> None:
        """From here on text belongs to a cell; what was printed between two cells belongs to none."""
        self._drain()
        self._left = self._most

    def end(self) -> None:
        """Everything that was printed until now is sent."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                continue
        self._drain()
        self._left = 0

    def send(self, text: str) -> None:
        """Sends text in its place among what was printed."""
        sys.stdout.flush()
        with self._lock:
            self._take()
            self._forward(text)

    def flush(self) -> None:
        """What was printed goes before what comes next."""
        sys.stdout.flush()
        self._drain()

    def _drain(self) -> None:
        with self._lock:
            self._take()

    def _pump(self) -> None:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        while True:
            poll.poll()
            with self._lock:
                self._take(1)

    def _take(self, most: int = 64) -> None:
        for _ in range(most):
            try:
                part = os.read(self._source, 1 << 16)
            except BlockingIOError:
                return
            self._forward(self._decoder.decode(part))

    def _forward(self, text: str) -> None:
        if not text or self._left <= 0:
            return
        if self._data != SHOWN:
            text = text.replace(self._data, SHOWN).replace(sys.prefix, "/opt/python-env")
        kept = text[: self._left]
        self._left -= len(kept)
        if not self._left:
            kept += "\n[The rest of the output is left out.]\n"
        for start in range(0, len(kept), 1 << 16):
            self._channel.send("text", text=kept[start : start + (1 << 16)])
