"""Clients that offer another protocol with their request, as Java's own does with HTTP/2 to every plain address."""

import json
import socket
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conformance.serving import serving

OFFER = (
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("upgrades"), [["Hello."]] * 9) as served:
        yield served


@pytest.fixture
def connection(server):
    """A socket that is connected to the server."""
    address = urlsplit(server.root)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connected:
        yield connected


@pytest.fixture
def replies(connection):
    """What the server sends on the socket."""
    with connection.makefile("rb") as stream:
        yield stream


def head(method: str, path: str, framing: str, offer: str = OFFER) -> bytes:
    """A request up to its body."""
    return (
        f"{method} {path} HTTP/1.1\r\n{offer}Host: localhost\r\nOpenAI-Beta: assistants=v2\r\n"
        f"Content-Type: application/json\r\n{framing}\r\n"
    ).encode()


def reply(replies: BinaryIO) -> dict:
    """The body of the next reply."""
    length = 0
    while line := replies.readline().strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    body: dict = json.loads(replies.read(length))
    return body


def posted(body: dict) -> bytes:
    data = json.dumps(body).encode()
    return head("POST", "/v1/assistants", f"Content-Length: {len(data)}\r\n") + data


def test_a_request_that_offers_http_2_is_read_with_its_body_and_answered_in_http_1(connection, replies):
    connection.sendall(posted({"model": "m", "name": "offered"}))

    assert reply(replies)["name"] == "offered"


def test_a_body_that_follows_an_offer_in_pieces_is_read_whole(connection, replies):
    name = "x" * 200
    request = posted({"model": "m", "name": name})
    for at in range(0, len(request), 50):
        connection.sendall(request[at : at + 50])

    assert reply(replies)["name"] == name


def test_a_chunked_body_that_follows_an_offer_is_read_whole(connection, replies):
    data = b'{"model": "m", "name": "chunked"}'
    connection.sendall(head("POST", "/v1/assistants", "Transfer-Encoding: chunked\r\n"))
    connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))

    assert reply(replies)["name"] == "chunked"


def test_a_connection_is_of_use_again_after_an_offer(connection, replies):
    for name in ("first", "second"):
        connection.sendall(posted({"model": "m", "name": name}))
        assert reply(replies)["name"] == name
    connection.sendall(head("GET", "/v1/assistants?limit=1", "", offer=""))

    assert reply(replies)["data"][0]["name"] == "second"


@pytest.mark.parametrize(
    ("version", "wish"), [(b"1.0", b"Upgrade"), (b"1.1", b"Upgrade, close")], ids=["1.0", "close"]
)
def test_an_offer_on_a_connection_that_is_to_close_is_answered(connection, replies, version, wish):
    offer = b"Connection: %s\r\nUpgrade: h2c\r\nHost: localhost\r\n\r\n" % wish
    connection.sendall(b"GET /health/live HTTP/%s\r\n%s" % (version, offer))

    assert replies.read().startswith(b"HTTP/1.1 200 ")


def test_requests_that_come_together_are_each_answered_whatever_they_offer(connection, replies):
    connection.sendall(b"".join(posted({"model": "m", "name": name}) for name in ("one", "two", "three")))

    assert [reply(replies)["name"] for _ in range(3)] == ["one", "two", "three"]


def test_an_offer_of_a_web_socket_is_a_request_like_any_other(server):
    offer = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}

    response = httpx.get(f"{server.root}/health/live", headers=offer)

    assert response.status_code == 200
