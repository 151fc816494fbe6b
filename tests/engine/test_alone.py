"""Models that keep another state than attention answer one turn at a time, in every other way like the rest."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.prompt import Prompt, Started, Stop, Text
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.local import TransformersEngine
from assistants_api.engine.messages import Delta, Refused, Submit
from tests.engine import tiny
from tests.engine.conftest import a_prompt, until

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore:.*reference PyTorch implementation")]

NONE: dict[str, Any] = dict.fromkeys(
    ("intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings")
)
NEXT = {
    "num_hidden_layers": 4,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0}
BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "decoder_start_token_id": 2,
    "init_std": 0.3,
}
GEMMA = {"num_key_value_heads": 1, "lru_width": 64, "attention_window_size": 32, "head_dim": None}
TABLE: dict[str, tuple[dict[str, Any], str]] = {
    "mamba": ({**NONE, "state_size": 4}, "linear_attention"),
    "recurrent_gemma": (GEMMA, "linear_attention"),
    "qwen3_next": (NEXT, "linear_attention"),
    "lfm2": ({"layer_types": ["conv", "full_attention", "conv"]}, "conv"),
    "rwkv": ({**NONE, "attention_hidden_size": 64, "context_length": 512}, "cannot hold"),
    "t5": ({**NONE, **T5}, "encoder and a decoder"),
    "bart": ({**NONE, **BART, "hidden_size": None, "num_hidden_layers": None}, "encoder and a decoder"),
}


class Loop:
    """Turns that one `Alone` answers, and everything that it told."""

    def __init__(self, model: Any) -> None:
        from assistants_api.engine.alone import Alone

        self.model = model
        self.alone = Alone(model, EngineConfig())
        self.parts: dict[int, list[Any]] = {}
        self.tokens: dict[int, list[int]] = {}
        self.refused: dict[int, Refused] = {}

    def submit(self, turn: int, prompt: Prompt, tokens: tuple[int, ...] = ()) -> None:
        from assistants_api.engine.rows import Row

        self.parts[turn], self.tokens[turn] = [], list(tokens)
        self.alone.submit(Row(Submit(turn, prompt, 1, tokens), self.model))

    def step(self) -> None:
        for told in self.alone.step():
            match told:
                case Delta(turn, tokens, parts):
                    self.parts[turn].extend(parts)
                    self.tokens[turn].extend(tokens)
                case Refused(turn):
                    self.refused[turn] = told

    def run(self) -> "Loop":
        while not self.alone.is_idle:
            self.step()
        return self


def load(kind: str, folder: Path, changes: dict[str, Any]) -> Any:
    from assistants_api.engine.model import Model

    return Model(EngineConfig(model=tiny.build(folder, kind=kind, **changes), dtype="fp32", max_context=512))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A recurrent model in this process."""
    return load("mamba", tmp_path_factory.mktemp("mamba"), TABLE["mamba"][0])


def generated(model: Any, prompt: Prompt, count: int) -> list[int]:
    """What `generate` finds by itself."""
    import torch

    ids = torch.tensor([model.ids(model.template.render(prompt).text)])
    out = model.net.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False)
    begun = 1 if model.config.is_encoder_decoder else ids.shape[1]
    found: list[int] = out[0, begun:].tolist()
    return found


@pytest.mark.parametrize("kind", TABLE)
def test_every_kind_of_state_says_what_generate_says(kind: str, tmp_path: Path) -> None:
    changes, reason = TABLE[kind]
    model = load(kind, tmp_path, changes)
    loop = Loop(model)
    prompts = [a_prompt("hello " * n + "什么", max_tokens=12 + n) for n in range(1, 4)]

    for turn, prompt in enumerate(prompts):
        loop.submit(turn, prompt)
    loop.run()

    assert reason in model.alone_because
    for turn, prompt in enumerate(prompts):
        wanted = generated(model, prompt, prompt.sampling.max_tokens or 0)
        assert len(loop.tokens[turn]) > 1
        assert loop.tokens[turn] == wanted[: len(loop.tokens[turn])]
        assert isinstance(loop.parts[turn][0], Started)
        assert isinstance(loop.parts[turn][-1], Stop)


def test_a_seed_a_bias_and_logprobs_are_honoured(model: Any) -> None:
    loop = Loop(model)
    ends = tuple((end, -100.0) for end in model.end_ids)
    by_chance = a_prompt("hello", temperature=1.3, max_tokens=20, seed=1, logit_bias=ends, top_logprobs=2)
    loop.submit(1, by_chance)
    loop.submit(2, by_chance)
    loop.submit(3, a_prompt("hello", max_tokens=8, logit_bias=((65, 100.0),)))
    loop.run()

    assert loop.tokens[1] == loop.tokens[2]
    assert len(set(loop.tokens[1])) > 3
    assert loop.tokens[3] == [65] * 8
    notes = [note for part in loop.parts[1] if isinstance(part, Text) for note in part.logprobs]
    assert notes
    assert all(len(note["top_logprobs"]) == 2 for note in notes)


def test_a_form_is_kept(model: Any) -> None:
    import json

    schema = {
        "type": "object",
        "properties": {"yes": {"type": "boolean"}},
        "required": ["yes"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}
    loop = Loop(model)
    loop.submit(1, replace(a_prompt("yes?", max_tokens=60), response_format=form))
    loop.run()

    text = "".join(part.text for part in loop.parts[1] if isinstance(part, Text))
    assert list(json.loads(text)) == ["yes"]


def test_a_resumed_answer_goes_on_where_it_was(model: Any) -> None:
    prompt = a_prompt("hello", temperature=1.0, max_tokens=20, logit_bias=((2, -100.0),))
    loop = Loop(model)
    loop.submit(1, prompt)
    loop.run()
    loop.submit(2, prompt, tuple(loop.tokens[1][:9]))
    loop.run()

    assert loop.tokens[2] == loop.tokens[1]


def test_a_cancelled_answer_ends_and_the_next_one_is_written(model: Any) -> None:
    loop = Loop(model)
    loop.submit(1, a_prompt("hello", max_tokens=400, temperature=1.5, logit_bias=((2, -100.0),)))
    loop.submit(2, a_prompt("waits", max_tokens=8))
    loop.submit(3, a_prompt("goes", max_tokens=8))
    while len(loop.tokens[1]) < 3:
        loop.step()
    heard = len(loop.parts[1])

    loop.alone.cancel(1)
    loop.alone.cancel(3)
    loop.run()

    assert len(loop.parts[1]) == heard
    assert not loop.parts[3]
    assert isinstance(loop.parts[2][-1], Stop)
    assert loop.alone.details()["active_rows"] == 0


def test_a_prompt_that_takes_long_to_read_is_no_step_that_hangs_and_can_be_cancelled(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistants_api.engine import alone

    monkeypatch.setattr(alone, "_LOOK_AGAIN", 0.01)
    layers = model.net.backbone.layers
    reached, go_on = threading.Event(), threading.Event()
    ends: list[int] = []

    def waits(*_: Any) -> None:
        reached.set()
        assert go_on.wait(60)

    loop = Loop(model)
    last = layers[-1].register_forward_pre_hook(lambda *_: ends.append(1))
    second = layers[1].register_forward_pre_hook(waits)
    try:
        loop.submit(1, a_prompt("hello"))
        loop.step()
        assert reached.wait(60)

        loop.step()  # which comes back though nothing was said
        loop.alone.cancel(1)
        go_on.set()
        loop.run()
    finally:
        last.remove()
        second.remove()

    assert [type(part) for part in loop.parts[1]] == [Started]
    assert ends == []


def test_an_answer_that_fails_is_told_and_harms_nobody(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from assistants_api.engine.rows import Row

    said = Row.say

    def fails(self: Any, token: int) -> Any:
        if self.turn == 1:
            raise ValueError("poison")
        return said(self, token)

    monkeypatch.setattr(Row, "say", fails)
    loop = Loop(model)
    loop.submit(1, a_prompt("bad", max_tokens=8))
    loop.submit(2, a_prompt("good", max_tokens=8))
    loop.run()

    assert "poison" in loop.refused[1].message
    assert isinstance(loop.parts[2][-1], Stop)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_engine_says_that_it_answers_one_at_a_time(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path, kind="mamba", **TABLE["mamba"][0])
    engine = TransformersEngine(EngineConfig(model=folder, threads=1, max_context=512))
    await engine.start()
    try:
        await until(lambda: "linear_attention" in engine.describe().details.get("one_at_a_time", ""))
        both = [_last(engine, a_prompt(text, temperature=1.5, max_tokens=64)) for text in ("one", "another")]
        assert [type(part) for part in await asyncio.gather(*both)] == [Stop, Stop]
    finally:
        await engine.close()


async def _last(engine: TransformersEngine, prompt: Prompt) -> Any:
    return [part async for part in engine.turn(prompt)][-1]
