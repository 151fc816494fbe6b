"""What can be done with chat completions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from assistants_api.agent.chat import settings_of
from assistants_api.domain import ids
from assistants_api.domain.completion import (
    Answers,
    Completion,
    CompletionEnded,
    CompletionStatus,
    NewCompletion,
)
from assistants_api.domain.errors import InvalidRequest, NotFound, TooManyRequests
from assistants_api.domain.job import Job, JobKind
from assistants_api.domain.json import JsonObject
from assistants_api.domain.model import Catalogue
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.prompt import EngineFacts
from assistants_api.services.forms import refuse_forms
from assistants_api.services.runs import RunLimits
from assistants_api.store.database import Database
from assistants_api.store.transaction import Tx


async def create_completion(
    db: Database,
    new: NewCompletion,
    catalogue: Catalogue,
    engine: EngineFacts,
    limits: RunLimits,
    now: datetime,
) -> Completion:
    """Ask for a completion: it and its job in one transaction."""
    try:
        catalogue.resolve(new.model)
    except InvalidRequest as unknown:
        raise NotFound(
            f"The model `{new.model}` does not exist or you do not have access to it.", code="model_not_found"
        ) from unknown
    _refuse_what_cannot_be_honoured(new, engine)
    completion = Completion(
        id=ids.new("chatcmpl"),
        created_at=now,
        status=CompletionStatus.OPEN,
        model=new.model,
        messages=new.messages if new.is_stored else (),
        settings=settings_of(new),
        n=new.n,
        is_stored=new.is_stored,
        metadata=new.metadata,
        deadline=now + limits.expiry,
    )
    async with db.begin() as tx:
        if await tx.jobs.depth(JobKind.COMPLETION) >= limits.max_waiting:
            raise TooManyRequests(
                f"{limits.max_waiting} completions are waiting already. Please try again later."
            )
        await tx.completions.add(completion)
        await tx.jobs.add(Job(ids.new("job"), JobKind.COMPLETION, completion.id, now))
    return completion


async def cancel_completion(db: Database, completion_id: str) -> bool:
    """End a completion that nobody waits for any more; a worker that holds it is fenced out and told."""
    async with db.begin() as tx:
        await tx.jobs.hold_of(completion_id)
        completion = await tx.completions.find(completion_id, for_update=True)
        if completion is None or completion.is_final:
            return False
        await end_completion(tx, completion, CompletionStatus.CANCELLED)
    return True


async def end_completion(
    tx: Tx, completion: Completion, target: CompletionStatus, error: JsonObject | None = None
) -> None:
    """End an open completion from outside of its worker, whole and at once."""
    answers = Answers(completion.n)
    for entry in await tx.events.all(completion.id):
        answers.take(entry.event)
    ended = answers.ended(target, error)
    await tx.completions.finish(ended_of(completion, ended, (), await tx.now()))
    await tx.jobs.revoke(completion.id)
    await tx.events.append(completion.id, [ended])


def ended_of(
    completion: Completion, ended: CompletionEnded, choices: tuple[JsonObject, ...], now: datetime
) -> Completion:
    """The completion as it is written at its end; only what is whole is kept."""
    is_kept = completion.is_stored and ended.status is CompletionStatus.COMPLETED
    return completion.end(
        ended.status,
        now,
        choices=choices if is_kept else (),
        is_stored=is_kept,
        spent=ended.spent,
        cached_tokens=ended.cached_tokens,
        reasoning_tokens=ended.reasoning_tokens,
        error=ended.error,
    )


async def list_completions(
    db: Database, query: PageQuery, model: str | None, metadata: Mapping[str, str]
) -> Page[Completion]:
    """Stored completions by creation."""
    async with db.read() as tx:
        return await tx.completions.page(query, model, metadata)


async def get_completion(db: Database, completion_id: str) -> Completion:
    """One stored completion."""
    async with db.read() as tx:
        return await tx.completions.kept(completion_id)


async def update_completion(db: Database, completion_id: str, changes: Mapping[str, Any]) -> Completion:
    """The stored completion with other metadata."""
    async with db.begin() as tx:
        await tx.completions.hold(completion_id)
        changed = replace(await tx.completions.kept(completion_id), **changes)
        await tx.completions.save(changed)
    return changed


async def delete_completion(db: Database, completion_id: str) -> None:
    """Remove a stored completion and its log."""
    async with db.begin() as tx:
        await tx.completions.kept(completion_id)
        await tx.events.remove_of([completion_id])
        await tx.completions.remove(completion_id)


def _refuse_what_cannot_be_honoured(new: NewCompletion, engine: EngineFacts) -> None:
    if not engine.has_vision:
        for place, message in enumerate(new.messages):
            parts = message.get("content")
            for number, part in enumerate(parts if isinstance(parts, list) else ()):
                if part["type"] == "image_url":
                    raise InvalidRequest(
                        f"The model '{new.model}' cannot see images. Remove the image, or use a model with"
                        " vision.",
                        param=f"messages[{place}].content[{number}]",
                        code="unsupported_content",
                    )
    refuse_forms(new.response_format, new.tools, engine)
