"""The job: work that a worker must do, held under a lease."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MAX_ATTEMPTS = 3
LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.5


class JobKind(StrEnum):
    """What a job is about; its `subject_id` is an id of that noun."""

    RUN = "run"
    COMPLETION = "completion"
    INGESTION = "ingestion"  # of a file, for every vector store that waits for it
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job; `attempt` is the fencing token that every write must name."""

    job_id: str
    attempt: int
    owner: str


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of durable work; `subject_id` is the thing it is about."""

    id: str
    kind: str
    subject_id: str
    created_at: datetime
    attempt: int = 0
    owner: str | None = None
    lease_until: datetime | None = None
    is_done: bool = False

    @property
    def lease(self) -> Lease:
        """The lease of a claimed job."""
        assert self.owner is not None, "only a claimed job has a lease"
        return Lease(self.id, self.attempt, self.owner)
