"""What can be asked of run steps."""

from assistants_api.domain.errors import NotFound
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.step import RunStep
from assistants_api.services.runs import run_of
from assistants_api.store.database import Database


async def list_run_steps(db: Database, thread_id: str, run_id: str, query: PageQuery) -> Page[RunStep]:
    """Steps of a run by creation."""
    async with db.read() as tx:
        await run_of(tx, thread_id, run_id)
        return await tx.steps.page(run_id, query)


async def get_run_step(db: Database, thread_id: str, run_id: str, step_id: str) -> RunStep:
    """One step of this run."""
    async with db.read() as tx:
        await run_of(tx, thread_id, run_id)
        step = await tx.steps.find(step_id)
        if step is None or step.run_id != run_id:
            raise NotFound(f"No run step found with id '{step_id}'.")
        return step
