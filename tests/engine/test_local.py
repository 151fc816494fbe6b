"""A local model in its own process: turns survive the process, and failures are told, not hidden."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.prompt import Prompt, Started, Stop, Text
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.local import TransformersEngine
from tests.engine.conftest import a_prompt, until

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


async def parts_of(engine: TransformersEngine, prompt: Prompt) -> list[Any]:
    return [part async for part in engine.turn(prompt)]


def text_of(parts: list[Any]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))


@asynccontextmanager
async def running(config: EngineConfig) -> AsyncIterator[TransformersEngine]:
    engine = TransformersEngine(config)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def stand_still(seconds: float) -> None:
    """As when the machine pauses this process: nothing of it goes on."""
    time.sleep(seconds)


def runs(pid: int) -> bool:
    """Whether there is such a process, and not only its last trace."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def test_a_turn_waits_for_the_model_and_ends_with_one_stop(engine: TransformersEngine) -> None:
    parts = await parts_of(engine, a_prompt("hello"))

    facts = engine.describe()
    assert facts.state == "ready"
    assert facts.context_window == 1024
    assert facts.details["pid"] != os.getpid()
    assert facts.details["chat_template"] == "own"
    assert facts.details["tool_template"] == "hermes"
    assert isinstance(parts[0], Started)
    assert parts[0].prompt == "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert [isinstance(part, Stop) for part in parts].count(True) == 1
    assert isinstance(parts[-1], Stop)
    assert parts[0].prompt_tokens == parts[-1].usage.prompt_tokens == await engine.count(a_prompt("hello"))


async def test_the_server_process_loads_no_torch() -> None:
    code = (
        "import sys, assistants_api.engine.local, assistants_api.engine.scripted\n"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)

    assert await process.wait() == 0


async def test_many_turns_at_once_each_get_their_own_answer(engine: TransformersEngine) -> None:
    prompts = [a_prompt(f"hello {n}") for n in range(24)]

    together = await asyncio.gather(*(parts_of(engine, prompt) for prompt in prompts))
    alone = [text_of(await parts_of(engine, prompt)) for prompt in prompts]

    assert [text_of(parts) for parts in together] == alone


async def test_closing_a_turn_frees_its_row(engine: TransformersEngine) -> None:
    async with aclosing(engine.turn(a_prompt("hello", temperature=1.5, max_tokens=None))) as parts:
        async for part in parts:
            if isinstance(part, Text):
                break

    facts = engine.describe().details
    await until(lambda: engine.describe().details["steps"] > facts["steps"])
    await until(lambda: not engine.describe().details["active_rows"])
    assert engine.describe().details["open_turns"] == 0
    assert 0 < engine.describe().details["first_token_seconds"] < 60
    measures = engine.describe().details["measures"]
    assert measures["queue_wait_seconds"]["count"] == measures["first_token_seconds"]["count"] > 0
    guessed = engine.describe().details["accepted_tokens"]  # several tokens of a row in one step
    assert measures["batch_rows"]["sum"] + guessed == measures["between_tokens_seconds"]["count"] > 0
    assert engine.describe().details["read_tokens"] > 0
    assert isinstance((await parts_of(engine, a_prompt("next")))[-1], Stop)


async def test_a_prompt_that_is_too_long_is_refused_and_harms_nobody(engine: TransformersEngine) -> None:
    with pytest.raises(ContextOverflow, match="maximum context length is 1024 tokens"):
        await parts_of(engine, a_prompt("什么" * 800))

    assert isinstance((await parts_of(engine, a_prompt("short")))[-1], Stop)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
async def test_killing_the_process_in_mid_sentence_loses_and_repeats_nothing(
    engine: TransformersEngine, temperature: float
) -> None:
    prompts = [a_prompt(f"tell me {n}", temperature=temperature, seed=n, max_tokens=400) for n in range(4)]
    whole = [await parts_of(engine, prompt) for prompt in prompts]
    heard: list[list[Any]] = [[] for _ in prompts]
    everyone_speaks = asyncio.Event()

    async def listen(number: int) -> None:
        async for part in engine.turn(prompts[number]):
            heard[number].append(part)
            if all(any(isinstance(p, Text) for p in parts) for parts in heard):
                everyone_speaks.set()

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(listen(number))
        await everyone_speaks.wait()
        before = engine.describe().details["restarts"]
        os.kill(engine.describe().details["pid"], signal.SIGKILL)

    assert engine.describe().details["restarts"] == before + 1
    assert [text_of(parts) for parts in heard] == [text_of(parts) for parts in whole]
    assert [parts[-1] for parts in heard] == [parts[-1] for parts in whole]
    assert all(sum(isinstance(part, Started) for part in parts) == 1 for parts in heard)


async def test_a_signal_to_stop_that_every_process_gets_is_for_the_server(engine: TransformersEngine) -> None:
    prompt = a_prompt("on and on", max_tokens=60)
    whole = await parts_of(engine, prompt)
    before = engine.describe().details
    heard: list[Any] = []
    async for part in engine.turn(prompt):
        heard.append(part)
        if len(heard) == 3:  # systemd sends it to all of a unit; the server drains
            os.kill(before["pid"], signal.SIGTERM)

    after = engine.describe().details
    assert text_of(heard) == text_of(whole)
    assert (after["pid"], after["restarts"]) == (before["pid"], before["restarts"])


async def test_a_turn_that_sees_two_processes_die_fails(engine: TransformersEngine) -> None:
    killed: set[int] = set()

    async def kill_whatever_speaks() -> None:
        async for part in engine.turn(a_prompt("hello", temperature=1.5, max_tokens=None, seed=4)):
            pid = engine.describe().details["pid"]
            if isinstance(part, Text) and pid not in killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(EngineFailed, match="failed twice on this turn"):
        await kill_whatever_speaks()

    assert len(killed) == 2
    assert isinstance((await parts_of(engine, a_prompt("still there?")))[-1], Stop)


async def test_a_process_that_hangs_is_replaced(tiny_folder: Path) -> None:
    config = EngineConfig(model=tiny_folder, threads=1, silent_after=2.5, restart_after=0.01)
    async with running(config) as engine:
        whole = text_of(await parts_of(engine, a_prompt("hello", max_tokens=200)))
        frozen = False
        parts: list[Any] = []

        async for part in engine.turn(a_prompt("hello", max_tokens=200)):
            parts.append(part)
            if isinstance(part, Text) and not frozen:
                frozen = True
                os.kill(engine.describe().details["pid"], signal.SIGSTOP)

        assert text_of(parts) == whole
        assert engine.describe().details["restarts"] == 1


async def test_a_server_that_stood_still_does_not_take_its_model_for_hung(tiny_folder: Path) -> None:
    config = EngineConfig(model=tiny_folder, threads=1, silent_after=2.5)
    async with running(config) as engine:
        await parts_of(engine, a_prompt("hello"))
        pid = engine.describe().details["pid"]

        stand_still(2 * config.silent_after)

        assert isinstance((await parts_of(engine, a_prompt("still there?")))[-1], Stop)
        assert engine.describe().details["pid"] == pid
        assert engine.describe().details["restarts"] == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "config.json is missing"),
        ('{"model_type": "no-such-thing"}', "no-such-thing"),
        ("not json", "cannot be loaded"),
    ],
)
async def test_a_model_that_cannot_load_says_why_at_once(
    tmp_path: Path, content: str | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    async with running(EngineConfig(model=tmp_path, offline=True)) as engine:
        with pytest.raises(EngineFailed, match=reason):
            await parts_of(engine, a_prompt())

        facts = engine.describe()
        assert facts.state == "failed"
        assert facts.reason is not None
        assert reason in facts.reason
        assert facts.details["restarts"] == 0
        with pytest.raises(EngineFailed, match=reason):
            await engine.count(a_prompt())


@pytest.mark.parametrize("place", ["{}/nothing/here", "./nothing", "../nothing", "~/nothing/here"])
async def test_a_folder_that_is_not_there_is_taken_for_a_folder_and_for_no_hub_id(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistants_api.engine.model import Model
    from assistants_api.engine.weights import CannotLoadModel

    monkeypatch.chdir(tmp_path)
    place = place.format(tmp_path)

    with pytest.raises(CannotLoadModel, match=f"no folder {re.escape(place)}"):
        Model(EngineConfig(model=place, offline=True))


async def test_a_file_is_no_model(tmp_path: Path) -> None:
    from assistants_api.engine.model import Model
    from assistants_api.engine.weights import CannotLoadModel

    (tmp_path / "model.gguf").write_bytes(b"GGUF")

    with pytest.raises(CannotLoadModel, match=r"model\.gguf is a file") as caught:
        Model(EngineConfig(model=tmp_path / "model.gguf", offline=True))

    assert "ASSISTANTS_ENGINE=remote" in str(caught.value)


async def test_a_folder_without_a_tokenizer_is_no_model(tiny_folder: Path, tmp_path: Path) -> None:
    from assistants_api.engine.model import Model
    from assistants_api.engine.weights import CannotLoadModel

    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_folder / name).read_bytes())

    with pytest.raises(CannotLoadModel, match="no tokenizer"):
        Model(EngineConfig(model=tmp_path, offline=True))


async def test_a_process_that_dies_while_loading_is_tried_twice(tiny_folder: Path) -> None:
    environment = (("PYTHONPATH", str(tiny_folder)), ("PYTHONHOME", "/nowhere"))
    async with running(
        EngineConfig(model=tiny_folder, environment=environment, restart_after=0.01)
    ) as engine:
        with pytest.raises(EngineFailed, match="process ended with status 1"):
            await parts_of(engine, a_prompt())

        assert engine.describe().state == "failed"
        assert engine.describe().details["restarts"] == 1


async def test_a_process_that_is_killed_while_it_loads_is_no_reason_to_give_up(tiny_folder: Path) -> None:
    """Not twice in a row, and not however often in a long life."""
    async with running(EngineConfig(model=tiny_folder, threads=1, restart_after=0.01)) as engine:
        for _ in range(2):
            for _ in range(2):
                await until(lambda: engine.describe().state == "loading" and engine._child is not None)
                restarts = engine.describe().details["restarts"]
                assert engine._child is not None
                os.kill(engine._child.pid, signal.SIGKILL)
                await until(lambda: engine.describe().details["restarts"] > restarts)  # noqa: B023
            await until(lambda: engine.describe().state == "ready")
            os.kill(engine.describe().details["pid"], signal.SIGKILL)

        assert isinstance((await parts_of(engine, a_prompt()))[-1], Stop)


async def test_the_process_ends_with_the_engine_and_open_turns_fail(tiny_folder: Path) -> None:
    engine = TransformersEngine(EngineConfig(model=tiny_folder, threads=1))
    await engine.start()
    # The model must not end the turn by itself before it is ended.
    end = json.loads((tiny_folder / "config.json").read_text())["eos_token_id"]
    turn = engine.turn(a_prompt("hello", temperature=1.5, max_tokens=None, logit_bias=((end, -100.0),)))
    assert isinstance(await anext(turn), Started)
    pid = engine.describe().details["pid"]

    await engine.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(EngineFailed, match="stopped"):
        async for _ in turn:
            pass
    with pytest.raises(EngineFailed, match="not running"):
        await parts_of(engine, a_prompt())


async def test_who_is_cancelled_while_the_engine_ends_is_cancelled_and_it_can_start_again(
    tiny_folder: Path,
) -> None:
    engine = TransformersEngine(EngineConfig(model=tiny_folder, threads=1))
    await engine.start()
    await engine.count(a_prompt())
    pid = engine.describe().details["pid"]
    os.kill(pid, signal.SIGSTOP)  # it needs a while to end

    closing = asyncio.create_task(engine.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})

    assert closing.cancelled()
    assert not engine.is_running
    await engine.start()
    assert not runs(pid)
    assert isinstance((await parts_of(engine, a_prompt()))[-1], Stop)
    await engine.close()


async def test_the_process_dies_with_its_parent(tiny_folder: Path) -> None:
    code = f"""
import asyncio, os, signal
from pathlib import Path
from assistants_api.domain.prompt import ChatMessage, Prompt
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.local import TransformersEngine

async def main():
    engine = TransformersEngine(EngineConfig(model=Path({str(tiny_folder)!r}), threads=1))
    await engine.start()
    await engine.count(Prompt("r", "m", (ChatMessage("user", "hi"),)))
    print(engine.describe().details["pid"], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    pid = int(out)

    await until(lambda: not runs(pid))
