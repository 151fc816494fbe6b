"""The event log: rows keyed (channel, seq), dense, written by whoever owns the channel at the time."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select

from assistants_api.domain.event import Event, LogEntry
from assistants_api.domain.message import Shown
from assistants_api.store import tables
from assistants_api.store.codec import decode, encode
from assistants_api.store.columns import db_now
from assistants_api.store.session import Session
from assistants_api.store.wake import channel_topic

KEEP_SECONDS = 24 * 3600.0

Written = tuple[Event, tuple[str, str]]  # an event, and its kind and data as they are stored
Row = tuple[str, LogEntry, tuple[str, str]]  # of a channel


def written(events: Sequence[Event]) -> list[Written]:
    """The events as they are stored; raises `UnicodeEncodeError` where half of a surrogate pair is in one."""
    found = [(event, encode(event)) for event in events]
    for _, (_, data) in found:
        data.encode()
    return found


class Events:
    """The table of events."""

    table = tables.events

    def __init__(self, session: Session) -> None:
        self.session = session

    async def append(self, channel: str, events: Sequence[Event]) -> list[LogEntry]:
        """Add events after the last one; followers are woken once they are durable."""
        seq = await self.last_seq(channel)
        numbered = enumerate(written(events), start=seq + 1)
        rows = [(channel, LogEntry(place, event), data) for place, (event, data) in numbered]
        await self.add(rows)
        return [entry for _, entry, _ in rows]

    async def add(self, rows: Sequence[Row]) -> None:
        """Add numbered rows of any channels in one statement; wakes their followers once durable."""
        if not rows:
            return
        now = await self.session.now()
        values = []
        for channel, entry, (kind, data) in rows:
            values.append(
                {"channel": channel, "seq": entry.seq, "kind": kind, "data": data, "created_at": now}
            )
        await self.session.execute(insert(self.table), values)
        by_channel: dict[str, list[LogEntry]] = defaultdict(list)
        for channel, entry, _ in rows:
            by_channel[channel].append(entry)
        self.session.after_commit(partial(self._publish, by_channel))

    def _publish(self, by_channel: dict[str, list[LogEntry]]) -> None:
        for channel, entries in by_channel.items():
            self.session.wake.send(channel_topic(channel), entries)

    async def last_seq(self, channel: str) -> int:
        """The number of the last event; 0 for an empty channel."""
        statement = select(func.max(self.table.c.seq)).where(self.table.c.channel == bindparam("wanted"))
        return (await self.session.execute(statement, {"wanted": channel})).scalar_one() or 0

    async def after(self, channel: str, seq: int, limit: int = 1000) -> list[LogEntry]:
        """Events later than `seq`, in order."""
        c = self.table.c
        statement = (
            select(c.seq, c.kind, c.data)
            .where(c.channel == bindparam("wanted"), c.seq > bindparam("edge"))
            .order_by(c.seq)
            .limit(limit)
        )
        rows: Any = await self.session.execute(statement, {"wanted": channel, "edge": seq})
        return [LogEntry(row[0], decode(row[1], row[2])) for row in rows]

    async def all(self, channel: str) -> list[LogEntry]:
        """Every event of a channel, in order."""
        entries: list[LogEntry] = []
        while more := await self.after(channel, entries[-1].seq if entries else 0):
            entries += more
        return entries

    async def shown_of(self, channel: str, message_id: str) -> Shown:
        """What was shown of a message so far."""
        c = self.table.c
        kinds = ("MessageDelta", "MessageImage")
        statement = select(c.kind, c.data).where(c.channel == channel, c.kind.in_(kinds)).order_by(c.seq)
        rows: Any = await self.session.execute(statement)
        found = [(kind, json.loads(data)) for kind, data in rows]
        of_message = [(kind, data) for kind, data in found if data["message_id"] == message_id]
        deltas = [data for kind, data in of_message if kind == "MessageDelta"]
        return Shown(
            "".join(delta["text"] for delta in deltas),
            tuple(each for delta in deltas for each in delta.get("annotations", ())),
            tuple(data["file_id"] for kind, data in of_message if kind == "MessageImage"),
        )

    async def remove_of(self, channels: Collection[str]) -> None:
        """Forget these channels."""
        await self.session.execute(delete(self.table).where(self.table.c.channel.in_(channels)))

    async def remove_of_thread(self, thread_id: str) -> None:
        """Forget the logs of every run of a thread."""
        of_thread = select(tables.runs.c.id).where(tables.runs.c.thread_id == thread_id)
        await self.session.execute(delete(self.table).where(self.table.c.channel.in_(of_thread)))

    async def remove_old(self, keep_seconds: float = KEEP_SECONDS) -> None:
        """Forget the logs of runs and completions that ended longer ago than `keep_seconds`."""
        c, runs, completions = self.table.c, tables.runs.c, tables.completions.c
        # Looked up for each event that is so old, not listed: most runs have none any more.
        ended = exists().where(
            runs.id == c.channel,
            runs.status.in_(("completed", "incomplete", "failed", "cancelled", "expired")),
            # One that expired ended at its deadline, and of an incomplete one nothing else is known.
            func.coalesce(runs.completed_at, runs.failed_at, runs.cancelled_at, runs.deadline)
            < db_now() - keep_seconds,
        )
        answered = exists().where(completions.id == c.channel, completions.ended_at < db_now() - keep_seconds)
        for is_over in (ended, answered):
            await self.session.execute(
                delete(self.table).where(c.created_at < db_now() - keep_seconds, is_over)
            )
