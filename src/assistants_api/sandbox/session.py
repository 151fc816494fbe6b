"""The host's side of one guest: cells, files, time limits, and the watchdog that ends it."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterable, MutableSequence, Sequence

from assistants_api.domain.errors import InvalidRequest, NotFound, Unavailable
from assistants_api.domain.sandbox import Done, FileMade, Image, Logs, Output, SessionEnded
from assistants_api.sandbox.channel import Forged, Frame, is_name, packed, receive
from assistants_api.sandbox.config import Limits
from assistants_api.sandbox.jail import Jail
from assistants_api.sandbox.watchdog import Watch, descendants

log = logging.getLogger(__name__)

_PIECE = 1 << 20
_PNG = b"\x89PNG\r\n\x1a\n"
_BUSY_TICK, _IDLE_TICK = 0.1, 0.5  # seconds between looks of the watchdog


class JailedSession:
    """One guest. See `ports.Session`."""

    def __init__(self, jail: Jail, limits: Limits) -> None:
        self.jail = jail
        self._limits = limits
        self._ended: str | None = None
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue(4)
        self._cells = 0
        self._is_busy = False
        self._wake = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._call = asyncio.Lock()
        self._settling: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self, mounts: Sequence[str], *, preload: bool) -> None:
        """Waits until the guest is ready. Raises `Unavailable`, with what it said, when it is not."""
        try:
            async with asyncio.timeout(self._limits.start_seconds):
                reader, self._writer = await asyncio.open_unix_connection(sock=self.jail.channel)
                self._tasks.append(asyncio.create_task(self._listen(reader), name="sandbox-channel"))
                await self._expect("ready")
                self.watch = Watch(self.jail, self._limits, self._open_mounts(mounts))
                self._tasks.append(asyncio.create_task(self._look(), name="sandbox-watchdog"))
                if preload:
                    self._send("load")
                    await self._expect("ok")
        except (SessionEnded, TimeoutError, OSError) as error:
            said = self.jail.complaint()
            await self.close()
            words = " ".join(said.split()[-40:]) or getattr(error, "message", "") or type(error).__name__
            raise Unavailable(f"the sandbox did not start a session: {words}") from error
        except BaseException:
            await self.close()
            raise

    @property
    def ended(self) -> str | None:
        """Why the guest is gone, or None."""
        return self._ended

    async def execute(self, code: str, timeout: float) -> AsyncGenerator[Output, None]:
        """Runs a cell. See `ports.Session.execute`."""
        async with self._call:
            await self._settle_first()
            is_new = self._cells == 0
            self._cells += 1
            if self._ended is not None:
                yield Done(is_new, True, ended=self._ended)
                return
            self._set_busy(True)
            self._send("run", code=code)
            is_over = False
            try:
                async with contextlib.aclosing(self._outputs(timeout, is_new)) as outputs:
                    async for output in outputs:
                        is_over = isinstance(output, Done)
                        yield output
            finally:
                if not is_over and self._ended is None:
                    # Given up half-way: the code is interrupted, and the next call waits until it has
                    # stopped.
                    self._settling = asyncio.create_task(self._settle(), name="sandbox-settle")
                    await asyncio.shield(self._settling)
                self._set_busy(False)

    async def put(self, name: str, source: AsyncIterable[bytes]) -> None:
        """Writes a file under /mnt/data, piece by piece."""
        if not is_name(name):
            raise InvalidRequest(f"'{name}' cannot be a file name here.")
        async with self._call:
            await self._settle_first()
            self._check()
            total, first = 0, True
            async for part in _pieces(source):
                total += len(part)
                too_big = total > min(self._limits.data, self._limits.file)
                answer = None if too_big else await self._ask("put", part, name=name, first=first)
                if answer is None or answer.op != "ok":
                    if not first:
                        await self._ask("discard", name=name)
                    raise InvalidRequest(f"The file '{name}' does not fit into the sandbox.")
                first = False

    async def read(self, name: str) -> AsyncGenerator[bytes, None]:
        """A file's bytes, as the guest sends them; never more than a file may have."""
        if not is_name(name):
            raise NotFound(f"There is no file '{name}' in the sandbox.")
        async with self._call:
            await self._settle_first()
            self._check()
            offset = 0
            while offset <= self._limits.file:
                answer = await self._ask("read", name=name, offset=offset)
                if answer.op != "piece":
                    raise NotFound(f"There is no file '{name}' in the sandbox.")
                if not answer.blob:
                    return
                offset += len(answer.blob)
                yield answer.blob
            raise InvalidRequest(f"The file '{name}' is too big.")

    async def list(self) -> tuple[FileMade, ...]:
        """The files under /mnt/data."""
        async with self._call:
            await self._settle_first()
            self._check()
            answer = await self._ask("list")
            try:
                return answer.files(self._limits.listed_files)
            except Forged as error:
                raise self._forged(error) from error

    async def close(self) -> None:
        """Kills the guest; returns when it and all it started are gone."""
        self.end("The session was closed.")
        assert self._closing is not None
        await asyncio.shield(self._closing)

    def end(self, reason: str) -> None:
        """Kills the guest now. The first reason counts."""
        if self._ended is None:
            self._ended = reason
            self.jail.kill()
            self._closing = asyncio.create_task(self._release(), name="sandbox-end")

    async def _outputs(self, timeout: float, is_new: bool) -> AsyncGenerator[Output, None]:
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        was_interrupted = False
        text = images = 0
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    frame = await self._frame()
            except TimeoutError:
                if was_interrupted:
                    self.end(f"The code did not stop after {timeout:g} seconds: the session was ended.")
                    continue
                was_interrupted = True
                self._send("interrupt")
                deadline = clock() + self._limits.grace_seconds
                continue
            except SessionEnded as error:
                yield Done(is_new, True, ended=error.message)
                return
            try:
                match frame.op:
                    case "text":
                        text += len(frame.text())
                        if text > 2 * self._limits.text:
                            raise Forged("too much text")
                        yield Logs(frame.text())
                    case "image":
                        images += 1
                        if images > self._limits.images or not frame.blob.startswith(_PNG):
                            raise Forged("not a picture")
                        yield Image(frame.blob)
                    case "done":
                        files = frame.files(self._limits.listed_files)
                        has_failed = frame.failed() or was_interrupted
                        if was_interrupted:
                            yield Logs(f"[Stopped after {timeout:g} seconds; variables are kept.]\n")
                        for file in files:
                            yield file
                        yield Done(is_new, has_failed, files)
                        return
                    case _:
                        raise Forged(f"{frame.op[:20]} in a cell")
            except Forged as error:
                self._forged(error)

    async def _settle(self) -> None:
        """Interrupts a cell that nobody listens to any more, and waits until it has stopped."""
        self._send("interrupt")
        try:
            async with asyncio.timeout(self._limits.grace_seconds):
                while (await self._frame()).op != "done":
                    pass
        except TimeoutError:
            self.end("The code was cancelled and did not stop: the session was ended.")
        except SessionEnded:
            return

    async def _settle_first(self) -> None:
        if self._settling is not None:
            await asyncio.shield(self._settling)

    def _check(self) -> None:
        if self._ended is not None:
            raise SessionEnded(self._ended)

    def _forged(self, error: Forged) -> SessionEnded:
        log.warning("a guest broke the protocol: %s", error)
        self.end("The session was ended: it sent something that is not an output.")
        return SessionEnded(self._ended or "")

    def _send(self, op: str, blob: bytes = b"", **fields: object) -> None:
        assert self._writer is not None
        self._writer.write(packed(op, blob, **fields))

    async def _ask(self, op: str, blob: bytes = b"", **fields: object) -> Frame:
        """One question, one answer. Raises `SessionEnded`."""
        try:
            async with asyncio.timeout(self._limits.transfer_seconds):
                self._send(op, blob, **fields)
                return await self._frame()
        except TimeoutError:
            self.end("The session was ended: it did not answer.")
            raise SessionEnded(self._ended or "") from None
        except asyncio.CancelledError:
            # The answer would be taken for another's.
            self.end("The session was ended: a file transfer was given up.")
            raise

    async def _expect(self, op: str) -> None:
        frame = await self._frame()
        if frame.op != op:
            self.end("The session was ended: it did not begin.")
            raise SessionEnded(str(frame.fields.get("why") or frame.op)[:500])

    async def _frame(self) -> Frame:
        """The next frame. Raises `SessionEnded` when there will be none."""
        self._check()
        frame = await self._frames.get()
        if frame is None or self._ended is not None:
            raise SessionEnded(self._ended or "The session's process ended.")
        return frame

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                await self._frames.put(await receive(reader, max(self._limits.image, _PIECE)))
        except (asyncio.IncompleteReadError, OSError):
            self.end("The session's process ended: its variables and files are gone.")
        except Forged as error:
            self._forged(error)

    async def _look(self) -> None:
        """The watchdog: often while a cell runs, less often between."""
        clock = asyncio.get_running_loop().time
        looked_at = clock()
        while self._ended is None:
            until_next = looked_at + (_BUSY_TICK if self._is_busy else _IDLE_TICK) - clock()
            if until_next > 0:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(until_next):
                        await self._wake.wait()
                continue
            if reason := self.watch.broken():
                log.info("sandbox: %s", reason)
                self.end(reason)
                return
            looked_at = clock()

    def _set_busy(self, is_busy: bool) -> None:
        self._is_busy = is_busy
        self._wake.set()

    def _open_mounts(self, mounts: Sequence[str]) -> MutableSequence[int]:
        """The memory file systems of the guest, opened before it has run any code."""
        if not mounts:
            return []
        *_, inside = descendants(self.jail.process.pid)
        opened = self.jail.kept
        for mount in mounts:
            opened.append(os.open(f"/proc/{inside}/root{mount}", os.O_PATH | os.O_DIRECTORY))
        return opened

    async def _release(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Whoever waits for a frame learns that there will be none.
        while not self._frames.empty():
            self._frames.get_nowait()
        self._frames.put_nowait(None)
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        await asyncio.to_thread(self.jail.release)


async def first_words(
    jail: Jail, limits: Limits, *, mounts: Sequence[str] = (), preload: bool
) -> JailedSession:
    """A session over a jail that was just started. Raises `Unavailable` when the guest does not answer."""
    session = JailedSession(jail, limits)
    await session.begin(mounts, preload=preload)
    return session


async def _pieces(source: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The source in pieces that fit a frame; an empty source is one empty piece."""
    is_empty = True
    async for part in source:
        for start in range(0, len(part), _PIECE):
            is_empty = False
            yield part[start : start + _PIECE]
    if is_empty:
        yield b""
