"""Runs code in a thread's sandbox session, and tells the caller and the model what came of it."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.sandbox import Done, FileMade, Image, Logs, SessionEnded
from assistants_api.ports import Session
from assistants_api.sandbox.pool import SessionPool

_MOST_SHOWN = 16_000  # characters of logs that the model is shown, from both ends


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file that the code shall find as /mnt/data/`name`; `id` tells two files of one name apart.

    `read` gives its bytes, or `FileNotFoundError` when it was deleted meanwhile.
    """

    id: str
    name: str
    read: Callable[[], AsyncIterable[bytes]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure; `name` is unique within the call and is what the model is told."""

    name: str
    png: bytes


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file under /mnt/data that the code made or changed.

    `read` gives its bytes, until the next event is asked for; it raises `NotFound` or `SessionEnded`.
    """

    name: str
    size: int
    read: Callable[[], AsyncGenerator[bytes, None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The last event: what the model is shown. Code that failed is an answer too."""

    text: str
    has_failed: bool


Event = Logs | Picture | NewFile | Answer


class CodeInterpreter:
    """The tool over a pool of sessions; `timeout` is in seconds, for one piece of code."""

    def __init__(self, pool: SessionPool, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout
        self._given: WeakKeyDictionary[Session, set[tuple[str, str]]] = WeakKeyDictionary()

    async def run(
        self,
        key: str,
        code: str,
        files: Sequence[GivenFile] = (),
        *,
        had_state: bool = False,
        generation: int = 0,
    ) -> AsyncGenerator[Event, None]:
        """Runs `code` in the session of `key`: outputs as they come, new files, then exactly one `Answer`.

        `had_state` says that code ran under this key before, perhaps in another process: a model that finds
        a new session then is told so. A session of another `generation` is not the right one any more.
        Closing the generator interrupts the code. Raises `SandboxOff`, and `Unavailable` when there is no
        session to be had; a file that cannot be given is told to the model instead.
        """
        async with self._pool.hold(key, generation) as held:
            shown = _Shown()
            if held.lost is not None:
                shown.note(f"{held.lost} This is a new one: earlier variables, imports and files are gone.")
            elif held.is_new and had_state:
                shown.note("This is a new session: earlier variables, imports and files are gone.")
            await self._give(held.session, files, shown)
            done: Done | None = None
            made: list[FileMade] = []
            pictures = 0
            async with aclosing(held.session.execute(code, self._timeout)) as outputs:
                async for output in outputs:
                    match output:
                        case Logs(text):
                            shown.log(text)
                            yield output
                        case Image(png):
                            pictures += 1
                            name = f"image-{pictures}.png"
                            shown.log(f"[image: {name}]\n")
                            yield Picture(name, png)
                        case FileMade():
                            made.append(output)
                        case Done():
                            done = output
            assert done is not None
            for file in made:
                yield NewFile(file.name, file.size, _reader(held.session, file.name))
                shown.file(file.name)
            if done.ended is not None:
                yield Logs(f"[{done.ended}]\n")
                shown.note(
                    f"{done.ended} The next code starts in a new session, without variables and files."
                )
            yield Answer(shown.text(), done.has_failed)

    async def _give(self, session: Session, files: Sequence[GivenFile], shown: "_Shown") -> None:
        """Each file once in a session's life: code may have changed or deleted it since."""
        given = self._given.setdefault(session, set())
        for file in files:
            if (file.id, file.name) in given:
                continue
            try:
                await session.put(file.name, file.read())
            except (InvalidRequest, SessionEnded) as error:
                shown.note(f"/mnt/data/{file.name} is not there: {error.message}")
            except FileNotFoundError:
                shown.note(f"/mnt/data/{file.name} is not there: the file was deleted.")
            given.add((file.id, file.name))


class _Shown:
    """What the model reads of a call: notes, logs with the places of pictures, links to new files."""

    def __init__(self) -> None:
        self._notes: list[str] = []
        self._logs: list[str] = []
        self._files: list[str] = []

    def note(self, text: str) -> None:
        self._notes.append(f"[{text}]")

    def log(self, text: str) -> None:
        self._logs.append(text)

    def file(self, name: str) -> None:
        self._files.append(f"sandbox:/mnt/data/{name}")

    def text(self) -> str:
        logs = "".join(self._logs).strip("\n")
        if len(logs) > _MOST_SHOWN:
            half = _MOST_SHOWN // 2
            logs = f"{logs[:half]}\n[… {len(logs) - 2 * half} characters left out …]\n{logs[-half:]}"
        files = ["New files:", *self._files] if self._files else []
        return "\n".join([*self._notes, *([logs] if logs else []), *files]) or "[no output]"


def _reader(session: Session, name: str) -> Callable[[], AsyncGenerator[bytes, None]]:
    return lambda: session.read(name)
