"""A fixed sample of the evaluation, asked of a running server through the official SDK: what the bundled model can, it keeps.

The floors are below what was measured when the weights were published: other machines round otherwise. The whole
table is in the model's card; `make evaluate` prints it anew.
"""

import pytest
from training.draw import Draw
from training.evaluate import SEED, SKILLS, Served, is_right, item_of

from tests.conformance.serving import serving

pytestmark = pytest.mark.model
ITEMS = 12
FLOORS = {
    "tells the output": 0.75,
    "tells what Python printed": 0.75,
    "glossary, other wordings": 0.75,
    "small talk": 0.5,
    "help (recall)": 0.75,
    "honest about the rest": 0.5,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("skills")) as served:
        yield Served(served.base_url)


@pytest.mark.parametrize("name", FLOORS)
def test_a_skill_is_kept(model, name):
    rng = Draw(SEED + list(SKILLS).index(name), held=True)
    items = [item_of(SKILLS[name], SKILLS[name].maker(rng)) for _ in range(ITEMS)]

    right = sum(is_right(item, said) for item, said in zip(items, model.answers(items), strict=True))

    assert right / ITEMS >= FLOORS[name]
