"""What a turn may ask of its sampling: limits, penalties, bias and log probabilities, each row for itself."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.prompt import Prompt, Text
from tests.engine.conftest import a_prompt
from tests.engine.test_scheduler import Loop

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> Any:
    """The tiny model, loaded into this process."""
    from assistants_api.engine.config import EngineConfig
    from assistants_api.engine.model import Model

    return Model(EngineConfig(model=tiny_folder))


def asking(**sampling: Any) -> Prompt:
    return a_prompt("hello", **{"temperature": 0, "max_tokens": 24, **sampling})


def logprobs_of(loop: Loop, turn: int) -> list[dict[str, Any]]:
    return [entry for part in loop.parts[turn] if isinstance(part, Text) for entry in part.logprobs]


def limited(logits: Any, draw: Any) -> Any:
    """The distribution that the definition names, computed in the plainest way."""
    import torch

    chances = torch.softmax(logits.double() / draw.temperature, dim=-1)
    order = chances.argsort(descending=True)
    kept, mass = [], 0.0
    for place, token in enumerate(order.tolist()):
        if draw.top_k and place >= draw.top_k:
            break
        if chances[token] < draw.min_p * chances[order[0]] or (draw.top_p < 1 and mass >= draw.top_p):
            break
        mass += float(chances[token])
        kept.append(token)
    wanted = torch.zeros_like(chances)
    wanted[kept] = chances[kept]
    return wanted / wanted.sum()


@pytest.mark.parametrize("vocabulary", [40, 1500, 5000])
@pytest.mark.parametrize(
    ("top_k", "min_p", "top_p"),
    [(300, 0.0, 1.0), (700, 0.0, 0.9), (0, 0.2, 1.0), (0, 0.9, 0.7), (5, 0.3, 0.8)],
)
def test_limits_hold_beyond_the_tokens_that_are_looked_at_first(
    vocabulary: int, top_k: int, min_p: float, top_p: float
) -> None:
    import torch

    from assistants_api.engine.sampler import Draw, choose, uniform

    torch.manual_seed(11)
    logits = torch.randn(vocabulary) * 0.4
    draws = [Draw(1.1, top_p, uniform(9, n), top_k, min_p) for n in range(1500)]

    tokens = choose(logits.expand(len(draws), -1), draws)

    wanted = limited(logits, draws[0])
    seen = torch.bincount(torch.tensor(tokens), minlength=vocabulary) / len(draws)
    assert not seen[wanted == 0].any()
    likeliest = wanted.argsort(descending=True)[: max(1, int((wanted > 0).sum()) // 3)]
    assert abs(float(seen[likeliest].sum() - wanted[likeliest].sum())) < 0.05


def test_penalties_and_bias_change_one_row_as_defined() -> None:
    import torch

    from assistants_api.engine.sampler import weigh

    logits = torch.arange(24.0).reshape(3, 8)
    before = logits.clone()
    said = Counter([2, 2, 2, 5])

    weigh(logits[1], said, 0.5, 0.25, [(7, -100.0), (0, 3.0)])

    for token in range(8):
        expected = before[1, token] - said[token] * 0.5 - (0.25 if said[token] else 0)
        expected += {7: -100.0, 0: 3.0}.get(token, 0.0)
        assert logits[1, token] == expected
    assert torch.equal(logits[[0, 2]], before[[0, 2]])


def test_log_probabilities_are_the_models_own() -> None:
    import torch

    from assistants_api.engine.sampler import logprobs

    logits = torch.tensor([1.0, 3.0, 2.0, -4.0])

    own, best = logprobs(logits, 3, 2)

    chances = (logits.exp() / logits.exp().sum()).log()
    assert own == pytest.approx(float(chances[3]))
    assert best == [(1, pytest.approx(float(chances[1]))), (2, pytest.approx(float(chances[2])))]
    assert logprobs(logits, 0, 0)[1] == []


def replay(model: Any, prompt: Prompt, tokens: list[int]) -> list[int]:
    """The tokens that plain arithmetic over whole forwards would have chosen after each beginning."""
    import torch

    ids = model.ids(model.template.render(prompt).text)
    by, chosen = prompt.sampling, []
    for end in range(len(tokens)):
        with torch.inference_mode():
            logits = model.net(input_ids=torch.tensor([ids + tokens[:end]]), use_cache=False).logits[0, -1]
        logits = logits.clone()
        for token, count in Counter(tokens[:end]).items():
            logits[token] -= by.frequency_penalty * count + by.presence_penalty
        for token, change in by.logit_bias:
            logits[token] += change
        chosen.append(int(logits.argmax()))
    return chosen


def test_penalties_follow_the_definition_beside_neighbours_without_any(model: Any) -> None:
    strict = asking(frequency_penalty=1.5, presence_penalty=0.5, logit_bias=((40, -100.0),))
    alone = Loop(model)
    alone.submit(1, asking())
    alone.run()
    loop = Loop(model)
    loop.submit(1, asking())
    loop.submit(2, strict)
    loop.run()

    assert loop.tokens[2] == replay(model, strict, loop.tokens[2])
    assert loop.tokens[1] == alone.tokens[1]
    assert loop.tokens[1] != loop.tokens[2]


def test_a_continued_answer_counts_what_was_said_before(model: Any) -> None:
    strict = asking(frequency_penalty=2.0)
    whole = Loop(model)
    whole.submit(1, strict)
    whole.run()
    half = tuple(whole.tokens[1][:8])
    rest = Loop(model)
    rest.submit(1, strict, tokens=half)
    rest.run()

    assert rest.tokens[1] == whole.tokens[1]


def test_a_strong_bias_forces_a_token(model: Any) -> None:
    [token] = model.ids("a")
    loop = Loop(model)
    loop.submit(1, asking(logit_bias=((token, 100.0),), max_tokens=4))
    loop.run()

    assert loop.text(1) == "aaaa"


def test_a_bias_for_no_token_is_refused_by_name(model: Any) -> None:
    with pytest.raises(EngineFailed, match="'logit_bias': 999999 is no token") as refused:
        Loop(model).submit(1, asking(logit_bias=((999_999, 1.0),)))

    assert refused.value.code == "invalid_prompt"


@pytest.mark.parametrize("top", [0, 3])
def test_every_shown_token_has_its_log_probability(model: Any, top: int) -> None:
    loop = Loop(model)
    loop.submit(1, asking(top_logprobs=top))
    loop.submit(2, asking())
    loop.run()

    entries = logprobs_of(loop, 1)
    shown = [token for token in loop.tokens[1] if token not in model.end_ids | model.silent_ids]
    assert [entry["bytes"] for entry in entries] == [
        model.pieces.shown(token)["bytes"] for token in shown[: len(entries)]
    ]
    assert len(entries) >= max(1, len(loop.tokens[1]) - 4)
    for entry in entries:
        assert entry["logprob"] <= 0
        assert len(entry["top_logprobs"]) == top
        if top:
            # Greedy: the token that was chosen is the likeliest.
            assert entry["top_logprobs"][0]["logprob"] == entry["logprob"]
            assert entry["top_logprobs"][0]["bytes"] == entry["bytes"]
    assert logprobs_of(loop, 2) == []


def test_half_a_character_is_shown_by_its_bytes(model: Any) -> None:
    ids = model.ids("🚀")
    shown = [model.pieces.shown(token) for token in [*ids, *model.ids("a")]]

    assert b"".join(bytes(piece["bytes"]) for piece in shown) == "🚀a".encode()
    assert shown[-1] == {"token": "a", "bytes": [97]}
    assert len(ids) == 1 or shown[0]["token"].startswith("bytes:\\x")
