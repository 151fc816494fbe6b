"""The embedder behind other servers: failover, order, and what it says when nobody answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from assistants_api.domain.errors import Unavailable
from assistants_api.engine.embedding.remote import RemoteEmbedder
from assistants_api.engine.server import Address
from tests.engine.upstreams import QUICK, Answer, Upstream, hangs_up, replies, serving


def vectors(*values: Sequence[float], first: int = 0) -> Answer:
    data: list[dict[str, Any]] = [{"index": i + first, "embedding": list(v)} for i, v in enumerate(values)]
    return replies(200, {"data": data[::-1], "usage": {"prompt_tokens": 7}})


@asynccontextmanager
async def embedder_at(*upstreams: Upstream) -> AsyncIterator[RemoteEmbedder]:
    embedder = RemoteEmbedder(
        [Address(each.url, "sk-e") for each in upstreams], model="small", patience=QUICK
    )
    try:
        yield embedder
    finally:
        await embedder.close()


async def test_vectors_come_in_the_order_of_the_texts_and_have_unit_length() -> None:
    async with serving(vectors((3, 4), (0, 2))) as upstream, embedder_at(upstream) as embedder:
        found = await embedder.embed(["a", "b"])

    assert [vector.tolist() for vector in found] == [pytest.approx([0.6, 0.8]), [0.0, 1.0]]
    assert upstream.paths == ["/v1/embeddings"]
    assert upstream.bodies == [{"model": "small", "input": ["a", "b"], "encoding_format": "float"}]
    assert upstream.keys[0] == "Bearer sk-e"


async def test_many_texts_are_sent_in_parts() -> None:
    parts = [vectors(*[(1, 0)] * 64), vectors(*[(0, 1)] * 36)]
    async with serving(*parts) as upstream, embedder_at(upstream) as embedder:
        found = await embedder.embed(["x"] * 100)

    assert [len(body["input"]) for body in upstream.bodies] == [64, 36]
    assert [vector[0] for vector in found] == [1.0] * 64 + [0.0] * 36


def takes_at_most(count: int, status: int) -> Answer:
    """A server that refuses requests with more texts."""

    async def answer(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
        given = upstream.bodies[-1]["input"]
        refusal = {
            "message": f"batch size {len(given)} > maximum allowed batch size {count}",
            "type": "Validation",
        }
        taken = vectors(*[(float(text), 1) for text in given])
        await (taken if len(given) <= count else replies(status, refusal))(upstream, writer)

    return answer


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_server_that_takes_fewer_texts_at_once_is_given_fewer(status: int) -> None:
    texts = [str(number) for number in range(150)]
    async with serving(default=takes_at_most(32, status)) as upstream, embedder_at(upstream) as embedder:
        found = await embedder.embed(texts)
        tokens = await embedder.count(texts)

    assert [round(float(vector[0] / vector[1])) for vector in found] == list(range(150))
    assert tokens == 7 * 5
    assert [len(body["input"]) for body in upstream.bodies] == [64, 32, 32, 32, 32, 22, 32, 32, 32, 32, 22]


async def test_a_text_that_its_server_refuses_alone_too_is_told_of() -> None:
    async with serving(default=takes_at_most(0, 400)) as upstream, embedder_at(upstream) as embedder:
        with pytest.raises(Unavailable, match="batch size 1 >"):
            await embedder.embed(["1", "2"])


@pytest.mark.parametrize(
    "trouble", [hangs_up, replies(503, {"error": {"message": "busy"}}), replies(200, b"no"), vectors()]
)
async def test_another_server_is_asked_when_one_fails(trouble: Answer) -> None:
    async with serving(default=trouble) as bad, serving(default=vectors((1, 0))) as good:
        async with embedder_at(bad, good) as embedder:
            assert [vector.tolist() for vector in await embedder.embed(["a"])] == [[1.0, 0.0]]
            assert await embedder.count(["a"]) == 7

    assert len(bad.bodies) >= 1


@pytest.mark.parametrize(
    "data",
    [
        [{"index": 0, "embedding": None}, {"index": 1, "embedding": [1, 0]}],
        [{"index": 0, "embedding": [None, 1]}, {"index": 1, "embedding": [1, 0]}],
        [{"index": 0, "embedding": [1e300, 0]}, {"index": 1, "embedding": [1, 0]}],
        [{"index": 0, "embedding": [1, 0, 0]}, {"index": 1, "embedding": [1, 0]}],
        [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}],
        [{"index": 0, "embedding": "AACAPw=="}, {"index": 1, "embedding": "AACAPw=="}],
        [{"index": 0, "embedding": [1, 0]}, {"index": 0, "embedding": [1, 0]}],
        [{"embedding": [1, 0]}, {"embedding": [1, 0]}],
        [[1, 0], [0, 1]],
        {"0": [1, 0], "1": [0, 1]},
    ],
)
async def test_what_are_no_vectors_is_the_servers_failure(data: Any) -> None:
    wrong = replies(200, {"data": data, "usage": {"prompt_tokens": 7}})
    async with serving(default=wrong) as bad, serving(default=vectors((1, 0), (0, 1))) as good:
        async with embedder_at(bad, good) as embedder:
            found = await embedder.embed(["a", "b"])
        async with embedder_at(bad) as embedder:
            with pytest.raises(Unavailable, match="not a vector for each text"):
                await embedder.embed(["a", "b"])

    assert [vector.tolist() for vector in found] == [[1.0, 0.0], [0.0, 1.0]]


async def test_when_nobody_answers_the_reason_is_told() -> None:
    refusal = replies(500, {"error": {"message": "out of memory"}})
    async with serving(default=refusal) as upstream, embedder_at(upstream) as embedder:
        with pytest.raises(Unavailable, match="out of memory"):
            await embedder.embed(["a"])

        facts = embedder.describe()
    assert facts["upstreams"][0]["failures"] == 3
