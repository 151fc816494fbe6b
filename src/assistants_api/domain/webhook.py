"""A webhook delivery: one event that one address is to hear of."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from assistants_api.domain.json import JsonObject


class DeliveryStatus(StrEnum):
    """Pending until the address has taken it, or until it is given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for an address; `event_id` is the same for every address and every attempt."""

    id: str
    created_at: datetime
    event_id: str
    url: str
    type: str
    data: JsonObject
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    last_error: str | None = None

    @property
    def payload(self) -> JsonObject:
        """What is sent, in the envelope of the service's own webhooks."""
        return {
            "id": self.event_id,
            "object": "event",
            "created_at": int(self.created_at.timestamp()),
            "type": self.type,
            "data": self.data,
        }


def host_of(url: str) -> str | None:
    """The host of an http address, with its port where one is given; None when it is no such address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        return None
    return parts.hostname if port is None else f"{parts.hostname}:{port}"
