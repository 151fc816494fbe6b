"""What is stored of a run when a worker takes it up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from assistants_api.agent.history import answered, asked
from assistants_api.agent.tools import CODE_INTERPRETER, FILE_SEARCH
from assistants_api.domain.file import File
from assistants_api.domain.json import JsonObject
from assistants_api.domain.message import Message, Shown
from assistants_api.domain.page import PageQuery
from assistants_api.domain.run import Run
from assistants_api.domain.step import RunStep, StepStatus
from assistants_api.domain.vector_store import VectorStore, store_ids
from assistants_api.store.transaction import Tx

_PAGE = 100
_MOST_RUNS = 1000  # of a thread, whose calls are looked up
_FEW_RUNS = 4  # whose calls are read first; then those of twice as many


@dataclass(frozen=True, slots=True)
class StoredRun:
    """The run with its thread's messages, its own messages and steps, and the files that its tools use.

    `earlier` are the steps of the runs that wrote in `history`, where this one may call what they called, as
    far back as they could be shown.
    """

    run: Run
    history: list[Message]
    own: list[Message]
    steps: list[RunStep]
    earlier: list[RunStep]
    open_message: Message | None
    open_step: RunStep | None
    shown: Shown
    turns: list[dict[str, Any]]
    stores: list[VectorStore]
    thread_store_ids: list[str]
    code_files: list[File]
    had_code: bool

    def cited_files(self) -> dict[str, str]:
        """Which file each marker stands for that this run's model was shown."""
        return {
            result["marker"]: result["file_id"]
            for step in self.steps
            for call in step.tool_calls
            if call["type"] == FILE_SEARCH
            for result in call[FILE_SEARCH].get("results", ())
            if result["marker"] is not None
        }

    def links(self) -> dict[str, str]:
        """Which file each link stands for, of those that this run's code has made."""
        return {
            path: file_id
            for step in self.steps
            for call in step.tool_calls
            if call["type"] == CODE_INTERPRETER
            for path, file_id in call[CODE_INTERPRETER].get("links", {}).items()
        }

    def new_images(self) -> tuple[str, ...]:
        """The figures that this run's code has made since its last message."""
        images: list[str] = []
        for step in self.steps:
            if step.message_id is not None:
                images = []
            for call in step.tool_calls:
                if call["type"] == CODE_INTERPRETER:
                    outputs = call[CODE_INTERPRETER]["outputs"]
                    images += [each["image"]["file_id"] for each in outputs if each["type"] == "image"]
        return tuple(images)


async def stored_run(tx: Tx, run_id: str, history_bytes: Callable[[Run], int]) -> StoredRun:
    """What is stored now; of the thread, as much as `history_bytes` says could ever be shown.

    Raises `NotFound`.
    """
    run = await tx.runs.get(run_id)
    own = await tx.messages.of_run(run_id)
    steps = await tx.steps.of_run(run_id)
    open_message = await tx.messages.open_of(run_id)
    shown = Shown() if open_message is None else await tx.events.shown_of(run_id, open_message.id)
    open_step = await tx.steps.open_of(run_id)
    trace = await tx.traces.find(run_id)
    turns = list(trace["turns"]) if trace else []
    limit = history_bytes(run)
    history = await _history(tx, run, limit)
    earlier = await _earlier(tx, run, history, limit)
    stores: list[VectorStore] = []
    thread_store_ids: list[str] = []
    if any(tool["type"] == FILE_SEARCH for tool in run.tools):
        thread = await tx.threads.get(run.thread_id)
        thread_store_ids = store_ids(thread.tool_resources)
        wanted = [*store_ids(run.tool_resources), *thread_store_ids]
        stores = await tx.vector_stores.existing(list(dict.fromkeys(wanted)))
    code_files: list[File] = []
    had_code = False
    if any(tool["type"] == CODE_INTERPRETER for tool in run.tools):
        thread = await tx.threads.get(run.thread_id)
        named = [*_code_file_ids(run.tool_resources), *_code_file_ids(thread.tool_resources)]
        code_files = await tx.files.existing(list(dict.fromkeys(named)))
        had_code = await tx.steps.has_code(run.thread_id)
    return StoredRun(
        run=run,
        history=history,
        own=own,
        steps=steps,
        earlier=earlier,
        open_message=open_message,
        open_step=open_step,
        shown=shown,
        turns=turns,
        stores=stores,
        thread_store_ids=thread_store_ids,
        code_files=code_files,
        had_code=had_code,
    )


async def _history(tx: Tx, run: Run, limit: int) -> list[Message]:
    """The thread without this run's own messages, oldest first: the newest `limit` bytes.

    The first message is always there, because truncation leaves out the middle.
    """
    newest: list[Message] = []
    size, before = 0, None
    while size < limit:
        page = await tx.messages.newest(run.thread_id, limit=_PAGE, before=before)
        newest += [message for message in page if message.run_id != run.id]
        size += sum(len(message.text) + 1 for message in page)
        if len(page) < _PAGE:
            return newest[::-1]
        before = page[-1].id
    first = (await tx.messages.page(run.thread_id, PageQuery(1, "asc"))).data[0]
    return [first, *(message for message in newest[::-1] if message.id != first.id)]


async def _earlier(tx: Tx, run: Run, history: Sequence[Message], limit: int) -> list[RunStep]:
    """The steps of the runs that wrote in the history and made calls that this one may make, oldest first:
    so many of the newest that their calls have `limit` bytes.
    """
    kinds = {tool["type"] for tool in run.tools} - {FILE_SEARCH}
    writers = dict.fromkeys(message.run_id for message in reversed(history) if message.run_id is not None)
    newest = list(writers)[:_MOST_RUNS]
    if not (kinds and newest):
        return []
    calling = await tx.steps.calling(newest, kinds)
    left = [run_id for run_id in newest if run_id in calling]
    steps: list[RunStep] = []
    size, number = 0, _FEW_RUNS
    while left and size < limit:
        read, left, number = left[:number], left[number:], 2 * number
        older = await tx.steps.of_runs(read, kinds)
        made = [call for step in older if step.status is StepStatus.COMPLETED for call in step.tool_calls]
        size += sum(len(asked(call).arguments) + len(answered(call)) for call in made)
        steps = [*older, *steps]
    return steps


def _code_file_ids(resources: JsonObject) -> list[str]:
    return list((resources.get(CODE_INTERPRETER) or {}).get("file_ids") or [])
