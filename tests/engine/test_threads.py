"""As many threads share a step as is quickest, whoever else needs the cores."""

import random

import pytest
import torch

from assistants_api.engine.threads import Threads


class Machine:
    """Cores with a model on them: how long a step takes with so many threads, and what was tried."""

    def __init__(self, cores: int, neighbours: int = 0) -> None:
        self.cores, self.neighbours = cores, neighbours
        self.noise = random.Random(1)
        self.using = cores
        self.steps: list[int] = []
        self.threads = Threads(cores, self.use)

    def use(self, count: int) -> None:
        assert 1 <= count <= self.cores
        self.using = count

    def run(self, seconds: float, rows: int = 8) -> None:
        """Steps for so long."""
        self.steps = []
        while seconds > 0:
            self.steps.append(self.using)
            took = self.seconds() * rows / 8
            seconds -= took
            self.threads.stepped(rows, took)

    def seconds(self) -> float:
        free = max(1, self.cores - self.neighbours)
        share = 0.04 / min(self.using, free)
        wait = 3.0 if self.using > free else 1.0
        return share * wait * self.noise.uniform(0.9, 1.1)

    def share(self, count: int) -> float:
        """Of the steps that were shared by so many threads."""
        return self.steps.count(count) / len(self.steps)


@pytest.mark.parametrize("cores", [2, 4, 16])
def test_alone_on_the_machine_all_cores_are_used_and_little_is_tried(cores):
    machine = Machine(cores)
    machine.run(120)

    assert machine.threads.now == cores
    assert machine.share(cores) > 0.97


@pytest.mark.parametrize(("cores", "neighbours"), [(2, 1), (4, 1), (4, 3), (16, 1), (16, 9)])
def test_beside_neighbours_only_the_free_cores_are_used_until_they_have_gone(cores, neighbours):
    machine = Machine(cores)
    machine.run(60)
    machine.neighbours = neighbours
    machine.run(20)
    assert machine.threads.now <= cores - neighbours
    machine.run(60)
    assert sum(machine.share(count) for count in range(1, cores - neighbours + 1)) > 0.95

    machine.neighbours = 0
    machine.run(200)

    assert machine.threads.now == cores


def test_a_neighbour_is_noticed_before_the_next_trial_is_due():
    machine = Machine(2)
    machine.run(120)
    machine.neighbours = 1
    machine.run(3)

    assert machine.threads.now == 1


def test_steps_of_other_rows_are_not_compared():
    machine = Machine(2)
    for _ in range(3000):  # steps with the other number of threads always have few rows
        few = machine.using == 1
        machine.threads.stepped(1 if few else 16, machine.seconds() * (0.1 if few else 1.0))

    assert machine.threads.now == 2


def test_rows_that_come_and_go_do_not_keep_a_neighbour_from_being_noticed():
    machine = Machine(2, neighbours=1)
    for number in range(60):
        machine.run(0.2, rows=8 + number % 5)

    assert machine.threads.now == 1


def test_one_core_is_left_alone():
    machine = Machine(1)
    machine.run(60)

    assert machine.steps.count(1) == len(machine.steps)


@pytest.mark.model
def test_an_answer_is_the_same_whatever_is_tried_meanwhile(tmp_path, monkeypatch):
    from assistants_api.engine import threads
    from assistants_api.engine.config import EngineConfig
    from assistants_api.engine.model import Model
    from tests.engine import tiny
    from tests.engine.conftest import a_prompt
    from tests.engine.test_scheduler import Loop, generated

    tried = []
    use = torch.set_num_threads

    def noted(count: int) -> None:
        tried.append(count)
        use(count)

    model = Model(EngineConfig(model=tiny.build(tmp_path), dtype="fp32", device="cpu"))
    monkeypatch.setattr(threads, "_FIRST_WAIT", 0.0)
    monkeypatch.setattr(torch, "set_num_threads", noted)
    use(2)
    try:
        loop = Loop(model)
        loop.submit(1, a_prompt("hello", max_tokens=40))
        loop.run()
    finally:
        use(1)

    assert set(tried) == {1, 2}
    assert loop.tokens[1] == generated(model, a_prompt("hello", max_tokens=40), 40)
