"""The queue: claims, leases and fences, all by the database's clock."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, not_, or_, select, tuple_, update

from assistants_api.domain.job import LEASE_SECONDS, MAX_ATTEMPTS, Job, Lease
from assistants_api.domain.run import RunStatus
from assistants_api.store import tables
from assistants_api.store.columns import db_now
from assistants_api.store.repository import Repository
from assistants_api.store.wake import JOBS, cancel_topic

LEFT_SECONDS = 2.0  # to the worker that holds the thread's code session


class Jobs(Repository[Job]):
    """The table of jobs."""

    table = tables.jobs
    kind = Job
    noun = "job"

    async def add(self, thing: Job) -> None:
        """Insert, and wake a worker once it is durable."""
        await self.session.execute(insert(self.table), self.values(thing))
        self.session.after_commit(lambda: self.session.wake.send(JOBS))

    async def claim(
        self,
        owner: str,
        kind: str,
        limit: int,
        lease_seconds: float = LEASE_SECONDS,
        *,
        besides: Collection[str] = (),
    ) -> list[Job]:
        """Up to `limit` jobs of one kind that are free or whose lease ran out, now held by `owner`.

        The oldest come first; `besides` are the ids of those that `owner` carries still. A new run of a
        thread whose code session is at another worker is left to that one for a while.
        """
        c = self.table.c
        sessions, runs = tables.code_sessions.c, tables.runs.c
        is_left = (
            select(sessions.thread_id)
            .join(tables.runs, runs.thread_id == sessions.thread_id)
            .where(runs.id == c.subject_id, sessions.owner != owner, sessions.alive_until > db_now())
            .exists()
        )
        is_new = c.created_at.between(db_now() - LEFT_SECONDS, db_now() + LEFT_SECONDS)
        free = (
            select(c.id)
            .where(
                c.kind == kind,
                c.id.not_in(besides),
                c.is_done.is_(False),
                c.attempt < MAX_ATTEMPTS,
                or_(c.lease_until.is_(None), c.lease_until < db_now()),
                not_(and_(is_new, is_left)),
            )
            .order_by(c.ord)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("free")  # as a subquery PostgreSQL may run it once for each row, and take as many times
        )
        statement = (
            update(self.table)
            .where(c.id.in_(select(free.c.id)))
            .values(owner=owner, attempt=c.attempt + 1, lease_until=db_now() + lease_seconds)
            .returning(c.ord, *(c[name] for name in Job.__dataclass_fields__))
        )
        rows: list[Any] = sorted((await self.session.execute(statement)).all())
        return [Job(*row[1:]) for row in rows]

    async def renew(self, leases: Collection[Lease], lease_seconds: float = LEASE_SECONDS) -> set[Lease]:
        """Prolong `leases`; those of them that are still in force.

        A job that nobody carries any more is not among them: its lease runs out, and it is tried again.
        """
        c = self.table.c
        statement = (
            update(self.table)
            .where(_ONE_OF_LEASES, c.is_done.is_(False))
            .values(lease_until=db_now() + lease_seconds)
            .returning(c.id, c.attempt, c.owner)
        )
        rows: Any = await self.session.execute(statement, _named(leases))
        return {Lease(*row) for row in rows}

    async def cancelling(self, ids: Collection[str]) -> set[str]:
        """Those of the jobs `ids` whose run somebody wants cancelled."""
        c = self.table.c
        rows = await self.session.execute(select(c.id).where(c.id.in_(ids), c.subject_id.in_(_CANCELLING)))
        return {row[0] for row in rows}

    async def held(self, leases: Collection[Lease]) -> set[Lease]:
        """Those of `leases` that are still in force, their rows held until the transaction ends."""
        c = self.table.c
        statement = (
            select(c.id, c.attempt, c.owner).where(_ONE_OF_LEASES, c.is_done.is_(False)).with_for_update()
        )
        rows: Any = await self.session.execute(statement, _named(leases))
        return {Lease(*row) for row in rows}

    async def hold_of(self, subject_id: str) -> set[str]:
        """Holds the open jobs of this subject until the transaction ends; their ids.

        Whoever may end them does so before holding what they are about: workers hold the two in this order.
        """
        if self.session.is_sqlite:  # one writes at a time
            return set()
        c = self.table.c
        statement = select(c.id).where(c.subject_id == subject_id, c.is_done.is_(False)).with_for_update()
        return {row[0] for row in await self.session.execute(statement)}

    async def has_others(self, subject_id: str, held: Collection[str]) -> bool:
        """Whether the subject has an open job besides those that `hold_of` held: one that came since."""
        if self.session.is_sqlite:
            return False
        c = self.table.c
        statement = select(func.count()).where(
            c.subject_id == subject_id, c.is_done.is_(False), c.id.not_in(held)
        )
        return bool((await self.session.execute(statement)).scalar_one())

    async def finish(self, lease: Lease) -> None:
        """The job is done; its lease ends with it."""
        await self.session.execute(
            update(self.table).where(self.table.c.id == lease.job_id).values(is_done=True, lease_until=None)
        )

    async def postpone(self, lease: Lease, seconds: float) -> None:
        """Give the job back, to be claimed again after so many seconds; the attempt does not count."""
        c = self.table.c
        await self.session.execute(
            update(self.table)
            .where(c.id == lease.job_id)
            .values(owner=None, lease_until=db_now() + seconds, attempt=c.attempt - 1)
        )

    async def release(self, owner: str) -> None:
        """Give back every job of `owner` at once, as an attempt that does not count."""
        c = self.table.c
        await self.session.execute(
            update(self.table)
            .where(c.owner == owner, c.is_done.is_(False))
            .values(owner=None, lease_until=None, attempt=c.attempt - 1)
        )
        self.session.after_commit(lambda: self.session.wake.send(JOBS))

    async def is_held(self, subject_id: str) -> bool:
        """Whether a worker holds an open job of this subject right now."""
        c = self.table.c
        statement = select(func.count()).where(
            c.subject_id == subject_id, c.is_done.is_(False), c.lease_until >= db_now()
        )
        return bool((await self.session.execute(statement)).scalar_one())

    async def open_of(self, subject_id: str) -> Job | None:
        """The job of this subject that is not done yet."""
        c = self.table.c
        statement = self._select().where(c.subject_id == subject_id, c.is_done.is_(False))
        row = (await self.session.execute(statement)).first()
        return None if row is None else self.thing(row)

    async def is_open(self, subject_id: str) -> bool:
        """Whether a job of this subject is not done yet."""
        c = self.table.c
        statement = select(func.count()).where(c.subject_id == subject_id, c.is_done.is_(False))
        return bool((await self.session.execute(statement)).scalar_one())

    async def revoke(self, subject_id: str) -> None:
        """End every open job of this subject; a worker that holds one is fenced out and told."""
        c = self.table.c
        await self.session.execute(
            update(self.table)
            .where(c.subject_id == subject_id, c.is_done.is_(False))
            .values(is_done=True, attempt=c.attempt + 1, lease_until=None)
        )
        self.session.after_commit(lambda: self.session.wake.send(cancel_topic(subject_id)))

    async def abandoned(self) -> list[Job]:
        """Open jobs whose lease ran out at the last attempt, or while their run was being cancelled."""
        c = self.table.c
        statement = self._select().where(
            c.is_done.is_(False),
            or_(c.lease_until.is_(None), c.lease_until < db_now()),
            or_(c.attempt >= MAX_ATTEMPTS, c.subject_id.in_(_CANCELLING)),
        )
        return [self.thing(row) for row in await self.session.execute(statement)]

    async def depth(self, kind: str) -> int:
        """How many jobs of one kind wait for a worker."""
        return (await self.depths()).get(kind, 0)

    async def depths(self) -> dict[str, int]:
        """How many jobs wait for a worker, by kind; a kind that has none is left out."""
        c = self.table.c
        statement = (
            select(c.kind, func.count())
            .where(c.is_done.is_(False), or_(c.lease_until.is_(None), c.lease_until < db_now()))
            .group_by(c.kind)
        )
        rows: Any = await self.session.execute(statement)
        return {kind: int(count) for kind, count in rows}

    async def ages(self) -> dict[str, float]:
        """How many seconds the oldest job waits for a worker, by kind."""
        c = self.table.c
        statement = (
            select(c.kind, db_now() - func.min(c.created_at))
            .where(c.is_done.is_(False), or_(c.lease_until.is_(None), c.lease_until < db_now()))
            .group_by(c.kind)
        )
        rows: Any = await self.session.execute(statement)
        return {kind: max(0.0, float(age)) for kind, age in rows}

    async def remove_done(self, older_than_seconds: float) -> None:
        """Forget jobs that ended long ago."""
        c = self.table.c
        await self.session.execute(
            self.table.delete().where(c.is_done.is_(True), c.created_at < db_now() - older_than_seconds)
        )


_CANCELLING = select(tables.runs.c.id).where(
    tables.is_active(tables.runs), tables.runs.c.status == RunStatus.CANCELLING
)
_ONE_OF_LEASES = tuple_(tables.jobs.c.id, tables.jobs.c.attempt, tables.jobs.c.owner).in_(
    bindparam("leases", expanding=True)
)


def _named(leases: Collection[Lease]) -> dict[str, Any]:
    return {"leases": [(lease.job_id, lease.attempt, lease.owner) for lease in leases]}
