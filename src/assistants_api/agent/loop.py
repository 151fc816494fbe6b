"""The one tool loop: asks the engine, runs our tools, pauses for the caller's.

It knows no thread, row, route or stream. Runs and completions differ at its two ends.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from assistants_api.agent.tools import Tool, ToolOutput, ToolReturned
from assistants_api.domain.prompt import CallPiece, Prompt, Started, Stop, Text, Thought, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.ports import Engine


@dataclass(frozen=True, slots=True)
class Calling:
    """The model wants these calls made by us; they are made now, in order. `usage` is the model call's."""

    calls: tuple[ToolCall, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Turned:
    """Our tools have answered: the model is to be asked again, with their outputs."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The model wants these calls made by the caller; `usage` is what `Calling` has not told already."""

    calls: tuple[ToolCall, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is whole (`stop`) or was cut at the token limit (`length`)."""

    reason: str
    usage: Usage


LoopEvent = (
    Started
    | Thought
    | Text
    | CallPiece
    | ToolCall
    | Calling
    | ToolOutput
    | ToolReturned
    | Turned
    | Paused
    | Finished
)


async def answer(
    prompt: Prompt, engine: Engine, tools: Mapping[str, Tool]
) -> AsyncGenerator[LoopEvent, None]:
    """One model call, and the calls of our tools that it asks for.

    Ends with exactly one `Turned`, `Paused` or `Finished`. Who gets `Turned` asks again, with a prompt
    made of what is stored by then: so every turn is cut to the model's window and to the run's budgets,
    and a turn after a crash is no different from any other. White space before the first word is held
    back, so that a turn which only calls tools shows no text.
    """
    calls: list[ToolCall] = []
    said = prompt.answer_start
    held = Text("", 0)
    stop: Stop | None = None
    async with aclosing(engine.turn(prompt)) as parts:
        async for part in parts:
            match part:
                case Started() | Thought() | CallPiece():
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
    ours = tuple(call for call in calls if call.name in tools)
    theirs = tuple(call for call in calls if call.name not in tools)
    usage = stop.usage
    if ours:
        yield Calling(ours, usage)
        usage = Usage()
        for call in ours:
            async for made in called(call, tools):
                yield made
    if theirs:
        yield Paused(theirs, usage)
    elif ours:
        yield Turned()
    else:
        yield Finished(stop.reason, usage)


async def called(
    call: ToolCall, tools: Mapping[str, Tool]
) -> AsyncGenerator[ToolOutput | ToolReturned, None]:
    """What one of our tools shows and answers; ends with its `ToolReturned`."""
    async with aclosing(tools[call.name](call)) as parts:
        async for part in parts:
            yield part
