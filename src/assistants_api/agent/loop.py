"""The one tool loop: asks the engine, runs our tools, pauses for the caller's.

It knows no thread, row, route or stream. Runs and, later, completions and responses differ at its two ends.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from assistants_api.domain.prompt import ChatMessage, Prompt, Started, Stop, Text, Thought, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.ports import Engine

Tool = Callable[[ToolCall], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """One of our tools answered a call."""

    call: ToolCall
    output: str


@dataclass(frozen=True, slots=True)
class Paused:
    """The model wants these calls made by the caller; `usage` is of all model calls so far."""

    calls: tuple[ToolCall, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is whole (`stop`) or was cut at the token limit (`length`)."""

    reason: str
    usage: Usage


LoopEvent = Started | Thought | Text | ToolCall | ToolReturned | Paused | Finished


async def answer(
    prompt: Prompt, engine: Engine, tools: Mapping[str, Tool]
) -> AsyncGenerator[LoopEvent, None]:
    """Everything that happens until the answer is whole or the caller's tools are needed.

    Ends with exactly one `Paused` or `Finished`. White space before the first word of a turn is held
    back, so that a turn which only calls tools shows no text. `max_tokens` bounds all turns together.
    """
    usage = Usage()
    while True:
        calls: list[ToolCall] = []
        said = prompt.answer_start
        held = Text("", 0)
        stop: Stop | None = None
        async with aclosing(engine.turn(prompt)) as parts:
            async for part in parts:
                match part:
                    case Started() | Thought():
                        yield part
                    case Text(text, tokens, logprobs):
                        held = Text(held.text + text, held.tokens + tokens, held.logprobs + logprobs)
                        if said or held.text.strip():
                            yield held
                            said += held.text
                            held = Text("", 0)
                    case ToolCall():
                        calls.append(part)
                        yield part
                    case Stop():
                        stop = part
        assert stop is not None, "an engine ends a turn with Stop or raises"
        usage += stop.usage
        ours = [call for call in calls if call.name in tools]
        theirs = tuple(call for call in calls if call.name not in tools)
        outputs: list[ChatMessage] = []
        for call in ours:
            output = await tools[call.name](call)
            yield ToolReturned(call, output)
            outputs.append(ChatMessage("tool", output, tool_call_id=call.id))
        if theirs:
            yield Paused(theirs, usage)
            return
        left = _left(prompt, stop.usage)
        if not ours or left == 0:
            yield Finished("length" if ours else stop.reason, usage)
            return
        spoken = ChatMessage("assistant", said, tool_calls=tuple(calls))
        prompt = replace(
            prompt,
            messages=(*prompt.messages, spoken, *outputs),
            sampling=replace(prompt.sampling, max_tokens=left),
            answer_start="",
        )


def _left(prompt: Prompt, spent: Usage) -> int | None:
    limit = prompt.sampling.max_tokens
    return None if limit is None else max(0, limit - spent.completion_tokens)
