"""The worker: claims jobs as they come, carries many at once, keeps their leases, gives them back."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from assistants_api.domain.errors import DatabaseAway, Unavailable
from assistants_api.domain.job import LEASE_SECONDS, RENEW_SECONDS, Job, JobKind, Lease
from assistants_api.ports import Blobs
from assistants_api.services.sweeping import expire_files, forget_old, sweep
from assistants_api.store.database import Database
from assistants_api.store.wake import JOBS, cancel_topic
from assistants_api.store.writer import LogWriter
from assistants_api.worker.interrupts import StopSignal

logger = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_FORGET_SECONDS = 600.0


class Carrier(Protocol):
    """Does the jobs of one kind."""

    async def carry(self, job: Job, stop: StopSignal) -> None:
        """Do what the job asks; returns when it is done, or when it is no longer ours.

        Raises `DatabaseAway` when the job can go on later. Else it does not raise: a job whose carrier raises
        anything else is tried again once its lease has run out.
        """


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the jobs of one kind are done: by whom, and how many at once."""

    carrier: Carrier
    places: int


class Worker:
    """Carries jobs at its desks, one desk for each kind; `run` is its task, `drain` its orderly end."""

    def __init__(
        self,
        db: Database,
        writer: LogWriter,
        desks: Mapping[JobKind, Desk],
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._db = db
        self._writer = writer
        self._desks = desks
        self._lease_seconds = lease_seconds
        self._work: dict[Lease, tuple[asyncio.Task[None], StopSignal]] = {}
        self._taken: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._is_draining = False
        self._is_drained = asyncio.Event()

    @property
    def carried(self) -> int:
        """How many jobs are being carried."""
        return len(self._work)

    async def run(self) -> None:
        """Claim and carry until cancelled or drained; leases are kept up to the end."""
        off = self._db.wake.on(JOBS, lambda payload: self._news.set())
        renewing = asyncio.create_task(self._renew())
        try:
            while not self._is_draining:
                self._news.clear()
                try:
                    await self.claim()
                except Unavailable as error:
                    logger.warning("cannot claim jobs: %s", error.message)
                except Exception:
                    logger.exception("jobs could not be claimed; the next try follows")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._news.wait()
            await self._is_drained.wait()
        finally:
            off()
            renewing.cancel()

    async def claim(self) -> None:
        """Take as many free jobs as there are free places."""
        async with self._claiming:
            if not self._is_draining:
                await self._claim()

    async def _claim(self) -> None:
        free = {kind: desk.places - self._taken[kind] for kind, desk in self._desks.items()}
        async with self._db.read() as tx:
            waiting = await tx.jobs.depths()
        wanted = {kind: places for kind, places in free.items() if places > 0 and waiting.get(kind)}
        if not wanted:
            return
        # What is carried here goes on here, also if its lease ran out before it could be renewed.
        carried = {lease.job_id for lease in self._work}
        async with self._db.begin() as tx:
            jobs = [
                job
                for kind, places in wanted.items()
                for job in await tx.jobs.claim(self.owner, kind, places, self._lease_seconds, besides=carried)
            ]
        for job in jobs:
            stop = StopSignal()
            self._taken[job.kind] += 1
            self._work[job.lease] = (asyncio.create_task(self._carry(job, stop)), stop)

    async def idle(self) -> None:
        """Wait until nothing is carried."""
        while self._work:
            await asyncio.wait([task for task, _ in self._work.values()])

    async def drain(self, seconds: float = 0.0) -> None:
        """Claim nothing more; what is carried may end for so long, the rest is handed back.

        Whoever claims it continues from what was shown. A second call hands back at once.
        """
        self._is_draining = True
        self._news.set()
        async with self._claiming:  # a claim that was under way is among what is carried now
            tasks = [task for task, _ in self._work.values()]
        if tasks and seconds > 0:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._is_drained.set()
        try:
            async with self._db.begin() as tx:
                await tx.jobs.release(self.owner)
        except Exception:
            logger.warning("jobs were not handed back; their leases will run out", exc_info=True)

    async def _carry(self, job: Job, stop: StopSignal) -> None:
        off = self._db.wake.on(cancel_topic(job.subject_id), stop.set)
        try:
            await self._desks[JobKind(job.kind)].carrier.carry(job, stop)
        except DatabaseAway as away:
            logger.warning("job %s is given back: %s", job.id, away.message)
            await self._give_back(job)
        except Exception:
            logger.exception("job %s was dropped; its lease will run out and it is tried again", job.id)
        finally:
            off()
            del self._work[job.lease]
            self._taken[job.kind] -= 1
            self._news.set()

    async def _give_back(self, job: Job) -> None:
        """As soon as the database answers; the attempt does not count, as nobody was lost."""
        while True:
            try:
                async with self._db.begin() as tx:
                    if await tx.jobs.held([job.lease]):
                        await tx.jobs.postpone(job.lease, 0)
                        tx.after_commit(lambda: tx.wake.send(JOBS))
                return
            except DatabaseAway:
                await asyncio.sleep(_POLL_SECONDS)
            except Exception:
                logger.exception("job %s could not be given back; its lease will run out", job.id)
                return

    async def _renew(self) -> None:
        """Keep the leases, and learn of wishes to cancel that no hint told us of."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if not self._work:
                continue
            carried = dict(self._work)  # what is claimed from here on is not among what is renewed
            try:
                async with self._db.begin() as tx:
                    held = await tx.jobs.renew(carried, self._lease_seconds)
                    cancelling = await tx.jobs.cancelling({lease.job_id for lease in held})
            except Unavailable as error:
                logger.warning("cannot renew leases: %s", error.message)
                continue
            except Exception:
                logger.exception("leases could not be renewed; the next try follows")
                continue
            for lease, (_, stop) in carried.items():
                if lease not in held or lease.job_id in cancelling:
                    stop.set()


class Sweeper:
    """Ends what must end even if no worker lives; every server and worker process has one."""

    def __init__(self, db: Database, blobs: Blobs) -> None:
        self._db = db
        self._blobs = blobs

    async def run(self) -> None:
        """Until cancelled: sweep once a second, expire files as often, forget every ten minutes what is old.

        The last two ask where the files lie, which may take long to answer: no run's end waits for that.
        """
        db, blobs = self._db, self._blobs
        async with asyncio.TaskGroup() as all_three:
            all_three.create_task(self._again(lambda: sweep(db), _POLL_SECONDS, "sweep"))
            all_three.create_task(self._again(lambda: expire_files(db, blobs), _POLL_SECONDS, "expire files"))
            all_three.create_task(
                self._again(lambda: forget_old(db, blobs), _FORGET_SECONDS, "forget what is old")
            )

    async def _again(self, work: Callable[[], Awaitable[object]], pause: float, verb: str) -> None:
        """Do it for ever; a try that fails is only logged."""
        while True:
            try:
                await work()
            except Unavailable as error:
                logger.warning("cannot %s: %s", verb, error.message)
            except Exception:
                logger.exception("could not %s; the next try follows", verb)
            await asyncio.sleep(pause)
