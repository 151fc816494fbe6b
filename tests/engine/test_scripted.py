"""The scripted engine plays its script, the same every time."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, Started, Stop, Text, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.engine.script import BadScript, Fail, Pause, Turn, Wait
from assistants_api.engine.scripted import ScriptedEngine
from tests.engine.conftest import until

CALL = ToolCall("call_1", "get_weather", '{"city": "Paris"}')


def asks(text: str, *, run: str = "run_1", **changes: Any) -> Prompt:
    return replace(Prompt(run, "m", (ChatMessage("user", text),)), **changes)


async def parts_of(engine: ScriptedEngine, prompt: Prompt) -> list[Any]:
    return [part async for part in engine.turn(prompt)]


def text_of(parts: list[Any]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))


async def test_a_script_of_steps_is_one_turn_with_counted_usage() -> None:
    engine = ScriptedEngine([Text("Let me see."), CALL])

    parts = await parts_of(engine, asks("Weather in Paris?"))

    assert isinstance(parts[0], Started)
    assert parts[1:] == [Text("Let me see.", 3), CALL, Stop("tool_calls", Usage(3, 6))]
    assert engine.prompts == [asks("Weather in Paris?")]


async def test_turns_come_by_their_words_then_in_order_then_as_an_echo() -> None:
    engine = ScriptedEngine([Turn((Text("Sunny."),), when="weather"), [Text("First.")], [Text("Second.")]])

    said = [
        text_of(await parts_of(engine, asks(text, run=text))) for text in ("a", "the weather", "b", "c d")
    ]

    assert said == ["First.", "Sunny.", "Second.", "c d"]


async def test_a_turn_that_is_asked_for_again_is_played_again_from_where_it_was_cut() -> None:
    engine = ScriptedEngine([[Text("one two"), Wait("go"), Text(" three")], [Text("other")]])
    engine.release("go")
    whole = await parts_of(engine, asks("q"))

    rest = await parts_of(engine, asks("q", answer_start="one t"))

    assert text_of(whole) == "one two three"
    assert text_of(rest) == "wo three"


async def test_a_gate_holds_the_turn_until_it_is_released() -> None:
    engine = ScriptedEngine([Text("before"), Wait("gate"), Pause(0), Text(" after")])
    turn = engine.turn(asks("q"))
    assert isinstance(await anext(turn), Started)
    assert await anext(turn) == Text("before", 1)
    following = asyncio.ensure_future(anext(turn))
    done, _ = await asyncio.wait([following], timeout=0.05)
    assert not done

    engine.release("gate")

    assert await following == Text(" after", 1)


async def test_closing_a_turn_at_a_gate_cancels_it() -> None:
    engine = ScriptedEngine([Text("before"), Wait("gate")])

    async with aclosing(engine.turn(asks("q"))) as turn:
        await anext(turn)

    assert engine.cancelled == [asks("q")]


async def test_closing_the_engine_ends_turns_that_wait() -> None:
    engine = ScriptedEngine([Wait("never")])
    following = asyncio.ensure_future(parts_of(engine, asks("q")))
    await until(lambda: engine.prompts)

    await engine.close()

    with pytest.raises(EngineFailed, match="stopped"):
        await following


async def test_a_script_may_fail() -> None:
    engine = ScriptedEngine([Text("half"), Fail("too busy", "rate_limit_exceeded")])

    with pytest.raises(EngineFailed, match="too busy") as caught:
        await parts_of(engine, asks("q"))

    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("limit", "text", "reason"),
    [(2, "one two", "length"), (3, "one two three", "stop"), (None, "one two three", "stop")],
)
async def test_max_tokens_cuts_the_answer(limit: int | None, text: str, reason: str) -> None:
    engine = ScriptedEngine([Text("one two three")])

    parts = await parts_of(engine, asks("q", sampling=Sampling(max_tokens=limit)))

    assert text_of(parts) == text
    assert parts[-1] == Stop(reason, Usage(1, len(text.split())))


async def test_one_call_at_a_time_when_parallel_calls_are_off() -> None:
    engine = ScriptedEngine([CALL, replace(CALL, id="call_2")])

    parts = await parts_of(engine, asks("q", parallel_tool_calls=False))

    assert [part for part in parts if isinstance(part, ToolCall)] == [CALL]
    assert parts[-1].reason == "tool_calls"


async def test_a_prompt_beyond_the_window_is_refused() -> None:
    engine = ScriptedEngine([Text("x")], context_window=3)

    with pytest.raises(ContextOverflow, match="maximum context length is 3 tokens"):
        await parts_of(engine, asks("one two three four"))

    assert await engine.count(asks("one two three four")) == 4


async def test_a_script_file_is_played(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text(
        json.dumps(
            [
                ["Hello there."],
                {"when": "weather", "steps": [{"call": "get_weather", "arguments": {"city": "Köln"}}]},
                [{"text": "in one piece"}, {"pause": 0}, {"wait": "gate"}, {"stop": "length"}],
                [{"fail": "no"}],
            ]
        )
    )
    engine = ScriptedEngine.from_file(file)
    engine.release("gate")

    first = await parts_of(engine, asks("hi", run="1"))
    weather = await parts_of(engine, asks("the weather?", run="2"))
    third = await parts_of(engine, asks("x", run="3"))

    assert first[1:3] == [Text("Hello", 1), Text(" there.", 1)]
    assert isinstance(weather[1], ToolCall)
    assert weather[1].arguments == '{"city": "Köln"}'
    assert third[1:] == [Text("in one piece", 3), Stop("length", Usage(1, 3))]
    with pytest.raises(EngineFailed, match="no"):
        await parts_of(engine, asks("y", run="4"))


@pytest.mark.parametrize("content", ["{}", "not json", "[[{}]]", '[{"steps": 3}]', '[["a", 7]]'])
def test_a_bad_script_file_is_refused_with_its_place(tmp_path: Path, content: str) -> None:
    file = tmp_path / "script.json"
    file.write_text(content)

    with pytest.raises(BadScript, match=r"script|turn 1"):
        ScriptedEngine.from_file(file)
