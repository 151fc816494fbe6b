"""Delivers webhooks: signed, tried again with growing pauses, at least once."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx

from assistants_api.domain.errors import LostLease, NotFound
from assistants_api.domain.job import Job
from assistants_api.domain.webhook import Delivery, DeliveryStatus
from assistants_api.store.database import Database
from assistants_api.worker.interrupts import StopSignal

logger = logging.getLogger(__name__)

# Seconds between the attempts: about a day in all.
PAUSES = (5.0, 30.0, 300.0, 1800.0, 7200.0, 21600.0, 50400.0)
_TIMEOUT = 10.0
_GONE = 410
SECRET_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class _Outcome:
    is_taken: bool
    may_be_tried_again: bool = True
    reason: str | None = None
    not_before: float = 0.0


class WebhookCarrier:
    """Carries webhook jobs; a job's subject is a delivery.

    An address takes a delivery by any 2xx within ten seconds; 410 says that it wants no more of it. An
    attempt whose worker dies is made again: receivers tell by `webhook-id` what they know already.
    """

    def __init__(self, db: Database, secret: bytes, *, pauses: Sequence[float] = PAUSES) -> None:
        self._db = db
        self._secret = secret
        self._pauses = pauses
        # Made once: it reads every certificate that is trusted, those of SSL_CERT_FILE where that is set.
        self._tls = httpx.create_ssl_context()

    async def carry(self, job: Job, stop: StopSignal) -> None:
        """Make one attempt, and settle when the next one is."""
        try:
            async with self._db.read() as tx:
                delivery = await tx.deliveries.get(job.subject_id)
            outcome = await self._attempt(delivery)
            await self._settle(job, outcome)
        except (LostLease, NotFound):
            logger.info("webhook %s is delivered by somebody else now", job.subject_id)

    async def _attempt(self, delivery: Delivery) -> _Outcome:
        body = json.dumps(delivery.payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "content-type": "application/json",
            "user-agent": "assistants-api",
            **signed(self._secret, delivery.event_id, int(time.time()), body),
        }
        try:
            # httpx would count the time of each read. The answer's body is not read: it may never end.
            # Redirects are not followed: they would lead where the operator did not allow.
            async with (
                asyncio.timeout(_TIMEOUT),
                httpx.AsyncClient(
                    verify=self._tls, timeout=None, follow_redirects=False, trust_env=False
                ) as http,
                http.stream("POST", delivery.url, content=body, headers=headers) as response,
            ):
                pass
        except TimeoutError:
            return _Outcome(False, reason=f"It did not answer within {_TIMEOUT:g} seconds.")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _Outcome(False, reason=f"{type(error).__name__}: {error}"[:500])
        if response.is_success:
            return _Outcome(True)
        seconds = response.headers.get("retry-after", "")
        return _Outcome(
            False,
            may_be_tried_again=response.status_code != _GONE,
            reason=f"It answered {response.status_code}.",
            not_before=float(seconds) if seconds.isascii() and seconds.isdigit() else 0.0,
        )

    async def _settle(self, job: Job, outcome: _Outcome) -> None:
        async with self._db.begin() as tx:
            if job.lease not in await tx.jobs.held([job.lease]):
                raise LostLease
            delivery = await tx.deliveries.get(job.subject_id)
            attempts = delivery.attempts + 1
            delivery = replace(delivery, attempts=attempts, last_error=outcome.reason)
            if outcome.is_taken:
                delivery = replace(delivery, status=DeliveryStatus.DELIVERED)
                await tx.jobs.finish(job.lease)
            elif outcome.may_be_tried_again and attempts <= len(self._pauses):
                pause = min(max(self._pauses[attempts - 1], outcome.not_before), max(PAUSES))
                await tx.jobs.postpone(job.lease, pause)
            else:
                logger.warning("webhook %s to %s is given up: %s", delivery.id, delivery.url, outcome.reason)
                delivery = replace(delivery, status=DeliveryStatus.FAILED)
                await tx.jobs.finish(job.lease)
            await tx.deliveries.save(delivery)


def signed(secret: bytes, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks (https://www.standardwebhooks.com), version 1."""
    mac = hmac.new(secret, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def read_secret(text: str) -> bytes:
    """The bytes of a secret as Standard Webhooks writes it: `whsec_` and base64. Raises ValueError."""
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"it must begin with {SECRET_PREFIX}")
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("it must be base64 after that") from error
    if not 24 <= len(secret) <= 64:
        raise ValueError("it must have 24 to 64 bytes")
    return secret
