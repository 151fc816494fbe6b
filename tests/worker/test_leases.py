"""The leases of a worker: kept for what it carries, and for nothing else."""

import pytest

from assistants_api.domain.errors import DatabaseAway
from assistants_api.domain.job import JobKind
from assistants_api.domain.prompt import Text
from assistants_api.domain.run import RunStatus
from assistants_api.engine.script import Turn, Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.store.jobs import Jobs
from assistants_api.worker import worker as module
from tests.conftest import until
from tests.worker.conftest import user


async def test_a_job_that_was_dropped_is_tried_again_though_another_is_carried(open_house, monkeypatch):
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.05)
    engine = ScriptedEngine([Turn((Text("One, "), Wait("go"), Text("two.")), when="Count")])
    async with open_house(engine, lease_seconds=1.0) as house:
        carried = await house.start(user("Count"))
        await until(lambda: bool(engine.prompts))
        carrier = house.worker._desks[JobKind.RUN].carrier
        carry, attempts = carrier.carry, []

        async def carry_or_fall(job, stop):
            if job.subject_id != carried.id:
                attempts.append(job.attempt)
                if len(attempts) == 1:
                    raise RuntimeError("the carrier fell")
            await carry(job, stop)

        carrier.carry = carry_or_fall
        dropped = await house.start()

        async def is_done() -> bool:
            return (await house.run(dropped)).status is RunStatus.COMPLETED

        await until(is_done, seconds=20)
        assert attempts == [1, 2]
        engine.release("go")
        await house.worker.idle()
        async with house.db.read() as tx:
            entries = await tx.events.all(carried.id)
        assert [message.text for message in await house.messages(carried)] == ["One, two."]
        assert len(entries) == 13, "it was carried once, without a break"


async def test_a_job_whose_lease_ran_out_under_its_carrier_goes_on_there(open_house, monkeypatch):
    """The database was away, or the machine asleep, and the worker looked for jobs before it renewed its leases."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 3600)
    engine = ScriptedEngine([[Text("One, "), Wait("go"), Text("two.")]])
    async with open_house(engine, lease_seconds=3600) as house:
        run = await house.start()
        await until(lambda: house.messages(run))
        [late] = house.worker._work
        async with house.db.begin() as tx:
            await tx.jobs.renew([late], -1)
        await house.worker.claim()

        assert list(house.worker._work) == [late]
        engine.release("go")
        await house.worker.idle()

        assert (await house.run(run)).status is RunStatus.COMPLETED
        assert [message.text for message in await house.messages(run)] == ["One, two."]
        assert len(engine.prompts) == 1, "no word was asked for twice"


class Failing:
    """A database whose first few transactions of one kind fail in a way that nobody has thought of."""

    def __init__(self, db, kind, failures=2):
        self._db = db
        self._kind = kind
        self.failures = failures

    def __getattr__(self, name):
        if name == self._kind and self.failures:
            self.failures -= 1
            raise RuntimeError("nobody has thought of this")
        return getattr(self._db, name)


@pytest.mark.parametrize("kind", ["read", "begin"])
async def test_an_unknown_error_does_not_end_the_claiming_of_jobs(open_house, monkeypatch, kind):
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.02)
    async with open_house(ScriptedEngine([[Text("Hello.")]])) as house:
        house.worker._db = failing = Failing(house.db, kind)
        run = await house.start()

        async def is_done() -> bool:
            return (await house.run(run)).status is RunStatus.COMPLETED

        await until(is_done, seconds=20)

    assert failing.failures == 0


async def test_an_unknown_error_does_not_end_the_renewing_of_leases(open_house, monkeypatch):
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.02)
    engine = ScriptedEngine([[Text("One, "), Wait("go"), Text("two.")]])
    renew, calls = Jobs.renew, []

    async def renew_or_fail(self, *given):
        calls.append(given)
        if len(calls) == 1:
            raise RuntimeError("nobody has thought of this")
        return await renew(self, *given)

    monkeypatch.setattr(Jobs, "renew", renew_or_fail)
    async with open_house(engine) as house:
        run = await house.start()
        await until(lambda: len(calls) >= 3, seconds=20)
        engine.release("go")
        await house.worker.idle()

        assert (await house.run(run)).status is RunStatus.COMPLETED


async def test_a_job_that_cannot_be_given_back_is_tried_again_when_its_lease_has_run_out(
    open_house, monkeypatch, caplog
):
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.05)
    postponed = []

    async def fail(self, lease, seconds):
        postponed.append(lease)
        raise RuntimeError("nobody has thought of this")

    monkeypatch.setattr(Jobs, "postpone", fail)
    async with open_house(ScriptedEngine([[Text("Hello.")]]), lease_seconds=0.5) as house:
        carrier = house.worker._desks[JobKind.RUN].carrier
        carry = carrier.carry

        async def be_away_once(job, stop):
            if not postponed:
                raise DatabaseAway("The database cannot be reached.")
            await carry(job, stop)

        carrier.carry = be_away_once
        run = await house.start()
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
        assert "could not be given back" in caplog.text
