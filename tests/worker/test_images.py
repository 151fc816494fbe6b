"""Images of a thread: a model with vision is given their bytes, and nobody keeps those but their files."""

import base64
from datetime import UTC, datetime

import pytest

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.file import File, NewFile
from assistants_api.domain.message import NewMessage, image_part, text_part
from assistants_api.domain.prompt import ChatMessage, Prompt, Text
from assistants_api.domain.run import RunStatus
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.files import create_file, delete_file
from assistants_api.services.traces import get_trace
from assistants_api.worker import images
from assistants_api.worker.images import Images, kind_of
from tests.engine.upstreams import HELLO, asking
from tests.worker.conftest import house_over, knowledge_over

PNG = b"\x89PNG\r\n\x1a\n" + b"dots" * 300
URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
NOW = datetime.now(UTC)


class CountingBlobs:
    """Blobs that know how often they were read."""

    def __init__(self, blobs) -> None:
        self._blobs = blobs
        self.reads = 0

    def read(self, key):
        self.reads += 1
        return self._blobs.read(key)

    def __getattr__(self, name):
        return getattr(self._blobs, name)


async def pieces(data: bytes):
    yield data


async def a_file(db, blobs, data: bytes = PNG) -> File:
    new = NewFile("picture.png", "vision")
    return await create_file(db, blobs, new, await blobs.write(pieces(data)), len(data), NOW)


def showing(*files: File) -> Prompt:
    parts = ({"type": "text", "text": "What is this?"}, *(image_part(file.id) for file in files))
    return Prompt("run_1", "m", (ChatMessage("system", "See."), ChatMessage("user", parts)))


async def test_the_upstream_is_given_the_bytes_and_the_trace_keeps_the_id(sqlite_db, tmp_path):
    knowledge = knowledge_over(sqlite_db)
    knowledge.blobs = CountingBlobs(knowledge.blobs)
    file = await a_file(sqlite_db, knowledge.blobs)
    part = {"type": "image_file", "image_file": {"file_id": file.id, "detail": "low"}}
    address = {"type": "image_url", "image_url": {"url": "https://example.com/x.png", "detail": "auto"}}
    message = NewMessage("user", (text_part("What is this?"), part, address, part))
    async with (
        asking(HELLO) as (engine, upstream),
        house_over(sqlite_db, engine, knowledge=knowledge) as house,
    ):
        run = await house.start(message)
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
        trace = await get_trace(sqlite_db, run.thread_id, run.id)

    text = {"type": "text", "text": "What is this?"}
    seen = {"type": "image_url", "image_url": {"url": URL, "detail": "low"}}
    assert upstream.bodies[0]["messages"][-1]["content"] == [text, seen, address, seen]
    assert trace["turns"][0]["messages"][-1]["content"] == [text, part, address, part]
    assert knowledge.blobs.reads == 1
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*sqlite*"))
    assert file.id.encode() in written
    assert URL[30:90].encode() not in written


async def test_a_run_fails_with_what_is_wrong_with_its_image(sqlite_db):
    knowledge = knowledge_over(sqlite_db)
    file = await a_file(sqlite_db, knowledge.blobs, b"%PDF-1.7 no picture")
    async with house_over(sqlite_db, ScriptedEngine([[Text("ok")]]), knowledge=knowledge) as house:
        run = await house.start(NewMessage("user", (image_part(file.id),)))
        await house.events(run)
        ended = await house.run(run)

    assert ended.status is RunStatus.FAILED
    assert ended.last_error == {
        "code": "invalid_prompt",
        "message": f"The image file '{file.id}' cannot be shown to the model: it is no PNG, JPEG, GIF or WebP"
        " image.",
    }


async def test_images_that_are_left_out_are_not_read(sqlite_db):
    knowledge = knowledge_over(sqlite_db)
    file = await a_file(sqlite_db, knowledge.blobs)
    await knowledge.blobs.remove([file.blob])
    old = NewMessage("user", (text_part("word " * 40), image_part(file.id)))
    engine = ScriptedEngine([[Text("ok")]], context_window=64)
    async with house_over(sqlite_db, engine, knowledge=knowledge) as house:
        run = await house.start(old, NewMessage("user", (text_part("And now? " * 10),)))
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
    assert len(engine.prompts[0].messages) == 1


async def test_a_file_is_read_once_for_all_the_prompts_of_a_run(sqlite_db):
    blobs = CountingBlobs(knowledge_over(sqlite_db).blobs)
    shown = Images(sqlite_db, blobs)
    prompt = showing(await a_file(sqlite_db, blobs))

    first, second = await shown.in_place(prompt), await shown.in_place(prompt)

    assert first == second
    assert first.messages[1].content[1] == {"type": "image_url", "image_url": {"url": URL, "detail": "auto"}}
    assert blobs.reads == 1


async def test_a_prompt_without_images_stays_as_it_is(sqlite_db):
    prompt = Prompt("run_1", "m", (ChatMessage("user", "Hi"),))

    assert await Images(sqlite_db, knowledge_over(sqlite_db).blobs).in_place(prompt) is prompt


@pytest.mark.parametrize("gone", ["row", "bytes"])
async def test_a_file_that_is_gone_is_named(sqlite_db, gone):
    blobs = knowledge_over(sqlite_db).blobs
    file = await a_file(sqlite_db, blobs)
    await (delete_file(sqlite_db, blobs, file.id) if gone == "row" else blobs.remove([file.blob]))

    with pytest.raises(EngineFailed, match=f"'{file.id}' cannot be shown to the model: it was del") as caught:
        await Images(sqlite_db, blobs).in_place(showing(file))

    assert caught.value.code == "invalid_prompt"


async def test_too_large_and_too_many_images_are_refused_before_they_are_read(sqlite_db, monkeypatch):
    blobs = CountingBlobs(knowledge_over(sqlite_db).blobs)
    files = [await a_file(sqlite_db, blobs) for _ in range(3)]

    async def refusal(**limits: int) -> str:
        with monkeypatch.context() as patch:
            for name, limit in limits.items():
                patch.setattr(images, name, limit)
            with pytest.raises(EngineFailed) as caught:
                await Images(sqlite_db, blobs).in_place(showing(*files))
        assert caught.value.code == "invalid_prompt"
        return caught.value.message

    assert "more than the 1000 that an image may have" in await refusal(MOST_BYTES=1000)
    assert "more than the 3000 that a prompt's images may have" in await refusal(MOST_BYTES_TOGETHER=3000)
    assert "3 images" in await refusal(MOST_IMAGES=2)
    assert blobs.reads == 0


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0abcd", "image/jpeg"),
        (b"GIF87a123", "image/gif"),
        (b"GIF89a123", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        (b"<svg>", None),
        (b"", None),
    ],
)
def test_an_image_is_known_by_its_first_bytes(data, kind):
    assert kind_of(data) == kind
