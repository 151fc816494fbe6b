"""The log writer: groups what all runs of this process write into one commit at a time.

A run's worker hands over single events (`put`) and effects (`write`). Everything is written in the order
in which it was handed over, under the fence of the run's lease, and followers see it once it is durable.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from assistants_api.domain.errors import LostLease, Unavailable
from assistants_api.domain.event import Event, LogEntry
from assistants_api.domain.job import Lease
from assistants_api.store.database import Database
from assistants_api.store.events import Row, Written, written
from assistants_api.store.transaction import Tx

logger = logging.getLogger(__name__)

Effect = Callable[[Tx], Awaitable[Sequence[Event]]]

_GROUP_SECONDS = 0.005
_RETRY_SECONDS = 0.25


@dataclass(eq=False, slots=True)
class Channel:
    """One run's place in the log while its worker holds `lease`; `seq` is the last durable event.

    `loss` is why an event that was `put` is not in the log, until a `write` has told that.
    """

    id: str
    lease: Lease
    seq: int = 0
    loss: Exception | None = None


@dataclass(eq=False, slots=True)
class _Item:
    channel: Channel
    events: Sequence[Event] = ()
    effect: Effect | None = None
    done: "asyncio.Future[None] | None" = None
    despite_loss: bool = False
    error: Exception | None = None
    numbered: list[LogEntry] = field(default_factory=list)


class LogWriter:
    """Writes for every run of one process; `run` is its task."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._items: list[_Item] = []
        self._has_items = asyncio.Event()
        self._is_urgent = asyncio.Event()

    def put(self, channel: Channel, event: Event) -> None:
        """Add an event soon; a lost lease, and an event that cannot be written, show at the next `write`."""
        self._items.append(_Item(channel, (event,)))
        self._has_items.set()

    async def write(self, channel: Channel, effect: Effect, *, despite_loss: bool = False) -> None:
        """Run `effect` in a transaction and append the events it returns; durable on return.

        Raises `LostLease` when another attempt owns the job, and whatever `effect` raises; then nothing
        of it was written. An effect may be run again if the database was away, so it only touches rows.
        Where an event that was put before could not be written it raises that once, unless `despite_loss`.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._items.append(_Item(channel, effect=effect, done=done, despite_loss=despite_loss))
        self._has_items.set()
        self._is_urgent.set()
        await done

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._has_items.wait()
            items, self._items = self._items, []
            self._has_items.clear()
            self._is_urgent.clear()
            await self._write_group(items)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GROUP_SECONDS):
                    await self._is_urgent.wait()

    async def _write_group(self, items: list[_Item]) -> None:
        is_retry = False
        while True:
            try:
                async with self._db.begin() as tx:
                    if not (is_retry and await self._is_written(tx, items)):
                        await self._apply(tx, items)
            except Unavailable as error:
                logger.warning("cannot write the event log, trying again: %s", error.message)
                is_retry = True
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception as error:
                logger.exception("the event log could not be written")
                for item in items:
                    item.error = error
                break
            else:
                break
        for item in items:
            if item.error is None and item.numbered:
                item.channel.seq = item.numbered[-1].seq
            item.channel.loss = item.error if item.effect is None else None
            if item.done is None or item.done.done():
                continue
            if item.error is not None:
                item.done.set_exception(item.error)
            else:
                item.done.set_result(None)

    async def _is_written(self, tx: Tx, items: list[_Item]) -> bool:
        """Whether the last try was committed after all, and only its acknowledgement was lost.

        A group is written whole or not at all, so any event of it tells. Should another worker have taken the
        run over and written as far, the fence stops this one at its next write.
        """
        for item in items:
            if item.numbered:
                return await tx.events.last_seq(item.channel.id) >= item.numbered[-1].seq
        return False

    async def _apply(self, tx: Tx, items: list[_Item]) -> None:
        held = await tx.jobs.held({item.channel.lease for item in items})
        seqs = {item.channel: item.channel.seq for item in items}
        losses = {item.channel: item.channel.loss for item in items}
        rows: list[Row] = []
        for item in items:
            item.error, item.numbered = None, []
            channel = item.channel
            if channel.lease not in held:
                item.error = LostLease(f"job {channel.lease.job_id} is no longer ours")
                continue
            events: Sequence[Written] = ()
            if item.despite_loss or losses[channel] is None:
                try:
                    events = await _events_of(item, tx)
                except Unavailable:
                    raise
                except Exception as error:
                    item.error = error
            else:
                item.error = losses[channel]
            losses[channel] = item.error if item.effect is None else None
            for event, data in events:
                seqs[channel] += 1
                entry = LogEntry(seqs[channel], event)
                item.numbered.append(entry)
                rows.append((channel.id, entry, data))
            if item.effect is not None and not await tx.jobs.held({channel.lease}):
                held.discard(channel.lease)
        await tx.events.add(rows)


async def _events_of(item: _Item, tx: Tx) -> Sequence[Written]:
    """What the item adds to the log; raises where that cannot be written, so that it costs no other item."""
    if item.effect is None:
        return written(item.events)
    async with tx.savepoint():
        return written(await item.effect(tx))
