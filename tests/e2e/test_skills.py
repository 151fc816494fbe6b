"""A fixed sample, asked of a running server through the official SDK: what the bundled model can, it keeps.

The conversations are of the kinds that the published model was trained on; new kinds come in with a model that learned them.

The floors are below what was measured when the weights were published: other machines round otherwise. The whole
table is in the model's card; `make evaluate` prints it anew.
"""

import json

import pytest
from training import calls, exam, orders, schemas, sessions, talk
from training.draw import Draw
from training.evaluate import SEED, Item, Served, Skill, first_call, is_right, item_of, last

from tests.conformance.serving import serving

pytestmark = pytest.mark.model
ITEMS = 40
FLOORS = {
    "tells the output": (Skill(schemas.one, last), 0.75),
    "tells what Python printed": (
        Skill(lambda rng: sessions.session(rng, sessions.OWN_KINDS), last),
        0.75,
    ),
    "glossary, other wordings": (Skill(orders.glossary, last), 0.75),
    "weather and rain": (Skill(calls.call, first_call), 0.75),
    "help": (Skill(talk.help_, last), 0.75),
    "honest about the rest": (Skill(talk.unknown, last), 0.75),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("skills")) as served:
        yield Served(served.base_url)


@pytest.mark.parametrize("name", FLOORS)
def test_a_skill_is_kept(model, name):
    skill, floor = FLOORS[name]
    rng = Draw(SEED + list(FLOORS).index(name), held=True)
    items = [item_of(skill, skill.maker(rng)) for _ in range(ITEMS)]

    right = sum(is_right(item, said) for item, said in zip(items, model.answers(items), strict=True))

    assert right / ITEMS >= floor


def test_greetings_are_answered(model):
    rows = [json.loads(line) for line in exam.FILE.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["skill"] == "greeting"]

    said = model.answers([Item(row["messages"], None, "", False) for row in rows])

    right = sum(exam.is_right(row["expect"], answer) for row, answer in zip(rows, said, strict=True))
    assert right / len(rows) >= 0.75
