"""Blobs in an object store, against a small stand-in that speaks as much of S3 as is used."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from assistants_api.blobs.objects import ObjectBlobs
from assistants_api.domain.errors import Unavailable


class S3(BaseHTTPRequestHandler):
    """PUT, GET, DeleteObjects and ListObjectsV2 over one dictionary."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, tuple[bytes, datetime]]

    is_closed = False  # it refuses whatever it is asked

    def parse_request(self) -> bool:
        is_read = super().parse_request()
        if is_read and self.is_closed:
            self.close_connection = True
            self._answer(403, b"<Error><Code>AccessDenied</Code><Message>secret</Message></Error>")
            return False
        return is_read

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.objects[self._key] = (body, datetime.now(UTC))
        self._answer(200, b"", etag='"1"')

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            prefix = query.get("prefix", [""])[0]
            entries = "".join(
                f"<Contents><Key>{key}</Key><LastModified>{at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
                f"<ETag>1</ETag><Size>{len(body)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
                for key, (body, at) in self.objects.items()
                if key.startswith(prefix)
            )
            page = f"<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
            self._answer(200, page.encode())
        elif self._key in self.objects:
            body, at = self.objects[self._key]
            self._answer(200, body, etag='"1"', last_modified=f"{at:%a, %d %b %Y %H:%M:%S} GMT")
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_POST(self) -> None:
        """DeleteObjects."""
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        keys = re.findall("<Key>(.*?)</Key>", body)
        for key in keys:
            self.objects.pop(key, None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    @property
    def _key(self) -> str:
        return urlsplit(self.path).path.removeprefix("/bucket/")

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ObjectBlobs, dict]]:
    """Blobs under a prefix of a bucket, and the objects that lie there."""
    handler = type("Handler", (S3,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    yield ObjectBlobs("s3://bucket/files", f"http://127.0.0.1:{server.server_port}"), handler.objects
    server.shutdown()
    server.server_close()


async def pieces(*parts: bytes):
    for part in parts:
        yield part


async def test_a_blob_comes_back_and_is_removed(stored):
    blobs, objects = stored
    key = await blobs.write(pieces(b"one ", b"two"))

    assert list(objects) == [f"files/{key}"]
    assert b"".join([piece async for piece in blobs.read(key)]) == b"one two"
    async with blobs.local(key) as path:
        assert path.read_bytes() == b"one two"
    await blobs.remove([key, "absent"])
    assert objects == {}
    with pytest.raises(FileNotFoundError):
        [piece async for piece in blobs.read(key)]


async def test_a_store_that_does_not_serve_is_told_and_what_is_removed_meanwhile_is_left_to_the_sweep(
    stored, monkeypatch, caplog
):
    blobs, objects = stored
    key = await blobs.write(pieces(b"one"))
    with monkeypatch.context() as patch:
        patch.setattr(S3, "is_closed", True)
        with pytest.raises(Unavailable, match="does not serve") as told:
            await blobs.write(pieces(b"two"))
        with pytest.raises(Unavailable):
            [piece async for piece in blobs.read(key)]
        await blobs.remove([key])

    assert "127.0.0.1" not in told.value.message
    assert caplog.text.count("does not serve") == 3
    assert [key async for key in blobs.older_than(-1)] == [key]
    await blobs.remove([key])
    assert objects == {}


async def test_an_upload_that_breaks_off_leaves_nothing(stored):
    blobs, objects = stored

    async def broken():
        yield b"half"
        raise RuntimeError("the client went away")

    with pytest.raises(RuntimeError):
        await blobs.write(broken())
    assert objects == {}


async def test_old_blobs_are_listed_by_their_keys(stored):
    blobs, objects = stored
    old, new = await blobs.write(pieces(b"old")), await blobs.write(pieces(b"new"))
    body, at = objects[f"files/{old}"]
    objects[f"files/{old}"] = (body, at - timedelta(hours=3))

    assert [key async for key in blobs.older_than(3600)] == [old]
    assert f"files/{new}" in objects


async def test_what_others_keep_there_is_none_of_ours(stored):
    blobs, objects = stored
    old = datetime.now(UTC) - timedelta(hours=3)
    objects |= {
        f"files/{key}": (b"precious", old) for key in ("backup.sql", "0" * 31, "0" * 33, f"x/{'0' * 32}")
    }

    assert [key async for key in blobs.older_than(3600)] == []


async def test_they_belong_to_the_database_that_asked_first(stored):
    blobs, _ = stored

    assert [await blobs.owner(name) for name in ("first", "second", "first")] == ["first"] * 3
    assert [key async for key in blobs.older_than(-1)] == []
