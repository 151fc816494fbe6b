"""Guessed tokens: found where the same was said before, checked, and never to be seen in what is said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.prompt import Prompt, Text
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.drafts import Drafts
from tests.engine.conftest import a_prompt
from tests.engine.test_scheduler import Loop, counted_forwards, generated

SCHEMA = {
    "type": "object",
    "properties": {"names": {"type": "array", "items": {"enum": ["quick", "brown"]}, "minItems": 6}},
    "required": ["names"],
    "additionalProperties": False,
}


def test_what_followed_the_same_tokens_last_is_guessed() -> None:
    ids = [1, 2, 3, 4, 5, 1, 2, 3, 6, 7, 8, 9, 1, 2, 3]

    assert Drafts(ids).propose(3) == [6, 7, 8]


def test_three_tokens_are_trusted_before_two() -> None:
    ids = [1, 2, 3, 4, 9, 2, 3, 5, 0, 1, 2, 3]

    assert Drafts(ids).propose(1) == [4]


def test_what_repeats_goes_on_repeating() -> None:
    assert Drafts([7, 8, 7, 8, 7, 8]).propose(4) == [7, 8, 7, 8]
    assert Drafts([5, 5, 5]).propose(4) == [5, 5, 5, 5]


def test_nothing_is_guessed_where_nothing_was_said_before() -> None:
    assert Drafts([1, 2, 3, 4]).propose(4) == []
    assert Drafts([]).propose(4) == []


def test_guesses_see_what_was_said_since() -> None:
    ids = [1, 2, 3]
    drafts = Drafts(ids)
    assert drafts.propose(2) == []

    ids += [4, 5, 1, 2, 3]

    assert drafts.propose(2) == [4, 5]


def test_guesses_grow_with_success_and_rest_after_failure() -> None:
    drafts = Drafts([1, 2, 3, 4, 5] * 20)
    assert len(drafts.propose(64)) == 4
    drafts.judge(4, 4)
    assert len(drafts.propose(64)) == 8
    drafts.judge(8, 0)
    assert drafts.propose(64) == []
    assert len(drafts.propose(64)) == 4
    for pause in (2, 4, 8, 16, 32, 32):
        drafts.judge(4, 0)
        assert [bool(drafts.propose(64)) for _ in range(pause + 1)] == [False] * pause + [True]
    drafts.judge(4, 2)
    assert drafts.propose(64)


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> Any:
    """The tiny model, loaded into this process."""
    from assistants_api.engine.model import Model

    return Model(EngineConfig(model=tiny_folder))


def told(model: Any, prompts: list[Prompt], **config: Any) -> Loop:
    """All prompts at once, each with a seed of its own."""
    loop = Loop(model, **config)
    for turn, prompt in enumerate(prompts):
        loop.submit(turn, prompt, seed=turn)
    return loop.run()


LIKES = (
    (70, 25.0),
    (71, 25.0),
    (72, 25.0),
)  # random weights repeat themselves where some tokens are favoured
REPEATING = "the quick brown fox jumps over the quick brown dog and the quick brown cat. "


@pytest.mark.model
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_an_answer_with_guesses_is_the_one_that_generate_gives(model: Any, rows: int) -> None:
    prompts = [a_prompt(REPEATING * (n + 1), max_tokens=80) for n in range(rows)]

    loop = told(model, prompts)

    for turn, prompt in enumerate(prompts):
        assert loop.tokens[turn] == generated(model, prompt, 80)[: len(loop.tokens[turn])]
        assert loop.stop(turn).usage.completion_tokens == len(generated(model, prompt, 80))


@pytest.mark.model
def test_right_guesses_save_steps(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    forwards = counted_forwards(model, monkeypatch)
    prompt = a_prompt(REPEATING, max_tokens=80, logit_bias=LIKES)

    plain = told(model, [prompt], draft_tokens=0)
    needed = len(forwards)
    loop = told(model, [prompt])

    details = loop.scheduler.details()
    assert loop.text(0) == plain.text(0)
    assert needed >= plain.stop(0).usage.completion_tokens
    assert details["accepted_tokens"] > 0
    assert len(forwards) - needed == needed - details["accepted_tokens"]
    assert plain.scheduler.details()["drafted_tokens"] == 0


@pytest.mark.model
def test_nothing_is_guessed_beside_a_far_longer_row(model: Any) -> None:
    short = [a_prompt("the quick brown fox", max_tokens=40, logit_bias=LIKES) for _ in range(4)]
    long = a_prompt(REPEATING * 20, max_tokens=200, logit_bias=LIKES)

    loop = Loop(model)
    for turn, prompt in enumerate([long, *short]):
        loop.submit(turn, prompt, seed=turn)
    while len(loop.scheduler._rows) < 5:
        loop.step()
    before = loop.scheduler.details()["drafted_tokens"]
    while len(loop.scheduler._rows) == 5:
        loop.step()

    assert loop.scheduler.details()["drafted_tokens"] == before
    assert told(model, short).scheduler.details()["accepted_tokens"] > 0


@pytest.mark.model
@pytest.mark.parametrize(
    "asked",
    [
        {"temperature": 1.0, "top_p": 0.9},
        {"temperature": 0.7, "frequency_penalty": 1.5, "presence_penalty": 0.5},
        {"top_logprobs": 3},
        {},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
        {"max_tokens": 7},
    ],
    ids=["drawn", "penalties", "logprobs", "greedy", "form", "short"],
)
def test_guesses_change_nothing_that_is_told(model: Any, asked: dict[str, Any]) -> None:
    options = {"max_tokens": 80, "logit_bias": LIKES} | asked
    form = options.pop("response_format", "auto")
    prompts = [replace(a_prompt(REPEATING * (n + 1), **options), response_format=form) for n in range(3)]

    plain = told(model, prompts, draft_tokens=0)
    loop = told(model, prompts)

    assert loop.scheduler.details()["accepted_tokens"] > 0
    for turn in range(3):
        assert loop.tokens[turn] == plain.tokens[turn]
        assert loop.stop(turn) == plain.stop(turn)
        noted = [
            [log for part in one.parts[turn] if isinstance(part, Text) for log in part.logprobs]
            for one in (loop, plain)
        ]
        assert [log["token"] for log in noted[0]] == [log["token"] for log in noted[1]]
        assert [log["logprob"] for log in noted[0]] == pytest.approx(
            [log["logprob"] for log in noted[1]], abs=1e-4
        )


@pytest.mark.model
def test_a_stop_string_in_the_middle_of_a_guess_ends_the_answer(model: Any) -> None:
    free = told(model, [a_prompt(REPEATING, max_tokens=80, logit_bias=LIKES)]).text(0)
    stop = free[len(free) // 2 :][:9]

    plain, loop = (
        told(model, [a_prompt(REPEATING, max_tokens=80, logit_bias=LIKES, stop=(stop,))], draft_tokens=n)
        for n in (0, 8)
    )

    assert loop.text(0) == plain.text(0) == free[: free.index(stop)]
    assert loop.stop(0) == plain.stop(0)
    assert loop.stop(0).reason == "stop"


@pytest.mark.model
def test_an_answer_with_guesses_can_be_taken_up_by_the_next_turn(model: Any) -> None:
    from assistants_api.domain.prompt import ChatMessage

    first = a_prompt(REPEATING, max_tokens=60)
    loop = told(model, [first])
    messages = (*first.messages, ChatMessage("assistant", loop.text(0)), ChatMessage("user", REPEATING))
    second = replace(first, messages=messages)
    loop.submit(1, second, seed=1)
    loop.run()

    fresh = told(model, [second], draft_tokens=0)
    assert loop.scheduler.details()["reused_tokens"] > 0
    assert loop.tokens[1] == fresh.tokens[0]


@pytest.mark.model
def test_what_a_form_leaves_no_choice_about_is_guessed_first(model: Any) -> None:
    from assistants_api.engine.messages import Submit
    from assistants_api.engine.rows import Row

    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    row = Row(Submit(1, replace(a_prompt("go"), response_format=form), 1), model)

    guessed = row.guess(100)
    row.judge(len(guessed), 0)

    assert model.tokenizer.decode(guessed).startswith('{"names": [')
    assert row.guess(2) == guessed[:2]


@pytest.mark.model
def test_an_answer_in_a_form_takes_few_steps_and_is_the_same() -> None:
    from assistants_api.engine.model import Model

    bundled = Model(EngineConfig(device="cpu"))
    names = ("policy_number", "object", "order_number")
    entities = {name: {"type": ["string", "null"]} for name in names}
    schema = {
        "type": "object",
        "properties": {"intent": {"enum": ["report_damage", "cancel_contract"]}, **entities},
        "required": ["intent", *entities],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    prompt = replace(a_prompt("A storm broke my greenhouse.", max_tokens=150), response_format=form)

    plain, loop = (told(bundled, [prompt], draft_tokens=n) for n in (0, 8))

    assert loop.tokens[0] == plain.tokens[0]
    steps, needed = (one.scheduler.details()["steps"] for one in (loop, plain))
    assert 2 * steps < needed
