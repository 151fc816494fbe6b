"""The one tool loop, without threads, rows or routes."""

from dataclasses import replace

from assistants_api.agent.loop import Calling, Finished, Paused, Turned, answer
from assistants_api.agent.tools import ToolReturned
from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, Started, Stop, Text, Thought, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.engine.scripted import ScriptedEngine

HELLO = Prompt("r", "m", (ChatMessage("user", "Hello"),))
SEARCH = ToolCall("call_s", "search", '{"q":"oslo"}')
WEATHER = ToolCall("call_w", "weather", '{"city":"Oslo"}')


async def search(call: ToolCall):
    yield ToolReturned(call, "Oslo is a city.")


async def heard(prompt, engine, tools=()):
    return [event async for event in answer(prompt, engine, dict(tools)) if not isinstance(event, Started)]


async def test_our_tools_run_before_the_loop_waits_for_theirs():
    engine = ScriptedEngine([SEARCH, WEATHER, Stop("tool_calls", Usage(5, 2))])

    events = await heard(HELLO, engine, {"search": search})

    assert events == [
        SEARCH,
        WEATHER,
        Calling((SEARCH,), Usage(5, 2)),
        ToolReturned(SEARCH, "Oslo is a city."),
        Paused((WEATHER,), Usage()),  # its usage was told by `Calling`
    ]


async def test_after_our_tools_the_model_is_to_be_asked_again():
    engine = ScriptedEngine([[Text("Well. "), SEARCH, Stop("tool_calls", Usage(5, 2))]])

    events = await heard(HELLO, engine, {"search": search})

    assert events == [
        Text("Well. "),
        SEARCH,
        Calling((SEARCH,), Usage(5, 2)),
        ToolReturned(SEARCH, "Oslo is a city."),
        Turned(),
    ]


async def test_an_answer_without_calls_is_finished():
    engine = ScriptedEngine([[Text("Done."), Stop("length", Usage(9, 1))]])

    assert (await heard(HELLO, engine))[-1] == Finished("length", Usage(9, 1))


async def test_white_space_before_a_call_is_not_text():
    engine = ScriptedEngine([Text("\n"), Text("  "), WEATHER, Stop("tool_calls", Usage(1, 1))])

    assert await heard(HELLO, engine) == [WEATHER, Paused((WEATHER,), Usage(1, 1))]


async def test_white_space_before_words_is_kept():
    engine = ScriptedEngine([Text("\n"), Text(" Hi"), Stop("stop", Usage(1, 1))])

    assert [event.text for event in await heard(HELLO, engine) if isinstance(event, Text)] == ["\n Hi"]


async def test_white_space_that_was_held_back_brings_its_tokens_and_probabilities():
    engine = ScriptedEngine([Text("\n"), Text(" Hi"), Text(" you")])
    prompt = replace(HELLO, sampling=Sampling(top_logprobs=0))

    first, second, *_ = await heard(prompt, engine)

    assert (first.text, [entry["token"] for entry in first.logprobs]) == ("\n Hi", ["\n", " Hi"])
    assert (second.text, len(second.logprobs)) == (" you", 1)
    assert first.tokens + second.tokens == 2


async def test_thoughts_pass_through_and_are_not_said():
    engine = ScriptedEngine([Thought("Hm."), Text("Yes.")])

    events = await heard(HELLO, engine)

    assert events == [Thought("Hm."), Text("Yes."), Finished("stop", Usage(1, 2))]
