"""A prompt whose beginning was read before is not read again; where its thread goes on alone, nothing is copied either."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.prompt import ChatMessage, Prompt, Started
from assistants_api.engine.config import EngineConfig
from tests.engine.conftest import a_prompt
from tests.engine.test_scheduler import Loop, alone

pytestmark = pytest.mark.model

QUESTION = "the quick brown fox jumps over the lazy dog " * 8


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> Any:
    from assistants_api.engine.model import Model

    return Model(EngineConfig(model=tiny_folder))


def further(answer: str, words: str = "and then?", **sampling: Any) -> Prompt:
    """The next turn of the thread that began with `QUESTION`."""
    said = (("user", QUESTION), ("assistant", answer), ("user", words))
    messages = tuple(ChatMessage(role, text) for role, text in said)
    return Prompt("r", "m", messages, sampling=a_prompt(**sampling).sampling)


def cached(loop: Loop, turn: int) -> int:
    started = loop.parts[turn][0]
    assert isinstance(started, Started)
    return started.cached_tokens


def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all rows that are copied from now on."""
    from assistants_api.engine.kv import KvBlock

    lengths: list[int] = []
    put = KvBlock.put

    def noted(self: Any, row: int, snapshot: Any, length: int) -> None:
        lengths.append(length)
        put(self, row, snapshot, length)

    monkeypatch.setattr(KvBlock, "put", noted)
    return lengths


def test_a_thread_that_goes_on_alone_is_never_copied(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = written(monkeypatch)
    loop = Loop(model)
    loop.submit(1, a_prompt(QUESTION))
    answer = loop.run().text(1)

    loop.submit(2, further(answer))
    loop.run()

    assert lengths == []
    assert cached(loop, 2) > 60
    assert loop.text(2) == alone(model, further(answer))


def test_two_threads_go_on_beside_each_other(model: Any) -> None:
    other = "is " + QUESTION
    loop = Loop(model)
    for turn, prompt in ((1, a_prompt(QUESTION)), (2, a_prompt(other, max_tokens=40))):
        loop.submit(turn, prompt)
    loop.run()
    answer = loop.text(1)

    loop.submit(3, further(answer))
    loop.step()
    loop.submit(4, a_prompt(other + "hello"))
    loop.submit(5, further(answer, "why?"))
    loop.run()

    assert cached(loop, 3) > 60
    assert cached(loop, 4) > 60
    assert cached(loop, 5) > 60
    assert loop.text(3) == alone(model, further(answer))
    assert loop.text(4) == alone(model, a_prompt(other + "hello"))
    assert loop.text(5) == alone(model, further(answer, "why?"))


def test_choices_of_one_question_share_what_was_read_before(model: Any) -> None:
    loop = Loop(model)
    loop.submit(1, a_prompt(QUESTION))
    prompt = further(loop.run().text(1), temperature=1.0)

    for turn in range(2, 6):
        loop.submit(turn, prompt, seed=turn)
    loop.run()

    for turn in range(2, 6):
        assert cached(loop, turn) > 60
        assert loop.text(turn) == alone(model, prompt, seed=turn)


def test_a_thread_keeps_its_state_though_another_begins_alike(model: Any) -> None:
    loop = Loop(model)
    loop.submit(1, a_prompt(QUESTION))
    answer = loop.run().text(1)
    whole = len(model.ids(model.template.render(a_prompt(QUESTION)).text))

    loop.submit(2, a_prompt(QUESTION[:-90] + "but what is that?"))
    loop.run()
    loop.submit(3, further(answer))
    loop.run()

    assert 30 < cached(loop, 2) < whole - 10
    assert cached(loop, 3) >= whole


def test_a_prompt_that_begins_like_a_running_answer_s_is_not_read_again(model: Any) -> None:
    loop = Loop(model)
    loop.submit(1, a_prompt(QUESTION, max_tokens=60))
    while not loop.text(1):
        loop.step()

    loop.submit(2, a_prompt(QUESTION + "hello", max_tokens=10))
    loop.run()

    assert cached(loop, 2) > 60
    assert loop.text(1) == alone(model, a_prompt(QUESTION, max_tokens=60))
    assert loop.text(2) == alone(model, a_prompt(QUESTION + "hello", max_tokens=10))


def test_of_an_answer_that_goes_on_only_the_prompt_counts_as_kept(model: Any) -> None:
    """What was said before is no part of the prompt's tokens, so more than all of them could be kept."""
    loop = Loop(model)
    goes_on = replace(a_prompt(QUESTION, max_tokens=60), answer_start="it runs and runs and runs")
    for turn in (1, 2):
        loop.submit(turn, goes_on)
        loop.run()

    started = loop.parts[2][0]
    assert isinstance(started, Started)
    assert started.cached_tokens == started.prompt_tokens


@pytest.mark.parametrize("chunk", [40, 512])
def test_what_a_cancelled_turn_has_read_is_kept(model: Any, chunk: int) -> None:
    loop = Loop(model, prefill_chunk=chunk)
    loop.submit(1, a_prompt(QUESTION, max_tokens=60))
    loop.step()  # one chunk, or all and the first words

    loop.scheduler.cancel(1)
    loop.submit(2, a_prompt(QUESTION + "hello"))
    loop.run()

    assert cached(loop, 2) >= min(chunk, 60)
    assert loop.text(2) == alone(model, a_prompt(QUESTION + "hello"))


def test_a_thread_whose_turn_was_cancelled_goes_on_from_all_it_had(model: Any) -> None:
    loop = Loop(model)
    loop.submit(1, a_prompt(QUESTION))
    answer = loop.run().text(1)
    loop.submit(2, further(answer, max_tokens=60))
    while not loop.text(2):
        loop.step()

    loop.scheduler.cancel(2)
    loop.submit(3, further(answer, "and then? hello"))
    loop.run()

    assert cached(loop, 3) > cached(loop, 2)
    assert loop.text(3) == alone(model, further(answer, "and then? hello"))


@pytest.mark.parametrize("refused", ["grow", "put"])
def test_where_memory_for_a_known_beginning_is_refused_it_is_read_again(
    model: Any, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    from assistants_api.engine.kv import KvBlock

    loop = Loop(model)
    loop.submit(1, a_prompt(QUESTION))
    answer = loop.run().text(1)
    prompts = {"grow": further(answer), "put": a_prompt(QUESTION[:-90] + "but what is that?")}

    def refuses(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(KvBlock, refused, refuses)
        loop.submit(2, prompts[refused])
        loop.scheduler._admit([])
    loop.run()

    assert not loop.refused
    assert loop.text(2) == alone(model, prompts[refused])


def prompts_alike(count: int) -> list[Prompt]:
    return [a_prompt(f"{QUESTION} {n}", temperature=1.0) for n in range(count)]


def whole(model: Any, prompt: Prompt) -> int:
    return len(model.ids(model.template.render(prompt).text))


@pytest.mark.parametrize("chunk", [40, 512])
def test_what_begins_alike_and_comes_together_is_read_once(model: Any, chunk: int) -> None:
    prompts = prompts_alike(6)
    loop = Loop(model, prefill_chunk=chunk)

    for turn, prompt in enumerate(prompts):
        loop.submit(turn, prompt, seed=turn)
    loop.run()

    assert loop.scheduler.details()["read_tokens"] < 1.6 * whole(model, prompts[0])
    assert cached(loop, 0) == 0
    for turn, prompt in enumerate(prompts):
        assert loop.text(turn) == alone(model, prompt, seed=turn)


def test_who_begins_otherwise_does_not_wait_for_it(model: Any) -> None:
    loop = Loop(model, prefill_chunk=40)
    for turn, prompt in enumerate([*prompts_alike(3), a_prompt("hello")]):
        loop.submit(turn, prompt)

    loop.step()

    assert [bool(loop.parts[turn]) for turn in range(4)] == [True, False, False, True]


def test_who_waits_for_another_s_reading_goes_on_when_that_is_cancelled(model: Any) -> None:
    prompts = prompts_alike(3)
    loop = Loop(model, prefill_chunk=40)
    for turn, prompt in enumerate(prompts):
        loop.submit(turn, prompt, seed=turn)
    loop.step()

    loop.scheduler.cancel(0)
    loop.run()

    for turn in (1, 2):
        assert loop.text(turn) == alone(model, prompts[turn], seed=turn)
