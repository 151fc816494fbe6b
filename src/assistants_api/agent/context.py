"""What a run's model is shown: instructions, the thread, this run's own turns, cut to a token budget."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from assistants_api.agent.history import as_shown, chat_message, own_turns
from assistants_api.agent.tools import OURS, shown_choice, shown_tools
from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.json import JsonObject
from assistants_api.domain.message import Message
from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling
from assistants_api.domain.run import Run
from assistants_api.domain.step import RunStep

Count = Callable[[Prompt], Awaitable[int]]

# Room that is kept for an answer when the run sets no limit of its own.
ANSWER_RESERVE = 512
# How many calls of our own tools one run may make.
MOST_OWN_CALLS = 24
_BYTES_PER_MESSAGE = 64


class PromptBudgetSpent(Exception):
    """What must be shown costs more than `max_prompt_tokens` leaves."""


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a prompt, before any is left out: `history` pairs each message with its id."""

    base: Prompt
    system: tuple[ChatMessage, ...]
    history: tuple[tuple[str, ChatMessage], ...]
    turns: tuple[ChatMessage, ...]

    def prompt(self, history: Sequence[tuple[str, ChatMessage]]) -> Prompt:
        """The prompt with this much of the thread."""
        said = (shown for _, message in history for shown in as_shown(message))
        messages = (*self.system, *said, *self.turns)
        return replace(self.base, messages=messages)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt that fits, and the ids of the messages that it leaves out."""

    prompt: Prompt
    left_out: tuple[str, ...]


def gather(
    run: Run,
    model: str,
    history: Sequence[Message],
    own: Sequence[Message],
    steps: Sequence[RunStep],
    shown: str,
    code_files: Sequence[str] = (),
    *,
    can_continue: bool = True,
) -> Context:
    """The context of the run's next model call.

    `history` is the thread without this run's messages, oldest first; `own` and `steps` are what this run
    did so far; `shown` is the text of the message that it is in the middle of; `code_files` are the names of
    the files that the code interpreter will find; `can_continue` says that the engine takes up an answer
    where it was cut.
    """
    turns = own_turns(own, steps)
    if can_continue and turns and turns[-1].role == "assistant" and not turns[-1].tool_calls:
        # What was said before a call that a lost worker was writing: the same answer goes on.
        *turns, said = turns
        shown = f"{said.content}{shown}"
    sampling = Sampling(
        temperature=1.0 if run.temperature is None else run.temperature,
        top_p=1.0 if run.top_p is None else run.top_p,
        max_tokens=_left(run.max_completion_tokens, run.spent.completion_tokens),
    )
    base = Prompt(
        request_id=run.id,
        model=model,
        messages=(),
        tools=shown_tools(run.tools, code_files),
        tool_choice=_tool_choice(run, steps),
        parallel_tool_calls=run.parallel_tool_calls,
        response_format=run.response_format,
        sampling=sampling,
        answer_start=shown,
        cache_key=run.thread_id,
        reasoning_effort=run.reasoning_effort,
    )
    system = (ChatMessage("system", run.instructions),) if run.instructions else ()
    kept = list(history)
    if run.truncation_strategy["type"] == "last_messages":
        kept = kept[-run.truncation_strategy["last_messages"] :]
    shown_history = tuple((message.id, chat_message(message)) for message in kept if message.content)
    return Context(base, system, shown_history, tuple(turns))


async def fit(context: Context, count: Count, window: int, prompt_budget: int | None) -> Fitted:
    """Leave out as few messages as needed: from the middle first, then the oldest, never the newest.

    Raises `PromptBudgetSpent` when the rest is over `prompt_budget`, `ContextOverflow` when it is over
    what the model can read.
    """
    max_tokens = context.base.sampling.max_tokens
    reserve = min(ANSWER_RESERVE if max_tokens is None else max_tokens, ANSWER_RESERVE, window // 4)
    limit = window - reserve
    if prompt_budget is not None:
        limit = min(limit, prompt_budget)
    whole = context.prompt(context.history)
    if _upper_bound(whole) <= limit or await count(whole) <= limit:
        return Fitted(whole, ())
    last = len(context.history) - 1
    order = [*range(1, last), *([0] if last > 0 else [])]

    def without(number: int) -> tuple[tuple[tuple[str, ChatMessage], ...], tuple[str, ...]]:
        gone = set(order[:number])
        kept = tuple(pair for place, pair in enumerate(context.history) if place not in gone)
        return kept, tuple(context.history[place][0] for place in sorted(gone))

    low, high = 1, len(order)
    smallest = await count(context.prompt(without(high)[0]))
    if not order or smallest > limit:
        if prompt_budget is not None and smallest > prompt_budget:
            raise PromptBudgetSpent
        if smallest > window - 1:
            raise ContextOverflow(
                f"This model's maximum context length is {window} tokens. However, your messages"
                f" resulted in {smallest} tokens. Please reduce the length of the messages."
            )
        kept, left_out = without(high)
        return Fitted(context.prompt(kept), left_out)
    while low < high:
        middle = (low + high) // 2
        if await count(context.prompt(without(middle)[0])) <= limit:
            high = middle
        else:
            low = middle + 1
    kept, left_out = without(low)
    return Fitted(context.prompt(kept), left_out)


def refuse_images(context: Context, model: str) -> None:
    """`EngineFailed` when a model without eyes would be shown an image."""
    for id, message in context.history:
        if not isinstance(message.content, str):
            raise EngineFailed(
                f"The model '{model}' cannot see images, and message {id} contains one.",
                code="invalid_prompt",
            )


def _tool_choice(run: Run, steps: Sequence[RunStep]) -> str | JsonObject:
    """The run's choice for its first call; once a forced call was made, the model is free to answer.

    A model that has used our tools so often must answer now: else a run might go on until its deadline.
    """
    called = [step for step in steps if step.tool_calls]
    if sum(call["type"] in OURS for step in called for call in step.tool_calls) >= MOST_OWN_CALLS:
        return "none"
    return "auto" if called and run.tool_choice != "none" else shown_choice(run.tool_choice)


def _left(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)


def _written(value: object) -> int:
    """Bytes of a JSON value in a prompt, with room for a template's own way to set it out."""
    return 2 * len(repr(value).encode())


def _upper_bound(prompt: Prompt) -> int:
    """More tokens than the prompt can have: no tokenizer makes more than one token of a byte."""
    size = _written(prompt.tools) + len(prompt.answer_start.encode())
    if prompt.response_format not in ("auto", {"type": "text"}):
        size += _BYTES_PER_MESSAGE + _written(prompt.response_format)
    for message in prompt.messages:
        size += _BYTES_PER_MESSAGE + len(str(message.content).encode())
        size += sum(
            _BYTES_PER_MESSAGE + len(call.name) + len(call.arguments.encode()) for call in message.tool_calls
        )
    return size + (4 * _BYTES_PER_MESSAGE + 512 if prompt.tools else 4 * _BYTES_PER_MESSAGE)
