"""What becomes of a blob between its writing and the commit of the row that names it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assistants_api.domain.errors import Problem, Unavailable
from assistants_api.ports import Blobs


@asynccontextmanager
async def removed_if_refused(blobs: Blobs, blob: str) -> AsyncIterator[None]:
    """Removes the blob when the block that writes its row refuses it.

    Only then is it certain that no row names it: a commit may have been done although the task was cancelled
    or the database went away. Of those, the sweep removes what no row names.
    """
    try:
        yield
    except Unavailable:
        raise
    except Problem:
        await blobs.remove([blob])
        raise
