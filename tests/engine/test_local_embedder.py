"""An encoder in its own process: callers may leave and the process may die, and nobody waits for ever."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from assistants_api.domain.errors import Unavailable
from assistants_api.engine.embedding.local import LocalEmbedder
from tests.engine.conftest import until
from tests.engine.test_local import runs

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random encoder with a tokenizer of its own."""
    import transformers

    made = tmp_path_factory.mktemp("encoder")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "one", "two", "three"]
    (made / "vocab.txt").write_text("\n".join(words))
    tokenizer: Any = transformers.BertTokenizer(str(made / "vocab.txt"))
    tokenizer.save_pretrained(made)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config: Any = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=64, **shape)
    transformers.BertModel(config).save_pretrained(made)
    return made


@pytest_asyncio.fixture
async def embedder(folder: Path) -> AsyncIterator[LocalEmbedder]:
    """An embedder whose process starts at the first call."""
    embedder = LocalEmbedder(folder, "tiny")
    yield embedder
    await embedder.close()


def pid_of(embedder: LocalEmbedder) -> int:
    assert embedder._process is not None
    return embedder._process.pid


async def test_texts_become_vectors_of_unit_length(embedder: LocalEmbedder) -> None:
    async with asyncio.timeout(120):
        found = await embedder.embed(["one", "two three", "one"])

    assert [vector.shape for vector in found] == [(16,)] * 3
    assert [float(np.linalg.norm(vector)) for vector in found] == pytest.approx([1.0] * 3, abs=0.01)
    assert found[0].tolist() == pytest.approx(found[2].tolist(), abs=0.01)
    assert await embedder.count(["one", "two three"]) == 7
    assert embedder.describe()["dimensions"] == 16


async def test_a_caller_who_leaves_while_the_model_loads_leaves_it_to_the_next(
    embedder: LocalEmbedder,
) -> None:
    first = asyncio.create_task(embedder.embed(["one"]))
    await until(lambda: embedder._process is not None)
    pid = pid_of(embedder)
    second = asyncio.create_task(embedder.embed(["two"]))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})

    assert first.cancelled()
    async with asyncio.timeout(120):
        assert len(await second) == 1
    assert not runs(pid)
    assert embedder.describe()["state"] == "ready"


async def test_a_call_after_the_death_of_the_process_does_not_wait_for_ever(embedder: LocalEmbedder) -> None:
    async with asyncio.timeout(120):
        await embedder.embed(["one"])
        for _ in range(5):
            asked = asyncio.create_task(embedder.embed(["one two three"] * 64))
            await asyncio.sleep(0)
            os.kill(pid_of(embedder), signal.SIGKILL)
            with pytest.raises(Unavailable, match="process ended"):
                await asked

            # Nothing may be known yet of how it ended.
            assert len(await embedder.embed(["two"])) == 1


async def test_a_model_that_cannot_load_says_why_and_leaves_no_process(tmp_path: Path) -> None:
    embedder = LocalEmbedder(tmp_path, "nothing")
    for _ in range(2):
        with pytest.raises(Unavailable, match="nothing cannot be loaded"):
            await embedder.embed(["one"])

    assert embedder.describe()["state"] == "failed"
    assert embedder._process is None
    await embedder.close()


async def test_closing_ends_a_process_that_still_loads(embedder: LocalEmbedder) -> None:
    asked = asyncio.create_task(embedder.embed(["one"]))
    await until(lambda: embedder._process is not None)
    pid = pid_of(embedder)

    await embedder.close()

    assert not runs(pid)
    with pytest.raises(Unavailable, match="stopped"):
        await asked
    with pytest.raises(Unavailable, match="stopped"):
        await embedder.embed(["one"])
    assert embedder.describe()["state"] == "stopped"
