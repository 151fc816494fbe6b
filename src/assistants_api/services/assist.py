"""One question, one answer, no ceremony: a run of the default assistant."""

from datetime import datetime

from assistants_api.domain import ids
from assistants_api.domain.assistant import Assistant
from assistants_api.domain.message import NewMessage, text_part
from assistants_api.domain.model import Catalogue
from assistants_api.domain.prompt import EngineFacts
from assistants_api.domain.run import NewRun, Run
from assistants_api.domain.thread import NewThread
from assistants_api.services.runs import RunLimits, create_run, create_thread_and_run
from assistants_api.store.database import Database

_MARK = ("assistants_api", "assist")


async def ask(
    db: Database,
    question: str,
    thread_id: str | None,
    assistant_id: str | None,
    catalogue: Catalogue,
    engine: EngineFacts,
    limits: RunLimits,
    now: datetime,
) -> Run:
    """Start the run that answers `question`, on a new thread or on the given one."""
    if assistant_id is None:
        assistant_id = (await _default_assistant(db, catalogue, now)).id
    message = NewMessage("user", (text_part(question),))
    if thread_id is None:
        return await create_thread_and_run(
            db, NewThread((message,)), NewRun(assistant_id), catalogue, engine, limits, now
        )
    new = NewRun(assistant_id, additional_messages=(message,))
    return await create_run(db, thread_id, new, catalogue, engine, limits, now)


async def _default_assistant(db: Database, catalogue: Catalogue, now: datetime) -> Assistant:
    async with db.read() as tx:
        found = await tx.assistants.named(*_MARK)
    if found is not None:
        return found
    async with db.begin() as tx:
        found = await tx.assistants.named(*_MARK)
        if found is not None:
            return found
        assistant = Assistant(
            id=ids.new("asst"),
            created_at=now,
            model=catalogue.served,
            name="assist",
            description="Answers POST /assist.",
            instructions=None,
            tools=(),
            tool_resources={},
            metadata=dict([_MARK]),
            temperature=1.0,
            top_p=1.0,
            response_format="auto",
        )
        await tx.assistants.add(assistant)
    return assistant
