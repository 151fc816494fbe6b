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
        self._resets: dict[tuple[str, int], asyncio.Task[None]] = {}

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
        """Once. Waits for no session to end: while one is at work, the leases of the others go on."""
        known = self._pool.keys()
        if not known:
            return
        async with self._db.begin() as tx:
            kept = await tx.code_sessions.keep(self._owner, list(known), LEASE_SECONDS)
        for thread_id, generation in known.items():
            if thread_id not in kept and (thread_id, generation) not in self._resets:
                # Reset, gone with its thread, or begun anew at another worker.
                self._resets[thread_id, generation] = asyncio.create_task(
                    self._reset(thread_id, generation), name="session-reset"
                )

    async def release(self) -> None:
        """The sessions end with this process: any worker may take what comes."""
        resets = list(self._resets.values())
        for reset in resets:
            reset.cancel()
        await asyncio.gather(*resets, return_exceptions=True)
        if not self._pool.keys():
            return
        try:
            async with self._db.begin() as tx:
                await tx.code_sessions.release(self._owner)
        except Unavailable as error:
            logger.warning("code sessions were not given up: %s", error.message)

    async def _reset(self, thread_id: str, generation: int) -> None:
        try:
            await self._pool.reset(thread_id, generation)
        except Exception:
            logger.exception("the code session of %s did not end well", thread_id)
        finally:
            del self._resets[thread_id, generation]
