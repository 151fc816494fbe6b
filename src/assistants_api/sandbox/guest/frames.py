"""The guest's end of the channel: frames of two big-endian lengths, a JSON object, and raw bytes."""

import json
import socket
import struct
import threading
from typing import Any

HEADER = struct.Struct("!II")


class Channel:
    """The one open way out of the jail."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._lock = threading.Lock()

    def send(self, op: str, blob: bytes = b"", **fields: Any) -> None:
        """Sends a frame; what the code printed may hold characters that UTF-8 has no bytes for."""
        body = json.dumps({"op": op, **fields}).encode()
        with self._lock:
            self._socket.sendall(HEADER.pack(len(body), len(blob)) + body + blob)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """The next frame. Raises EOFError when the host is gone."""
        body, blob = HEADER.unpack(self._exactly(HEADER.size))
        return json.loads(self._exactly(body)), self._exactly(blob)

    def close(self) -> None:
        """For children of the guest: only the guest itself talks to the host."""
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._socket.recv(min(size - len(parts), 1 << 20))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)
