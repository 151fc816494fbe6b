"""The sampler draws from the very distribution that temperature and top_p describe."""

from typing import Any

import pytest

from assistants_api.engine.config import EngineConfig

pytestmark = pytest.mark.model


def expected(logits: Any, temperature: float, top_p: float) -> Any:
    """The distribution by the plain definition, with a full sort."""
    import torch

    chances = torch.softmax(logits.double() / temperature, dim=-1)
    order = chances.argsort(descending=True)
    before = chances[order].cumsum(-1) - chances[order]
    kept = torch.zeros_like(chances)
    kept[order[before < top_p]] = chances[order[before < top_p]]
    return kept / kept.sum()


@pytest.mark.parametrize("vocabulary", [50, 3000])
@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (1.8, 0.999), (1.0, 0.1)])
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_draws_follow_the_definition(
    vocabulary: int, temperature: float, top_p: float, spread: float
) -> None:
    import torch

    from assistants_api.engine.sampler import Draw, choose, uniform

    torch.manual_seed(3)
    torch.set_num_threads(1)
    logits = torch.randn(vocabulary) * spread
    draws = [Draw(temperature, top_p, uniform(5, position)) for position in range(800)]

    tokens = choose(logits.expand(len(draws), -1), draws)

    wanted = expected(logits, temperature, top_p)
    seen = torch.bincount(torch.tensor(tokens), minlength=vocabulary) / len(draws)
    assert not seen[wanted == 0].any()
    half = wanted.argsort(descending=True)[: vocabulary // 10]
    assert abs(float(seen[half].sum() - wanted[half].sum())) < 0.08
    assert float((seen - wanted).abs().max()) < 0.08


@pytest.mark.parametrize(
    ("top_k", "min_p", "allowed"), [(2, 0.0, {0, 1}), (0, 0.3, {0, 1, 2}), (1, 0.3, {0})]
)
def test_the_models_own_limits_hold_beside_rows_without_any(
    top_k: int, min_p: float, allowed: set[int]
) -> None:
    import torch

    from assistants_api.engine.sampler import Draw, choose, uniform

    logits = torch.log(torch.tensor([0.4, 0.25, 0.15, 0.1, 0.1]))
    limited = [Draw(1.0, 1.0, uniform(1, n), top_k, min_p) for n in range(200)]
    free = [Draw(1.0, 1.0, uniform(1, n)) for n in range(200)]

    tokens = choose(logits.expand(400, -1), [*limited, *free])

    assert set(tokens[:200]) == allowed
    assert set(tokens[200:]) == {0, 1, 2, 3, 4}


def test_temperature_nothing_takes_the_likeliest_beside_rows_that_draw() -> None:
    import torch

    from assistants_api.engine.sampler import Draw, choose

    logits = torch.tensor([[0.0, 5.0, 1.0], [9.0, 0.0, 0.0], [0.0, 0.0, float("nan")]])

    assert choose(logits, [Draw(0, 1, 0), Draw(1.0, 1.0, 0.1), Draw(1.0, 1.0, 0.5)]) == [1, 0, None]


def test_a_token_is_the_same_alone_as_among_neighbours() -> None:
    import torch

    from assistants_api.engine.sampler import Draw, choose, uniform

    torch.manual_seed(4)
    limits = [
        (1.0, 1.0, 0, 0.0),
        (0.7, 0.9, 0, 0.0),
        (1.3, 1.0, 100, 0.0),
        (1.0, 1.0, 0, 0.2),
        (0.0, 1.0, 0, 0.0),
    ]
    draws = [
        Draw(temperature, top_p, uniform(3, number), top_k, min_p)
        for number in range(40)
        for temperature, top_p, top_k, min_p in limits
    ]
    logits = torch.randn(len(draws), 4000) * 2

    together = choose(logits, draws)

    assert together == [choose(logits[[row]], [draw])[0] for row, draw in enumerate(draws)]


def test_random_numbers_depend_on_seed_and_position_only() -> None:
    from assistants_api.engine.sampler import uniform

    numbers = [uniform(seed, position) for seed in range(20) for position in range(100)]

    assert uniform(7, 3) == uniform(7, 3)
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= number < 1 for number in numbers)
    assert abs(sum(numbers) / len(numbers) - 0.5) < 0.03


def test_the_default_model_is_the_one_in_the_package() -> None:
    assert EngineConfig().served_name == "assistants-api-bundled"


def test_a_row_is_confined_to_what_its_form_allows() -> None:
    import torch

    from assistants_api.engine.sampler import confine

    width = 19
    logits = torch.zeros(3, width)
    first_and_last = bytes([0b00000001, 0, 0b00000100, 0])

    confine(logits, [first_and_last, None, bytes([0xFF, 0, 0, 0])])

    allowed = torch.isfinite(logits)
    assert allowed[0].nonzero().flatten().tolist() == [0, 18]
    assert allowed[1].all()
    assert allowed[2].nonzero().flatten().tolist() == list(range(8))


def test_all_rows_are_confined_at_once() -> None:
    import torch

    from assistants_api.engine.sampler import confine

    logits = torch.zeros(2, 9)

    confine(logits, [bytes([2, 0, 0, 0]), bytes([0, 1, 0, 0])])

    assert torch.isfinite(logits).nonzero().tolist() == [[0, 1], [1, 8]]
