"""What a guest and its programs print and show, taken from their descriptors, sent as text and pictures."""

import codecs
import contextlib
import os
import select
import sys
import threading
from typing import Any

from frames import Channel

SHOWN = "/mnt/data"
STREAMS = {"stdout": 1, "stderr": 2}


class Printed:
    """Descriptors 1 and 2 of the guest and all its children: one pipe, read here and sent as text.

    Pictures go the same way. Between two cells the host expects answers and no outputs, so what a thread
    shows then is dropped.
    """

    def __init__(self, channel: Channel, data: str, limits: dict[str, int]) -> None:
        self._channel = channel
        self._shown = {os.environ["TMPDIR"]: "/tmp", data: SHOWN, sys.prefix: "/opt/python-env"}
        self._limits = limits
        self._is_open = False
        self._left = 0
        self._pictures_left = 0
        self._lock = threading.Lock()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._source, sink = os.pipe()
        os.set_blocking(self._source, False)
        for descriptor in (1, 2):
            os.dup2(sink, descriptor)
        os.close(sink)
        for name in STREAMS:
            renew(name)
        threading.Thread(target=self._pump, daemon=True).start()

    def begin(self) -> None:
        """From here on text belongs to a cell; what was printed between two cells belongs to none.

        A stream that code has put in the place of ours stays; one that it has closed or taken away is
        renewed.
        """
        for name in STREAMS:
            if not is_open(getattr(sys, name, None)):
                renew(name)
        with self._lock:
            self._take()
            self._is_open = True
            self._left = self._limits["text"]
            self._pictures_left = self._limits["images"]

    def end(self) -> None:
        """Everything that was printed until now is sent."""
        for name in STREAMS:
            flush(name)
        with self._lock:
            self._take()
            self._is_open = False

    def send(self, text: str) -> None:
        """Sends text in its place among what was printed."""
        flush("stdout")
        with self._lock:
            self._take()
            self._forward(text)

    def send_picture(self, png: bytes) -> None:
        """Sends a picture in its place among what was printed, or says that it is left out."""
        flush("stdout")
        with self._lock:
            self._take()
            if not self._is_open:
                return
            if self._pictures_left and len(png) <= self._limits["image"]:
                self._pictures_left -= 1
                self._channel.send("image", png)
            else:
                self._forward("[A picture is left out: there are too many, or it is too big.]\n")

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
        if not text or not self._is_open or self._left <= 0:
            return
        for folder, name in self._shown.items():
            text = text.replace(folder, name)
        kept = text[: self._left]
        self._left -= len(kept)
        if not self._left:
            kept += "\n[The rest of the output is left out.]\n"
        for start in range(0, len(kept), 1 << 16):
            self._channel.send("text", text=kept[start : start + (1 << 16)])


def renew(name: str) -> None:
    """Makes `sys.stdout` or `sys.stderr` anew, over its descriptor."""
    stream = open(  # noqa: SIM115  (lives as long as the guest)
        STREAMS[name], "w", encoding="utf-8", errors="replace", buffering=1, closefd=False
    )
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


def is_open(stream: Any) -> bool:
    """Whether it can be written to; what lost its buffer says so by an error."""
    try:
        return stream is not None and not getattr(stream, "closed", False)
    except ValueError:
        return False


def flush(name: str) -> None:
    """Whatever the code has made of the stream."""
    with contextlib.suppress(Exception):
        getattr(sys, name).flush()
