"""What the API is built over; made in `bootstrap`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

from assistants_api.domain.model import Catalogue
from assistants_api.domain.prompt import EngineFacts
from assistants_api.domain.sandbox import SandboxFacts
from assistants_api.knowledge.search import Searcher
from assistants_api.ports import Blobs, Embedder, Engine
from assistants_api.services.runs import RunLimits
from assistants_api.store.database import Database
from assistants_api.store.log import Log


@dataclass(frozen=True)
class Parts:
    """The parts of one server process that routes use; `stopping` is set once it begins to end."""

    db: Database
    log: Log
    catalogue: Catalogue
    engine: Engine
    blobs: Blobs
    embedder: Embedder
    searcher: Searcher
    limits: RunLimits
    api_keys: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    version: str = "0"
    has_worker: bool = True
    sandbox: Callable[[], SandboxFacts] | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def models(self) -> list[EngineFacts]:
        """What the engine is for each served model, right now; the default one first."""
        served = (self.catalogue.served, *self.catalogue.others)
        return [self.engine.describe(name) for name in served]

    @cached_property
    def fingerprint(self) -> str:
        """Of the model and the version that answer chat completions."""
        text = f"{self.catalogue.served} {self.version}"
        return "fp_" + blake2b(text.encode(), digest_size=5).hexdigest()
