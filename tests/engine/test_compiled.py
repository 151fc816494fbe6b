"""The compiled step says what the plain one says; where it cannot be made, nothing is lost."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from assistants_api.engine.config import EngineConfig
from tests.engine.conftest import a_prompt
from tests.engine.test_scheduler import Loop, generated

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore"),  # the compiler's own
]


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs g++")
def test_rows_that_step_compiled_say_what_generate_says(tiny_folder: Path) -> None:
    from assistants_api.engine.model import Model

    model = Model(EngineConfig(model=tiny_folder, is_compiled=True))
    assert model.is_compiled
    prompts = [a_prompt("hello " * n + "什么", max_tokens=30) for n in (2, 3, 9, 20)]
    loop = Loop(model)
    for turn, prompt in enumerate(prompts):
        loop.submit(turn, prompt)
        loop.step()

    loop.run()

    for turn, prompt in enumerate(prompts):
        assert loop.tokens[turn] == generated(model, prompt, 30)[: len(loop.tokens[turn])]


def test_without_a_compiler_the_model_steps_as_it_is(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistants_api.engine import compiled
    from assistants_api.engine.model import Model

    def program(*_: Any, **__: Any) -> Any:
        def fails(*_: Any) -> Any:
            raise RuntimeError("no C++ compiler was found")

        return fails

    monkeypatch.setattr(compiled.torch, "compile", program)

    model = Model(EngineConfig(model=tiny_folder, is_compiled=True))

    assert not model.is_compiled
    loop = Loop(model)
    loop.submit(1, a_prompt("hello", max_tokens=6))
    loop.run()
    assert loop.tokens[1] == generated(model, a_prompt("hello", max_tokens=6), 6)
