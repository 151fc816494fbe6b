"""The projection of a completion's log to chunks, and its folding to an object: two views of one log."""

import json
from datetime import UTC, datetime

import pytest

from assistants_api.agent.chat import prompt_of, settings_of
from assistants_api.domain.completion import (
    Answers,
    ChoiceCalled,
    ChoiceCalling,
    ChoiceEnded,
    ChoiceStarted,
    ChoiceText,
    ChoiceThought,
    Completion,
    CompletionEnded,
    CompletionStatus,
    NewCompletion,
)
from assistants_api.domain.errors import IllegalMove
from assistants_api.domain.prompt import ChatMessage, Sampling, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.store.codec import decode, encode
from assistants_api.wire.chat_events import Chunks

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CALL = ToolCall("call_a", "get_weather", '{"city": "Oslo"}')
LOGPROB = {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": []}
ENTIRE = [
    ChoiceStarted(0, 9, 4),
    ChoiceThought(0, "Hm.", 1),
    ChoiceText(0, "Hi", 1, (LOGPROB,)),
    ChoiceStarted(1, 9, 0),
    ChoiceCalling(1, 0, CALL.id, CALL.name, '{"city": '),
    ChoiceCalling(1, 0, CALL.id, CALL.name, '"Os'),
    ChoiceCalled(1, 0, CALL),
    ChoiceEnded(1, "tool_calls", Usage(9, 7)),
    ChoiceStarted(0, 11, 0),  # a second attempt
    ChoiceText(0, " you", 1),
    ChoiceEnded(0, "length", Usage(9, 3)),
    CompletionEnded(CompletionStatus.COMPLETED, Usage(9, 10), 4, 1),
]


def a_completion(**sampling) -> Completion:
    messages = (
        ChatMessage("system", "Be brief."),
        ChatMessage("user", ({"type": "text", "text": "x"},), name="ann"),
        ChatMessage("assistant", "", tool_calls=(CALL,)),
        ChatMessage("tool", "cold", tool_call_id="call_a"),
    )
    new = NewCompletion("m", (), messages, Sampling(**sampling), n=2, response_format={"type": "text"})
    status = CompletionStatus.OPEN
    return Completion("chatcmpl-a", NOW, status, "m", (), settings_of(new), 2, False, {}, NOW)


def chunks(**given) -> list[dict]:
    projection = Chunks(a_completion(), "fp_a", **{"shows_usage": True, **given})
    frames = [frame for event in ENTIRE for frame in projection.take(event)]
    assert projection.end == ENTIRE[-1]
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames]


def test_every_choice_is_opened_once_and_ended_once():
    found = chunks()

    for index in (0, 1):
        mine = [c["choices"][0] for c in found if c["choices"] and c["choices"][0]["index"] == index]
        assert [("role" in choice["delta"]) for choice in mine] == [True, *[False] * (len(mine) - 1)]
        assert [choice["finish_reason"] is None for choice in mine] == [*[True] * (len(mine) - 1), False]
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["completion_tokens_details"] == {"reasoning_tokens": 1}
    assert all("usage" not in chunk for chunk in chunks(shows_usage=False))


def test_the_chunks_joined_are_the_folded_answer():
    answers = Answers(2)
    for event in ENTIRE:
        answers.take(event)
    first, second = answers.shown(with_logprobs=True)

    for folded in (first, second):
        deltas = [
            chunk["choices"][0]["delta"]
            for chunk in chunks()
            if chunk["choices"] and chunk["choices"][0]["index"] == folded["index"]
        ]
        joined = "".join(delta.get("content") or "" for delta in deltas)
        assert joined == (folded["message"]["content"] or "")
    assert first["message"]["reasoning_content"] == "Hm."
    assert first["logprobs"] == {"content": [LOGPROB], "refusal": None}
    pieces = [
        call
        for chunk in chunks()
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls") or ()
    ]
    assert [piece.get("id") for piece in pieces] == ["call_a", None, None, None]
    assert "".join(piece["function"]["arguments"] for piece in pieces) == CALL.arguments
    assert (first["finish_reason"], second["finish_reason"]) == ("length", "tool_calls")
    assert second["message"]["content"] is None
    assert answers.spent == Usage(9, 10)
    assert answers.ended(CompletionStatus.COMPLETED).reasoning_tokens == 1


def test_a_choice_that_was_cut_is_counted_by_its_parts():
    answers = Answers(2)
    for event in ENTIRE[:5]:
        answers.take(event)

    assert answers.spent == Usage(9, 2)


@pytest.mark.parametrize("event", ENTIRE, ids=lambda event: type(event).__name__)
def test_events_are_the_same_after_a_night_in_the_log(event):
    assert decode(*encode(event)) == event


def test_the_prompt_is_read_back_from_the_settings_as_it_was_asked():
    completion = a_completion(seed=5, stop=("a", "b"), logit_bias=((3, -1.0),), top_logprobs=2, top_k=0)
    stored = json.loads(json.dumps(completion.settings))
    answers = Answers(2)
    answers.take(ChoiceText(1, "Hal", 1))

    prompt = prompt_of(
        Completion("chatcmpl-a", NOW, completion.status, "m", (), stored, 2, False, {}, NOW),
        "served",
        1,
        answers.choices[1],
    )

    assert prompt.messages[1:3] == (
        ChatMessage("user", ({"type": "text", "text": "x"},), name="ann"),
        ChatMessage("assistant", "", tool_calls=(CALL,)),
    )
    assert prompt.sampling == Sampling(
        seed=6, stop=("a", "b"), logit_bias=((3, -1.0),), top_logprobs=2, top_k=0
    )
    assert (prompt.model, prompt.answer_start, prompt.request_id) == ("served", "Hal", "chatcmpl-a-1")


def test_a_completion_ends_once():
    ended = a_completion().end(CompletionStatus.FAILED, NOW)

    with pytest.raises(IllegalMove):
        ended.end(CompletionStatus.COMPLETED, NOW)
    with pytest.raises(IllegalMove):
        a_completion().end(CompletionStatus.OPEN, NOW)
