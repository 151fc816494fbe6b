"""Completions from their request to their end, through the worker, on a scripted engine and both databases."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from assistants_api.domain.completion import (
    Answers,
    ChoiceCalled,
    ChoiceCalling,
    ChoiceEnded,
    ChoiceStarted,
    ChoiceText,
    CompletionEnded,
    CompletionStatus,
    NewCompletion,
)
from assistants_api.domain.errors import Conflict, NotFound
from assistants_api.domain.page import PageQuery
from assistants_api.domain.prompt import CallPiece, ChatMessage, Sampling, Stop, Text, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.engine.script import Fail, Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services import sweeping
from assistants_api.services.completions import (
    cancel_completion,
    create_completion,
    delete_completion,
    get_completion,
    list_completions,
)
from assistants_api.services.runs import RunLimits
from assistants_api.services.sweeping import sweep
from tests.conftest import until
from tests.worker.conftest import CATALOGUE

S = CompletionStatus
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


async def ask(house, text="Hello", *, expiry=600.0, sampling=None, **given):
    """An open completion of one user's message."""
    new = NewCompletion(
        model="scripted",
        messages=({"role": "user", "content": text},),
        shown=(ChatMessage("user", text),),
        sampling=sampling or Sampling(),
        **given,
    )
    limits = RunLimits(timedelta(seconds=expiry))
    return await create_completion(
        house.db, new, CATALOGUE, house.engine.describe(), limits, datetime.now(UTC)
    )


async def events(house, completion):
    async with asyncio.timeout(60):
        return [entry.event async for entry in house.log.follow(completion.id)]


async def answered(house, **given):
    """A completion that has ended."""
    completion = await ask(house, **given)
    await events(house, completion)
    return completion


def gathered(found, n=1):
    answers = Answers(n)
    for event in found:
        answers.take(event)
    return answers


async def row(house, completion):
    async with house.db.read() as tx:
        return await tx.completions.get(completion.id)


def shown_so_far(house, completion, text):
    async def look():
        async with house.db.read() as tx:
            answers = gathered([entry.event for entry in await tx.events.all(completion.id)], completion.n)
        return "".join(choice.text for choice in answers.choices) == text

    return look


async def test_a_completion_is_answered_and_counted(open_house):
    engine = ScriptedEngine([[Text("Hello "), Text("you."), Stop("stop", Usage(7, 2))]])
    async with open_house(engine) as house:
        completion = await ask(house)

        found = await events(house, completion)

        assert found == [
            ChoiceStarted(0, 1, 0),
            ChoiceText(0, "Hello ", 1),
            ChoiceText(0, "you.", 1),
            ChoiceEnded(0, "stop", Usage(7, 2)),
            CompletionEnded(S.COMPLETED, Usage(7, 2), 0),
        ]
        assert (await row(house, completion)).status is S.COMPLETED
        assert house.engine.prompts[0].messages == (ChatMessage("user", "Hello"),)


async def test_calls_are_shown_with_the_end_of_their_choice(open_house):
    calls = [ToolCall("call_a", "get_weather", '{"city":"Oslo"}'), ToolCall("call_b", "get_weather", "{}")]
    async with open_house(ScriptedEngine([[Text("Let me see."), *calls]])) as house:
        completion = await ask(house, tools=(TOOL,))

        found = await events(house, completion)

        assert found[2:4] == [ChoiceCalled(0, 0, calls[0]), ChoiceCalled(0, 1, calls[1])]
        assert found[4].reason == "tool_calls"


def written(id, arguments, by=5, name="get_weather"):
    """A call as the model writes it, and whole."""
    pieces = [arguments[place : place + by] for place in range(0, len(arguments), by)]
    return [*(CallPiece(id, name, piece) for piece in pieces), ToolCall(id, name, arguments)]


async def test_a_call_is_shown_while_it_is_written(open_house):
    script = [[*written("call_a", '{"city":"Oslo"}', by=8), *written("call_b", "{}")]]
    async with open_house(ScriptedEngine(script)) as house:
        found = await events(house, await ask(house, tools=(TOOL,)))

        assert found[1:4] == [
            ChoiceCalling(0, 0, "call_a", "get_weather", '{"city":'),
            ChoiceCalling(0, 0, "call_a", "get_weather", '"Oslo"}'),
            ChoiceCalling(0, 1, "call_b", "get_weather", "{}"),
        ]
        assert [each.call.id for each in found if isinstance(each, ChoiceCalled)] == ["call_a", "call_b"]


async def test_a_call_that_is_none_after_all_leaves_its_place_empty(open_house):
    script = [[CallPiece("call_x", "get_weather", "{"), Text("No."), *written("call_a", "{}")]]
    async with open_house(ScriptedEngine(script)) as house:
        found = await events(house, await ask(house, tools=(TOOL,)))

        assert [(e.place, e.call.id) for e in found if isinstance(e, ChoiceCalled)] == [(1, "call_a")]


def calling_so_far(house, completion, arguments):
    async def look():
        async with house.db.read() as tx:
            answers = gathered([entry.event for entry in await tx.events.all(completion.id)])
        return "".join(call.arguments for call in answers.choices[0].calling.values()) == arguments

    return look


@pytest.mark.parametrize("by", [1, 5, 100])
async def test_another_worker_writes_the_same_call_to_its_end(open_house, by):
    begun = [*written("call_a", '{"city":"Oslo"}')[:2], Wait("never")]
    async with open_house(ScriptedEngine([begun]), lease_seconds=0.2) as lost:
        completion = await ask(lost, tools=(TOOL,))
        await until(calling_so_far(lost, completion, '{"city":"O'))
    again = ScriptedEngine([written("call_other", '{"city":"Oslo"}', by)])
    async with open_house(again) as house:
        found = await events(house, completion)

        shown = [each for each in found if isinstance(each, ChoiceCalling)]
        assert "".join(each.arguments for each in shown) == '{"city":"Oslo"}'
        assert {(each.place, each.id) for each in shown} == {(0, "call_a")}
        [called] = gathered(found).choices[0].calls
        assert called == ToolCall("call_a", "get_weather", '{"city":"Oslo"}')
        assert found[-1].status is S.COMPLETED


@pytest.mark.parametrize(
    "again",
    [written("call_b", '{"city":"Rome"}'), written("call_b", '{"city":"O', name="other"), [Text("No.")]],
)
async def test_another_worker_that_writes_another_call_says_so(open_house, again):
    begun = [*written("call_a", '{"city":"Oslo"}')[:2], Wait("never")]
    async with open_house(ScriptedEngine([begun]), lease_seconds=0.2) as lost:
        completion = await ask(lost, tools=(TOOL,))
        await until(calling_so_far(lost, completion, '{"city":"O'))
    async with open_house(ScriptedEngine([again])) as house:
        found = await events(house, completion)

        assert found[-1].status is S.FAILED
        assert "in the middle of a call" in found[-1].error["message"]


async def test_many_choices_are_many_turns_and_one_prompt(open_house):
    script = [[Text(f"Answer {n}.")] for n in range(12)]
    async with open_house(ScriptedEngine(script)) as house:
        completion = await ask(house, n=12, sampling=Sampling(seed=40))

        answers = gathered(await events(house, completion), 12)

        assert sorted(choice.text for choice in answers.choices) == sorted(f"Answer {n}." for n in range(12))
        assert answers.end.spent == Usage(1, 24)
        assert sorted(prompt.sampling.seed for prompt in house.engine.prompts) == list(range(40, 52))
        assert len({prompt.request_id for prompt in house.engine.prompts}) == 12


async def test_a_failing_choice_ends_its_siblings(open_house):
    async with open_house(ScriptedEngine([[Wait("never")], [Text("x"), Fail("No memory.")]])) as house:
        completion = await ask(house, n=2)

        found = await events(house, completion)

        assert found[-1].status is S.FAILED
        assert found[-1].error == {"code": "server_error", "message": "No memory."}
        await until(lambda: len(house.engine.cancelled) == 1)


async def test_a_prompt_that_is_too_long_is_told_by_its_code(open_house):
    async with open_house(ScriptedEngine([], context_window=3)) as house:
        completion = await ask(house, "one two three four")

        [ended] = await events(house, completion)

        assert ended.error["code"] == "context_length_exceeded"
        assert "maximum context length is 3 tokens" in ended.error["message"]


async def test_cancelling_stops_the_model_at_once(open_house):
    async with open_house(ScriptedEngine([[Text("Half"), Wait("never")]])) as house:
        completion = await ask(house)
        await until(shown_so_far(house, completion, "Half"))

        assert await cancel_completion(house.db, completion.id)
        found = await events(house, completion)

        assert found[-1] == CompletionEnded(S.CANCELLED, Usage(1, 1), 0)
        await until(lambda: house.worker.carried == 0 and len(house.engine.cancelled) == 1)
        assert (await row(house, completion)).status is S.CANCELLED
        assert not await cancel_completion(house.db, completion.id)


async def test_cancelling_before_any_worker_came(open_house):
    async with open_house(ScriptedEngine([[Text("Hello")]])) as house:
        house.worker._is_draining = True
        await until(lambda: house.worker.carried == 0)
        completion = await ask(house)

        assert await cancel_completion(house.db, completion.id)

        assert await events(house, completion) == [CompletionEnded(S.CANCELLED, Usage(0, 0), 0)]
        async with house.db.begin() as tx:
            assert await tx.jobs.claim("other", "completion", 1) == []


async def test_cancelling_too_late_changes_nothing(open_house):
    async with open_house(ScriptedEngine([[Text("Hello")]])) as house:
        completion = await ask(house)
        await events(house, completion)

        assert not await cancel_completion(house.db, completion.id)
        assert (await row(house, completion)).status is S.COMPLETED


async def test_a_lost_worker_is_replaced_and_the_sentence_goes_on(open_house):
    engine = ScriptedEngine([[Text("One, "), Text("two, "), Wait("go"), Text("three.")]])
    async with open_house(engine, lease_seconds=0.2) as lost:
        completion = await ask(lost, is_stored=True)
        await until(shown_so_far(lost, completion, "One, two, "))
    engine = ScriptedEngine([[Text("One, "), Text("two, "), Text("three.")]])
    async with open_house(engine) as house:
        answers = gathered(await events(house, completion))

        assert answers.choices[0].text == "One, two, three."
        assert answers.end.spent == Usage(3, 3)
        assert house.engine.prompts[0].answer_start == "One, two, "
        kept = await get_completion(house.db, completion.id)
        assert kept.choices[0]["message"]["content"] == "One, two, three."


async def test_choices_that_had_ended_are_not_asked_for_again(open_house):
    script = [[Text("Done.")], [Text("Half "), Wait("never")]]
    async with open_house(ScriptedEngine(script), lease_seconds=0.2) as lost:
        completion = await ask(lost, n=2)
        await until(shown_so_far(lost, completion, "Done.Half "))
    async with open_house(ScriptedEngine([[Text("Half "), Text("whole.")]])) as house:
        answers = gathered(await events(house, completion), 2)

        assert [choice.text for choice in answers.choices] == ["Done.", "Half whole."]
        assert [prompt.answer_start for prompt in house.engine.prompts] == ["Half "]


async def test_an_engine_that_cannot_continue_says_so(open_house):
    async with open_house(ScriptedEngine([[Text("Half "), Wait("never")]]), lease_seconds=0.2) as lost:
        completion = await ask(lost)
        await until(shown_so_far(lost, completion, "Half "))
    async with open_house(ScriptedEngine([[Text("Other.")]], can_continue=False)) as house:
        found = await events(house, completion)

        assert found[-1].status is S.FAILED
        assert "cannot continue" in found[-1].error["message"]
        assert house.engine.prompts == []


async def test_a_completion_that_three_workers_lost_fails(open_house):
    completion = None
    for _ in range(3):
        async with open_house(ScriptedEngine([[Wait("never")]]), lease_seconds=0.1) as house:
            completion = completion or await ask(house)
            await until(lambda house=house: house.worker.carried == 1)

    await until(lambda: sweep(house.db))

    found = await events(house, completion)
    assert found[-1].status is S.FAILED
    assert "3 workers" in found[-1].error["message"]


async def test_a_completion_ends_at_its_deadline_even_if_its_worker_hangs(open_house):
    async with open_house(ScriptedEngine([[Text("Slow"), Wait("never")]])) as house:
        completion = await ask(house, expiry=0.3)
        await until(shown_so_far(house, completion, "Slow"))

        await until(lambda: sweep(house.db))

        found = await events(house, completion)
        assert found[-1].error["code"] == "deadline_exceeded"
        await until(lambda: house.worker.carried == 0)


async def test_what_is_not_to_be_stored_is_forgotten(open_house, monkeypatch):
    async with open_house(ScriptedEngine([[Text("A")], [Text("B")], [Fail("C")]])) as house:
        passing, kept, failed = [
            await answered(house, is_stored=is_stored) for is_stored in (False, True, True)
        ]

        await sweep(house.db)
        assert (await row(house, passing)).messages == ()
        monkeypatch.setattr(sweeping, "PASSED_SECONDS", -1.0)
        await sweep(house.db)

        async with house.db.read() as tx:
            for gone in (passing, failed):
                assert await tx.completions.find(gone.id) is None
                assert await tx.events.all(gone.id) == []
        assert (await get_completion(house.db, kept.id)).choices[0]["message"]["content"] == "B"


async def test_only_whole_stored_completions_are_listed(open_house):
    async with open_house(ScriptedEngine([[Text("A")], [Text("B")], [Text("C")], [Wait("never")]])) as house:
        stored = []
        for metadata in ({"k": "1", "x": "y"}, {"k": "2"}):
            completion = await ask(house, is_stored=True, metadata=metadata)
            await events(house, completion)
            stored.append(completion.id)
        passing = await ask(house)
        await events(house, passing)
        still_open = await ask(house, is_stored=True)

        query = PageQuery(order="asc")
        everything = await list_completions(house.db, query, None, {})
        some = await list_completions(house.db, query, "scripted", {"k": "1"})

        assert [each.id for each in everything.data] == stored
        assert [each.id for each in some.data] == stored[:1]
        assert not (await list_completions(house.db, query, "other", {})).data
        for hidden in (passing, still_open):
            with pytest.raises(NotFound):
                await get_completion(house.db, hidden.id)
            with pytest.raises(NotFound):
                await delete_completion(house.db, hidden.id)
        await delete_completion(house.db, stored[0])
        with pytest.raises(NotFound):
            await get_completion(house.db, stored[0])


async def test_a_completion_ends_once(open_house):
    async with open_house(ScriptedEngine([[Text("A")]])) as house:
        completion = await ask(house)
        await events(house, completion)
        ended = completion.end(S.FAILED, datetime.now(UTC))

        with pytest.raises(Conflict):
            async with house.db.begin() as tx:
                await tx.completions.finish(ended)
