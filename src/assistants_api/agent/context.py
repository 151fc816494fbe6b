"""What a run's model is shown: instructions, the thread, this run's own turns, cut to a token budget."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from assistants_api.agent.history import Past, own_turns, past_of, told
from assistants_api.agent.tools import CODE_INTERPRETER, OURS, shown_choice, shown_tools
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
    """The parts of a prompt, before any is left out."""

    base: Prompt
    system: tuple[ChatMessage, ...]
    history: tuple[Past, ...]
    turns: tuple[ChatMessage, ...]

    def prompt(self, history: Sequence[Past]) -> Prompt:
        """The prompt with this much of the thread."""
        return replace(self.base, messages=(*self.system, *told(history), *self.turns))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt that fits, and the ids of the messages and of earlier runs' steps that it leaves out."""

    prompt: Prompt
    left_out: tuple[str, ...] = ()
    left_out_steps: tuple[str, ...] = ()


def gather(
    run: Run,
    model: str,
    history: Sequence[Message],
    own: Sequence[Message],
    steps: Sequence[RunStep],
    shown: str,
    code_files: Sequence[str] = (),
    *,
    earlier: Sequence[RunStep] = (),
    can_continue: bool = True,
) -> Context:
    """The context of the run's next model call.

    `history` is the thread without this run's messages, oldest first; `own` and `steps` are what this run
    did so far; `shown` is the text of the message that it is in the middle of; `code_files` are the names of
    the files that the code interpreter will find; `earlier` are the steps of the runs that wrote in the
    history; `can_continue` says that the engine takes up an answer where it was cut.
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
    return Context(base, system, tuple(past_of(kept, earlier, _kept_calls(run))), tuple(turns))


async def fit(context: Context, count: Count, window: int, prompt_budget: int | None) -> Fitted:
    """Leave out as little as needed: earlier calls, then messages from the middle, then the oldest one.

    The newest message always stays. Raises `PromptBudgetSpent` when the rest is over `prompt_budget`,
    `ContextOverflow` when it is over what the model can read.
    """
    max_tokens = context.base.sampling.max_tokens
    reserve = min(ANSWER_RESERVE if max_tokens is None else max_tokens, ANSWER_RESERVE, window // 4)
    limit = window - reserve
    if prompt_budget is not None:
        limit = min(limit, prompt_budget)
    whole = context.prompt(context.history)
    if _upper_bound(whole) <= limit or await count(whole) <= limit:
        return Fitted(whole)
    calls = [place for place, past in enumerate(context.history) if past.is_calls]
    first, *rest = [place for place, past in enumerate(context.history) if not past.is_calls] or [0]
    order = [*calls, *rest[:-1], *([first] if rest else [])]

    def without(number: int) -> Fitted:
        gone = set(order[:number])
        kept = [past for place, past in enumerate(context.history) if place not in gone]
        left_out = [context.history[place] for place in sorted(gone)]
        return Fitted(
            context.prompt(kept),
            tuple(past.id for past in left_out if not past.is_calls),
            tuple(past.id for past in left_out if past.is_calls),
        )

    low, high = 1, len(order)
    smallest = await count(without(high).prompt)
    if not order or smallest > limit:
        if prompt_budget is not None and smallest > prompt_budget:
            raise PromptBudgetSpent
        if smallest > window - 1:
            raise ContextOverflow(
                f"This model's maximum context length is {window} tokens. However, your messages"
                f" resulted in {smallest} tokens. Please reduce the length of the messages."
            )
        return without(high)
    while low < high:
        middle = (low + high) // 2
        if await count(without(middle).prompt) <= limit:
            high = middle
        else:
            low = middle + 1
    return without(low)


def refuse_images(context: Context, model: str) -> None:
    """`EngineFailed` when a model without eyes would be shown an image."""
    for past in context.history:
        if not all(isinstance(message.content, str) for message in past.messages):
            raise EngineFailed(
                f"The model '{model}' cannot see images, and message {past.id} contains one.",
                code="invalid_prompt",
            )


def _kept_calls(run: Run) -> frozenset[str]:
    """Whose earlier calls the run is shown: those of what it may call too, but searches are made anew."""
    functions = (tool["function"]["name"] for tool in run.tools if tool["type"] == "function")
    ours = (tool["type"] for tool in run.tools if tool["type"] == CODE_INTERPRETER)
    return frozenset((*functions, *ours))


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
