"""Followers of the event log: replay from the table, then what is handed over in memory."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from assistants_api.domain.completion import CompletionEnded
from assistants_api.domain.errors import Closing, NotFound
from assistants_api.domain.event import LogEntry, RunMoved
from assistants_api.store.database import Database
from assistants_api.store.wake import channel_topic

_QUEUE_LIMIT = 256
_PAGE = 1000
_POLL_SECONDS = 1.0


class Log:
    """Reads channels of the event log as they grow."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._inboxes: set[_Inbox] = set()
        self._is_closed = False

    def close(self) -> None:
        """Cut every follower off: each raises `Closing` once it has given what it was handed."""
        self._is_closed = True
        for inbox in self._inboxes:
            inbox.wake()

    async def follow(
        self, channel: str, after: int = 0, *, until_final: bool = False
    ) -> AsyncGenerator[LogEntry, None]:
        """Entries later than `after`, in order, gapless, each only once it is durable.

        Ends by itself after the entry that ends the stream: the run is final or, unless `until_final`,
        requires action; the completion has ended. A slow reader falls back to reading the table; it never
        holds up the writer.
        Raises `NotFound` when the channel is not there any more (its thread was deleted, or it ended long
        ago), and `Closing` when this process ends.
        """
        inbox = _Inbox()
        self._inboxes.add(inbox)
        off = self.db.wake.on(channel_topic(channel), inbox.hear)
        try:
            seq = after
            while True:
                entries, last = await self._read(channel, seq)
                for entry in entries:
                    yield entry
                    seq = entry.seq
                    if _ends(entry, until_final):
                        return
                if last is not None and _ends(last, until_final=True):
                    return
                if self._is_closed:
                    raise Closing
                if len(entries) == _PAGE:
                    continue
                async for entry in inbox.take(seq):
                    yield entry
                    seq = entry.seq
                    if _ends(entry, until_final):
                        return
        finally:
            off()
            self._inboxes.discard(inbox)

    async def _read(self, channel: str, seq: int) -> tuple[list[LogEntry], LogEntry | None]:
        """What follows `seq`; if that is nothing, the last entry there is."""
        async with self.db.read() as tx:
            entries = await tx.events.after(channel, seq, _PAGE)
            if entries:
                return entries, None
            newest = await tx.events.after(channel, await tx.events.last_seq(channel) - 1)
            if newest:
                return [], newest[-1]
            # Only a completion's log begins empty; a run's is written with it.
            subject = None
            if seq == 0:
                subject = await tx.runs.find(channel) or await tx.completions.find(channel)
            if subject is None or subject.is_final:
                raise NotFound(f"The events of {channel} are no longer there.")
            return [], None


class _Inbox:
    """What a follower was handed since it last looked; bounded, and then stale."""

    def __init__(self) -> None:
        self._entries: deque[LogEntry] = deque()
        self._is_stale = False
        self._has_news = asyncio.Event()

    def hear(self, payload: object) -> None:
        if isinstance(payload, list) and len(self._entries) + len(payload) <= _QUEUE_LIMIT:
            self._entries.extend(payload)
        else:
            self._entries.clear()
            self._is_stale = True
        self._has_news.set()

    def wake(self) -> None:
        """Whoever takes from here looks at the table again."""
        self._is_stale = True
        self._has_news.set()

    async def take(self, seq: int) -> AsyncGenerator[LogEntry, None]:
        """Entries that follow `seq` without a gap; ends when the table must be read (again)."""
        while True:
            while self._entries and not self._is_stale:
                entry = self._entries.popleft()
                if entry.seq == seq + 1:
                    seq = entry.seq
                    yield entry
                elif entry.seq > seq:
                    self._is_stale = True
            if self._is_stale:
                self._entries.clear()
                self._is_stale = False
                self._has_news.clear()
                return
            self._has_news.clear()
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._has_news.wait()
            except TimeoutError:
                return


def _ends(entry: LogEntry, until_final: bool) -> bool:
    match entry.event:
        case RunMoved(run):
            return run.is_final if until_final else run.ends_stream
        case CompletionEnded():
            return True
        case _:
            return False
