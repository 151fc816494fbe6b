"""The images of a run's prompts: read from their files for the engine alone, and written down nowhere."""

import asyncio
import base64
from dataclasses import replace

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.file import File
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import ChatMessage, Prompt
from assistants_api.ports import Blobs
from assistants_api.store.database import Database

MOST_IMAGES = 100
MOST_BYTES = 20 * 1024 * 1024
MOST_BYTES_TOGETHER = 40 * 1024 * 1024

_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


class Images:
    """Reads each image file of one run once."""

    def __init__(self, db: Database, blobs: Blobs) -> None:
        self._db = db
        self._blobs = blobs
        self._urls: dict[str, str] = {}  # by file id, for the files of the newest prompt

    async def in_place(self, prompt: Prompt) -> Prompt:
        """The prompt with the bytes of its image files in it; `EngineFailed` where that cannot be."""
        shown = [_file_id(part) for message in prompt.messages for part in _images(message)]
        if not shown:
            return prompt
        if len(shown) > MOST_IMAGES:
            raise _refusal(f"The messages show {len(shown)} images; a model is shown {MOST_IMAGES} at most.")
        files = await self._files(list(dict.fromkeys(shown)))
        known, self._urls = self._urls, {}
        for file in files:
            self._urls[file.id] = known.get(file.id) or await self._url(file)
        return replace(prompt, messages=tuple(self._filled(message) for message in prompt.messages))

    async def _files(self, ids: list[str]) -> list[File]:
        """The files, if they are there and no larger than may be."""
        async with self._db.read() as tx:
            files = await tx.files.existing(ids)
        there = {file.id for file in files}
        for id in ids:
            if id not in there:
                raise _unshown(id, "it was deleted")
        for file in files:
            if file.bytes > MOST_BYTES:
                raise _unshown(
                    file.id, f"it has {file.bytes} bytes, more than the {MOST_BYTES} that an image may have"
                )
        together = sum(file.bytes for file in files)
        if together > MOST_BYTES_TOGETHER:
            raise _refusal(
                f"The images of the messages have {together} bytes, more than the {MOST_BYTES_TOGETHER} that"
                " a prompt's images may have together. A 'truncation_strategy' can show fewer messages."
            )
        return files

    async def _url(self, file: File) -> str:
        try:
            data = b"".join([piece async for piece in self._blobs.read(file.blob)])
        except FileNotFoundError as error:
            raise _unshown(file.id, "it was deleted") from error
        kind = kind_of(data)
        if kind is None:
            raise _unshown(file.id, "it is no PNG, JPEG, GIF or WebP image")
        text = await asyncio.to_thread(base64.b64encode, data)
        return f"data:{kind};base64,{text.decode()}"

    def _filled(self, message: ChatMessage) -> ChatMessage:
        if not _images(message):
            return message
        return replace(message, content=tuple(self._part(part) for part in message.content))

    def _part(self, part: JsonObject | str) -> JsonObject:
        assert not isinstance(part, str), "a text has no images"
        if part["type"] != "image_file":
            return part
        detail = part["image_file"].get("detail", "auto")
        return {"type": "image_url", "image_url": {"url": self._urls[_file_id(part)], "detail": detail}}


def kind_of(data: bytes) -> str | None:
    """The media type of an image, by its first bytes; None for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _BEGINNINGS.items() if data.startswith(start)), None)


def _images(message: ChatMessage) -> list[JsonObject]:
    if isinstance(message.content, str):
        return []
    return [part for part in message.content if part["type"] == "image_file"]


def _file_id(part: JsonObject) -> str:
    return str(part["image_file"]["file_id"])


def _unshown(id: str, reason: str) -> EngineFailed:
    return _refusal(f"The image file '{id}' cannot be shown to the model: {reason}.")


def _refusal(message: str) -> EngineFailed:
    return EngineFailed(message, code="invalid_prompt")
