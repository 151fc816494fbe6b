"""Webhook deliveries: who hears of an end, each by a job of its own."""

from sqlalchemy import delete

from assistants_api.domain import ids
from assistants_api.domain.job import Job, JobKind
from assistants_api.domain.json import JsonObject
from assistants_api.domain.webhook import Delivery, DeliveryStatus
from assistants_api.store import tables
from assistants_api.store.columns import db_now
from assistants_api.store.jobs import Jobs
from assistants_api.store.repository import Repository


class Deliveries(Repository[Delivery]):
    """The table of deliveries."""

    table = tables.deliveries
    kind = Delivery
    noun = "delivery"

    async def announce(self, type: str, data: JsonObject, url: str | None = None) -> None:
        """Send an event to every address that hears of all, and to `url`, once this is durable."""
        urls = dict.fromkeys([*self.session.webhooks, *([url] if url else [])])
        if not urls:
            return
        event_id, now = ids.new("evt"), await self.session.now()
        for each in urls:
            delivery = Delivery(ids.new("whd"), now, event_id, each, type, data)
            await self.add(delivery)
            await Jobs(self.session).add(Job(ids.new("job"), JobKind.WEBHOOK, delivery.id, now))

    async def remove_ended(self, older_than_seconds: float) -> None:
        """Forget deliveries that are over, and old."""
        c = self.table.c
        await self.session.execute(
            delete(self.table).where(
                c.status != DeliveryStatus.PENDING, c.created_at < db_now() - older_than_seconds
            )
        )
