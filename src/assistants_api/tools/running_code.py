"""The code_interpreter tool of one run: outputs into the step, figures and new files into files."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import quote

from assistants_api.agent.tools import ToolOutput, ToolReturned, add_output, code_of
from assistants_api.blobs.refused import removed_if_refused
from assistants_api.domain import ids
from assistants_api.domain.errors import NotFound
from assistants_api.domain.file import MAX_NAME_BYTES, File, NewFile, plain_name
from assistants_api.domain.job import LEASE_SECONDS
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import ToolCall
from assistants_api.domain.sandbox import Logs, SessionEnded
from assistants_api.ports import Blobs
from assistants_api.store.database import Database
from assistants_api.tools.code_interpreter import Answer, CodeInterpreter, GivenFile, Picture
from assistants_api.tools.code_interpreter import NewFile as MadeFile

PURPOSE = "assistants_output"
LINK = "sandbox:/mnt/data/"
_MOST_SUFFIX = 64  # bytes; what is longer is a part of the name


class RunningCode:
    """Runs the code of one run's calls in its thread's session; `files` are there before the first cell.

    `had_code` says that code ran on the thread before; `owner` is the worker whose sessions these are.
    """

    def __init__(
        self,
        interpreter: CodeInterpreter,
        db: Database,
        blobs: Blobs,
        thread_id: str,
        files: Sequence[File],
        *,
        owner: str,
        had_code: bool,
    ) -> None:
        self._owner = owner
        self._had_code = had_code
        self._interpreter = interpreter
        self._db = db
        self._blobs = blobs
        self._thread_id = thread_id
        self._files = [
            GivenFile(file.id, name, lambda file=file: blobs.read(file.blob))  # type: ignore[misc]
            for file, name in zip(files, names_of(files), strict=True)
        ]

    async def __call__(self, call: ToolCall) -> AsyncGenerator[ToolOutput | ToolReturned, None]:
        """Outputs as they come, then what the model is shown; code that failed is an answer too."""
        outputs: list[JsonObject] = []
        links: dict[str, str] = {}
        text = ""
        async with self._db.begin() as tx:
            generation = await tx.code_sessions.take(self._thread_id, self._owner, LEASE_SECONDS)
        running = self._interpreter.run(
            self._thread_id,
            code_of(call.arguments),
            self._files,
            had_state=self._had_code,
            generation=generation,
        )
        self._had_code = True
        async with aclosing(running) as events:
            async for event in events:
                match event:
                    case Logs(logs):
                        shown: JsonObject = {"type": "logs", "logs": logs}
                        add_output(outputs, shown)
                        yield ToolOutput(call, shown)
                    case Picture(name, png):
                        file = await self._keep(f"{call.id[-6:]}-{name}", _once(png))
                        shown = {"type": "image", "image": {"file_id": file.id}}
                        add_output(outputs, shown)
                        yield ToolOutput(call, shown)
                    case MadeFile(name, _, read):
                        try:
                            file = await self._keep(PurePosixPath(name).name, read())
                        except (NotFound, SessionEnded):
                            continue  # gone again before it could be read
                        for spelled in spellings_of(name):
                            links.setdefault(f"{LINK}{spelled}", file.id)
                        links[f"{LINK}{name}"] = file.id
                    case Answer(said):
                        text = said
        details = {"outputs": outputs, "links": links}
        yield ToolReturned(call, text, details, {"code": code_of(call.arguments), "output": text})

    async def _keep(self, name: str, pieces: AsyncIterator[bytes]) -> File:
        size = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            async for piece in pieces:
                size += len(piece)
                yield piece

        blob = await self._blobs.write(counted())
        new = NewFile(plain_name(name), PURPOSE)
        file = File.made(ids.new("file"), new, blob, size, datetime.now(UTC))
        async with removed_if_refused(self._blobs, blob), self._db.begin() as tx:
            await tx.files.add(file)
        return file


def spellings_of(name: str) -> set[str]:
    """How a model may write a file's name in a link: as it is, or with what pages want escaped."""
    return {name, name.replace(" ", "%20"), quote(name), quote(name, safe="/!'()*")}


def names_of(files: Sequence[File]) -> list[str]:
    """Under which name each file lies in /mnt/data: its own, or with its id where two have the same.

    A longer one than a folder can hold is shortened.
    """
    names: list[str] = []
    for file in files:
        name = _shortened(file.filename)
        names.append(name if name not in names else _shortened(f"{file.id}-{file.filename}"))
    return names


def _shortened(name: str) -> str:
    """The name without the end of its stem, where a folder could not hold it otherwise."""
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > _MOST_SUFFIX:
        suffix = ""
    stem = name.removesuffix(suffix).encode()
    return stem[: MAX_NAME_BYTES - len(suffix.encode())].decode(errors="ignore") + suffix


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
