"""One answer, token by token: what is told of each token, and nothing that the model did not say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.prompt import Prompt, Stop, Text, Thought, ToolCall
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.messages import Submit
from tests.engine import tiny
from tests.engine.conftest import a_prompt
from tests.engine.test_grammar import ADD, a_row
from tests.engine.test_scheduler import Loop, model

__all__ = ["model"]

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny model with a template that knows of reasoning."""
    from assistants_api.engine.model import Model

    folder = tiny.build(tmp_path_factory.mktemp("thinker"), template=tiny.TEMPLATE + "{# <think> #}")
    return Model(EngineConfig(model=folder))


def said(row: Any, text: str, *, ends: bool = True) -> list[Any]:
    """The parts of an answer in which the model says this, with a note for each token where it asks."""
    import torch

    model, parts = row._model, []
    for token in [*model.ids(text), *([min(model.end_ids)] if ends else [])]:
        if row.end is None:
            if row.top_logprobs is not None:
                row.note(torch.zeros(model.config.vocab_size), token)
            parts.extend(row.say(token))
    return parts


def text_of(parts: list[Any]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))


def noted(parts: list[Any]) -> str:
    """The text of the tokens whose likelihood is told."""
    entries = [entry for part in parts if isinstance(part, Text) for entry in part.logprobs]
    return bytes(byte for entry in entries for byte in entry["bytes"]).decode()


def asking(**changes: Any) -> Prompt:
    return replace(a_prompt("go", max_tokens=200, top_logprobs=0), **changes)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<think>\nhmm\n</think>\n\nHello there", "Hello there"),
        ("<think>什么🙂</think>🙂 Köln", "🙂 Köln"),
        ("<think>\n\n</think>\n\n什么", "什么"),
        ("<th is no thought", "<th is no thought"),
        ("Hello 🚀🚀 there", "Hello 🚀🚀 there"),
        ("<think>never ends", ""),
    ],
)
def test_of_an_answer_that_was_thought_over_the_tokens_of_its_text_are_told(
    thinker: Any, text: str, shown: str
) -> None:
    parts = said(a_row(thinker, asking()), text)

    assert text_of(parts) == shown
    assert noted(parts) == shown


def test_each_piece_of_text_has_the_tokens_that_begin_in_it(thinker: Any) -> None:
    parts = said(a_row(thinker, asking()), "<think>hmm</think>\n\nHello there, a < b")

    for part in parts[:-1]:
        assert not isinstance(part, Text) or noted([part]) == part.text


def test_tokens_of_calls_and_behind_a_stop_string_are_not_told(model: Any) -> None:
    call = 'Hm <tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
    stopping = a_row(model, asking(sampling=a_prompt(top_logprobs=0, stop=("lazy",)).sampling))

    called = said(a_row(model, asking(tools=(ADD,))), call)
    stopped = said(stopping, "over the lazy dog")

    assert any(isinstance(part, ToolCall) for part in called)
    assert noted(called) == text_of(called) == "Hm "
    assert text_of(stopped) == "over the "
    assert noted(stopped).startswith("over the ")
    assert "y" not in noted(stopped)


def test_after_a_restart_only_tokens_that_follow_are_told(thinker: Any) -> None:
    from assistants_api.engine.rows import Row

    before = "<think>hmm</think>\n\nHello"
    row = Row(Submit(1, asking(), 1, tuple(thinker.ids(before))), thinker)

    parts = said(row, " there, 🙂")

    assert noted(parts) == text_of(parts) == " there, 🙂"


@pytest.mark.parametrize("limit", [1, 5])
def test_a_call_that_there_is_no_room_for_tells_no_words_that_the_model_did_not_say(
    model: Any, limit: int
) -> None:
    loop = Loop(model)
    loop.submit(1, replace(a_prompt("go", max_tokens=limit), tools=(ADD,), tool_choice="required"))
    loop.run()

    assert loop.text(1) == ""
    assert loop.stop(1).reason == "length"
    assert loop.stop(1).usage.completion_tokens == limit


def test_a_replacement_character_that_the_model_wrote_is_not_lost_at_the_end(model: Any) -> None:
    for text in ("abc\ufffd", "\ufffd", "什么\ufffd\ufffd"):
        assert text_of(said(a_row(model, asking()), text)) == text


def test_half_a_character_at_the_end_is_not_shown(model: Any) -> None:
    row = a_row(model, asking())
    halves = model.ids("🤖")[:-1]

    parts = [part for token in [*halves, min(model.end_ids)] for part in row.say(token)]

    assert [type(part) for part in parts] == [Stop]


def test_an_answer_that_goes_on_behind_a_replacement_character_repeats_nothing(model: Any) -> None:
    for start in ("abc\ufffd", "\ufffd", "什么\ufffd"):
        row = a_row(model, asking(answer_start=start))
        assert text_of(said(row, "hello 🙂")) == "hello 🙂"


def test_a_tokenizer_with_more_words_than_the_model_has_rows_can_still_call(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from assistants_api.engine.model import Model

    folder = tiny.build(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["[PAD]"]})
    tokenizer.save_pretrained(folder)
    loop = Loop(Model(EngineConfig(model=folder)))

    loop.submit(1, replace(a_prompt("go", max_tokens=80), tools=(ADD,), tool_choice="required"))
    loop.run()

    assert [part.arguments for part in loop.parts[1] if isinstance(part, ToolCall)][:1] == ['{"a": 1}']


def test_reasoning_is_told_apart_where_its_marks_are_special_tokens(tmp_path: Path) -> None:
    from assistants_api.engine.model import Model

    model = Model(EngineConfig(model=tiny.build(tmp_path, special=("<think>", "</think>"))))

    parts = said(a_row(model, asking()), "<think>the lazy dog</think>\n\nhello")

    assert "".join(part.text for part in parts if isinstance(part, Thought)) == "the lazy dog"
    assert text_of(parts) == noted(parts) == "hello"
