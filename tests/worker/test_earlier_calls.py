"""Later runs of a thread are shown what earlier ones called, and what they got; on both databases."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from assistants_api.domain.message import NewMessage
from assistants_api.domain.prompt import Prompt, Stop, Text, ToolCall
from assistants_api.domain.run import NewRun, Run
from assistants_api.domain.usage import Usage
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.messages import delete_message
from assistants_api.services.runs import RunLimits, create_run, submit_tool_outputs
from assistants_api.services.traces import get_trace
from assistants_api.worker.stored_run import stored_run
from tests.worker.conftest import CATALOGUE, House, user

NOW = datetime.now(UTC)
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
TIME = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}
OSLO = ToolCall("call_a", "get_weather", '{"city":"Oslo"}')
SCRIPT = [
    [Text("Let me see."), OSLO, Stop("tool_calls", Usage(5, 6))],
    [Text("Cold."), Stop("stop", Usage(13, 9))],
    [Text("It was 40 %."), Stop("stop", Usage(20, 4))],
]


def seen(prompt: Prompt) -> list[tuple[Any, ...]]:
    """Each message as role and text, and the names of what it calls."""
    return [(m.role, m.content, *(call.name for call in m.tool_calls)) for m in prompt.messages]


async def asked(house: House, tools: Sequence[Any] = (WEATHER,)) -> Run:
    """A run that asked for the weather, was told, and has answered."""
    run = await house.start(user("How is Oslo?"), tools=tools)
    await house.events(run)
    outputs = {"call_a": "cold, humidity 40 %"}
    _, after = await submit_tool_outputs(house.db, run.thread_id, run.id, outputs, NOW)
    await house.events(run, after=after)
    return run


async def queued(house: House, run: Run, *messages: NewMessage, **new: Any) -> Run:
    """A further run on that thread."""
    return await create_run(
        house.db,
        run.thread_id,
        NewRun(run.assistant_id, additional_messages=messages, **new),
        CATALOGUE,
        house.engine.describe(),
        RunLimits(),
        datetime.now(UTC),
    )


async def again(house: House, run: Run, *messages: NewMessage, **new: Any) -> Run:
    """A further run on that thread, until it pauses or ends."""
    further = await queued(house, run, *messages, **new)
    await house.events(further)
    return further


async def test_a_later_question_is_answered_from_what_a_function_said_before(open_house):
    async with open_house(ScriptedEngine(SCRIPT)) as house:
        first = await asked(house)

        await again(house, first, user("And how humid?"))

        assert seen(house.engine.prompts[-1]) == [
            ("user", "How is Oslo?"),
            ("assistant", "Let me see.", "get_weather"),
            ("tool", "cold, humidity 40 %"),
            ("assistant", "Cold."),
            ("user", "And how humid?"),
        ]
        # What the model was shown before is what it is shown first, so that its state is of use.
        assert house.engine.prompts[-1].messages[:3] == house.engine.prompts[-2].messages


async def test_a_run_without_the_tool_is_shown_the_answer_alone(open_house):
    async with open_house(ScriptedEngine(SCRIPT)) as house:
        first = await asked(house)

        await again(house, first, user("And how humid?"), tools=(TIME,))

        assert [m.role for m in house.engine.prompts[-1].messages] == [
            "user",
            "assistant",
            "assistant",
            "user",
        ]


async def test_calls_go_with_the_answer_that_they_led_to(open_house):
    async with open_house(ScriptedEngine(SCRIPT)) as house:
        first = await asked(house)
        *_, answer = await house.messages(first)
        await delete_message(house.db, first.thread_id, answer.id)

        await again(house, first, user("And how humid?"))

        assert seen(house.engine.prompts[-1]) == [
            ("user", "How is Oslo?"),
            ("assistant", "Let me see."),
            ("user", "And how humid?"),
        ]


async def test_of_earlier_calls_no_more_is_read_than_could_be_shown(open_house):
    each = [[OSLO, Stop("tool_calls", Usage(5, 6))], [Text("Cold."), Stop("stop", Usage(13, 9))]]
    async with open_house(ScriptedEngine(each * 9)) as house:
        run = await asked(house)
        for _ in range(8):
            further = await again(house, run, user("And now?"))
            _, after = await submit_tool_outputs(house.db, run.thread_id, further.id, {"call_a": "cold"}, NOW)
            await house.events(further, after=after)
        last = await queued(house, run)

        async with house.db.read() as tx:
            everything, little = [
                [
                    step
                    for step in (await stored_run(tx, last.id, lambda _, b=b: b)).earlier
                    if step.tool_calls
                ]
                for b in (1000, 10)
            ]
        assert len(everything) == 9
        assert 0 < len(little) < 9
        assert little == everything[-len(little) :]


async def test_searches_of_earlier_runs_are_not_even_read(open_house):
    found = [
        {"id": "call_s", "type": "file_search", "file_search": {}, "arguments": "{}", "output": "It rains."}
    ]
    async with open_house(ScriptedEngine(SCRIPT)) as house:
        first = await asked(house)
        calls = next(step for step in await house.steps(first) if step.tool_calls)
        async with house.db.begin() as tx:
            await tx.steps.add(replace(calls, id="step_s").with_calls(found))
        last = await queued(house, first, tools=(WEATHER, {"type": "file_search"}))

        async with house.db.read() as tx:
            earlier = (await stored_run(tx, last.id, lambda _: 1000)).earlier
        assert [call["id"] for step in earlier for call in step.tool_calls] == ["call_a"]


async def test_calls_are_left_out_before_any_message_is(open_house):
    async with open_house(ScriptedEngine(SCRIPT)) as house:
        first = await asked(house)

        further = await again(house, first, user("And how humid?"), max_prompt_tokens=12)  # words, here

        calls = next(step for step in await house.steps(first) if step.tool_calls)
        [turn] = (await get_trace(house.db, further.thread_id, further.id))["turns"]
        assert [m["role"] for m in turn["messages"]] == ["user", "assistant", "assistant", "user"]
        assert (turn["left_out_steps"], turn["left_out_messages"]) == ([calls.id], [])
