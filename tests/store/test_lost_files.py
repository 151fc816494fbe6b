"""A commit of which nobody knows whether it was done: bytes that a row may name are kept."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from assistants_api.blobs.disk import DiskBlobs
from assistants_api.domain.errors import DatabaseAway, InvalidRequest
from assistants_api.domain.file import NewFile
from assistants_api.domain.prompt import ToolCall
from assistants_api.domain.thread import NewThread
from assistants_api.domain.upload import NewUpload
from assistants_api.services import files, uploads
from assistants_api.services.sweeping import forget_old
from assistants_api.services.threads import create_thread
from assistants_api.store.opening import open_database, sqlite_url
from assistants_api.store.wake import Wake
from assistants_api.tools.code_interpreter import Answer, Picture
from assistants_api.tools.running_code import RunningCode

NOW = datetime.now(UTC)


class Untold:
    """A database whose commits are done from the `first` on without anybody being told."""

    def __init__(self, db, first=1):
        self._db = db
        self._told = first - 1
        self.is_done = asyncio.Event()
        self.is_away = True

    @asynccontextmanager
    async def begin(self):
        async with self._db.begin() as tx:
            yield tx
        if self._told:
            self._told -= 1
            return
        self.is_done.set()
        if self.is_away:
            raise DatabaseAway("The database cannot be reached.")
        await asyncio.Event().wait()

    def read(self, **given):
        return self._db.read(**given)


class Drawing:
    """A code interpreter whose code draws a figure."""

    async def run(self, key, code, files, **given):
        yield Picture("image-1.png", b"words")
        yield Answer("", False)


async def words():
    yield b"words"


async def make_file(db, blobs):
    blob = await blobs.write(words())
    return Untold(db), lambda db: files.create_file(db, blobs, NewFile("a.txt", "vision"), blob, 5, NOW)


async def add_part(db, blobs):
    upload = (await uploads.create_upload(db, NewUpload("a.txt", "vision", 5, "text/plain"), NOW)).upload
    blob = await blobs.write(words())
    return Untold(db), lambda db: uploads.add_upload_part(db, blobs, upload.id, blob, 5, NOW)


async def complete(db, blobs):
    upload = (await uploads.create_upload(db, NewUpload("a.txt", "vision", 5, "text/plain"), NOW)).upload
    part = await uploads.add_upload_part(db, blobs, upload.id, await blobs.write(words()), 5, NOW)
    return Untold(db), lambda db: uploads.complete_upload(db, blobs, upload.id, [part.id], None, NOW)


async def draw(db, blobs):
    thread = await create_thread(db, NewThread(), NOW)

    async def run(db):
        code = RunningCode(Drawing(), db, blobs, thread.id, (), owner="w", had_code=False)
        async for _ in code(ToolCall("call_1", "code_interpreter", "{}")):
            pass

    return Untold(db, first=2), run


@pytest.mark.parametrize("is_cancelled", [False, True])
@pytest.mark.parametrize("prepare", [make_file, add_part, complete, draw])
async def test_bytes_that_a_row_names_are_kept_though_the_commit_seems_to_fail(
    db, tmp_path, prepare, is_cancelled
):
    blobs = DiskBlobs(tmp_path / "blobs")
    untold, act = await prepare(db, blobs)
    untold.is_away = not is_cancelled

    task = asyncio.create_task(act(untold))
    await untold.is_done.wait()
    if is_cancelled:
        task.cancel()
    with pytest.raises(asyncio.CancelledError if is_cancelled else DatabaseAway):
        await task

    [named] = await kept(db, blobs)
    assert [piece async for piece in blobs.read(named)] == [b"words"]


async def kept(db, blobs):
    """Those of the blobs that a row names."""
    keys = [key async for key in blobs.older_than(-1.0)]
    async with db.read() as tx:
        return await tx.files.blobs(keys)


async def test_bytes_of_a_commit_that_was_not_done_are_swept(db, tmp_path, monkeypatch):
    blobs = DiskBlobs(tmp_path / "blobs")

    class Away:
        @asynccontextmanager
        async def begin(self):
            async with db.begin() as tx:
                yield tx
                raise DatabaseAway("The database cannot be reached.")

    new, blob = NewFile("a.txt", "vision"), await blobs.write(words())
    with pytest.raises(DatabaseAway):
        await files.create_file(Away(), blobs, new, blob, 5, NOW)
    monkeypatch.setattr("assistants_api.services.sweeping._ORPHAN_SECONDS", -1.0)
    await forget_old(db, blobs)

    assert [key async for key in blobs.older_than(-1.0)] == []


async def test_bytes_that_belong_to_another_database_are_left_alone(db, tmp_path, monkeypatch, caplog):
    """Somebody tries another database, and the files of the first still lie there."""
    monkeypatch.setattr("assistants_api.services.sweeping._ORPHAN_SECONDS", -1.0)
    blobs = DiskBlobs(tmp_path / "blobs")
    blob = await blobs.write(words())
    await files.create_file(db, blobs, NewFile("a.txt", "vision"), blob, 5, NOW)
    await forget_old(db, blobs)
    (tmp_path / "other").mkdir()
    other = await open_database(sqlite_url(tmp_path / "other"), Wake())

    await forget_old(other, blobs)

    assert [key async for key in blobs.older_than(-1.0)] == [blob]
    assert "the stored files belong to another database" in caplog.text
    await other.close()


async def test_bytes_of_a_refused_part_are_removed_at_once(db, tmp_path):
    blobs = DiskBlobs(tmp_path / "blobs")
    upload = (await uploads.create_upload(db, NewUpload("a.txt", "vision", 5, "text/plain"), NOW)).upload
    await uploads.cancel_upload(db, blobs, upload.id, NOW)

    with pytest.raises(InvalidRequest):
        await uploads.add_upload_part(db, blobs, upload.id, await blobs.write(words()), 5, NOW)

    assert [key async for key in blobs.older_than(-1.0)] == []
