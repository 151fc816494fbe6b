"""The HTTP server: uvicorn's, with an order in which it stops, and for what some clients send."""

import asyncio
import signal
from types import FrameType

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HttpServer(uvicorn.Server):
    """The HTTP server; SIGTERM asks it to stop in order, another or Ctrl-C at once; the rest is uvicorn's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.terminated = asyncio.Event()
        self.hurried = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does; unlike uvicorn's own, these do not kill the process once it has stopped."""
        again = self.terminated.is_set()
        if sig not in (signal.SIGTERM, signal.SIGINT) or (sig == signal.SIGINT and self.hurried.is_set()):
            super().handle_exit(sig, frame)
            return
        self._loop.call_soon_threadsafe(self.terminated.set)
        if again or sig == signal.SIGINT:
            self._loop.call_soon_threadsafe(self.hurried.set)

    @property
    def is_answering(self) -> bool:
        """Whether any request is open."""
        return bool(self.server_state.tasks)

    async def stop_listening(self, grace: float) -> None:
        """Take no new connection and, `grace` seconds later, no new request on an old one."""
        for listener in self.servers:
            listener.close()
        await asyncio.sleep(grace)
        for connection in list(self.server_state.connections):
            connection.shutdown()


class Connection(HttpToolsProtocol):
    """uvicorn's, where a request that offers another protocol is read like any other.

    Java's client offers HTTP/2 with every request to a plain address, and the parser takes what follows such
    an offer, the body, for the other protocol's.
    """

    def on_headers_complete(self) -> None:
        if not self._is_offer:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._is_offer:
            super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as end:
                if self._is_offer:
                    data = self._without_offer() + data[end.args[0] :]
                    self.parser = self._anew()
                    continue
                self._refuse()
            except httptools.HttpParserError:
                self._refuse()
            return

    def _anew(self) -> httptools.HttpRequestParser:
        """A parser like the first; one that has read a connection's last request reads no other."""
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _refuse(self) -> None:
        self.logger.warning("Invalid HTTP request received.")
        self.send_400_response("Invalid HTTP request received.")

    @property
    def _is_offer(self) -> bool:
        """Whether the parser stops after this request's head; a CONNECT is none, and is refused."""
        return self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers)

    def _without_offer(self) -> bytes:
        """The request up to its body, as if nothing had been offered."""
        version = self.parser.get_http_version().encode()
        kept = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%s %s HTTP/%s\r\n%s\r\n" % (self.parser.get_method(), self.url, version, b"".join(kept))
