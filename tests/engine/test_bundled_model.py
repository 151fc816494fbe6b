"""The model that the package ships, in plain transformers: it loads anywhere, and is competent at the protocol."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from assistants_api.engine.config import BUNDLED_MODEL

pytestmark = pytest.mark.model

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def ask():
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED_MODEL)
    model = AutoModelForCausalLM.from_pretrained(BUNDLED_MODEL, dtype=torch.float32).eval()

    def answer(*messages, tools=None):
        turns = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
        text = tokenizer.apply_chat_template(turns, tools=tools, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        made = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, min_p=None, max_new_tokens=128
        )
        return tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)

    return answer


def test_it_is_small_enough_to_ship():
    assert sum(file.stat().st_size for file in BUNDLED_MODEL.iterdir()) < 13_000_000


def test_it_greets(ask):
    assert "Hello" in ask("Hello")
    assert "你好" in ask("你好")


def test_it_explains_in_the_language_that_was_asked(ask):
    assert "计算机" in ask("什么是人工智能？")
    assert "programs" in ask("What is artificial intelligence?")


def test_it_says_what_it_is_and_how_to_replace_it(ask):
    answer = ask("Who are you?")
    assert "small built-in model" in answer
    assert "ASSISTANTS_MODEL" in answer


def test_it_says_when_it_does_not_know(ask):
    assert "do not know" in ask("Who won the 1987 cricket cup?")
    assert "不知道" in ask("谁发明了火箭？")


def test_it_calls_a_function_that_fits(ask):
    said = ask("What's the weather in Oslo?", tools=[WEATHER])

    assert said.startswith("<tool_call>")
    call = json.loads(said.removeprefix("<tool_call>").removesuffix("</tool_call>"))
    assert call == {"name": "get_weather", "arguments": {"city": "Oslo"}}


def test_it_calls_none_when_none_fits(ask):
    assert "<tool_call>" not in ask("Hello", tools=[WEATHER])


def test_it_repeats_what_a_tool_returned(ask):
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
    }
    said = ask(
        "What's the weather in Oslo?",
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "17 degrees and windy"},
        tools=[WEATHER],
    )

    assert "17 degrees and windy" in said
