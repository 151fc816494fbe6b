"""Keeps the code sessions of this process in step with the database: claimed, reset, gone with a thread."""

import asyncio
import logging

from assistants_api.domain.errors import Unavailable
from assistants_api.domain.job import LEASE_SECONDS, RENEW_SECONDS
from assistants_api.sandbox.pool import SessionPool
from assistants_api.store.database import Database

logger = logging.getLogger(__name__)


class SessionKeeper:
    """Tells the other workers which threads' sessions are here, and ends those that are wanted no more."""

    def __init__(self, db: Database, pool: SessionPool, owner: str) -> None:
        self._db = db
        self._pool = pool
        self._owner = owner

    async def run(self) -> None:
        """Look every 1.5 seconds until cancelled; costs nothing while there is no session."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self.look()
            except Unavailable as error:
                logger.warning("cannot keep code sessions: %s", error.message)
            except Exception:
                logger.exception("keeping code sessions failed; it is tried again")

    async def look(self) -> None:
        """Once."""
        known = self._pool.keys()
        if not known:
            return
        async with self._db.begin() as tx:
            kept = await tx.code_sessions.keep(self._owner, list(known), LEASE_SECONDS)
        for thread_id, generation in known.items():
            if thread_id not in kept:
                # Reset, gone with its thread, or begun anew at another worker.
                await self._pool.reset(thread_id, generation)

    async def release(self) -> None:
        """The sessions end with this process: any worker may take what comes."""
        if self._pool.keys():
            async with self._db.begin() as tx:
                await tx.code_sessions.release(self._owner)
