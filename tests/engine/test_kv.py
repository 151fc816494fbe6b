"""Attention state takes the memory that its rows need, and keeps what they hold."""

import sys

import pytest

from assistants_api.engine import machine, pages
from assistants_api.engine.kv import KvBlock, Layers
from assistants_api.engine.parked import Parked, common_beginning

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.model

LAYERS, HEADS, SIZE = 4, 2, 32
TOKEN = LAYERS * 2 * HEADS * SIZE * 4  # bytes, in full precision


def state(length: int, seed: int = 0) -> Layers:
    """The state of a row of this length."""
    draws = torch.Generator().manual_seed(seed)
    one = [torch.randn(HEADS, length, SIZE, generator=draws) for _ in range(2 * LAYERS)]
    return list(zip(one[::2], one[1::2], strict=True))


def block_of(length: int, seed: int) -> KvBlock:
    block = KvBlock(LAYERS, rows=1, length=length)
    block.put(0, state(length, seed), length)
    return block


def is_same(left: Layers, right: Layers) -> bool:
    pairs = zip(left, right, strict=True)
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds")
def test_short_rows_beside_a_long_one_take_little_memory() -> None:
    long, short = state(16_000), state(100)
    before = machine.resident()
    block = KvBlock(LAYERS, rows=16, length=16_384)  # 512 MiB if every row were as long

    block.put(0, long, 16_000)
    for row in range(1, 16):
        block.put(row, short, 100)

    needed = TOKEN * (16_000 + 15 * 100)
    assert machine.resident() - before < 3 * needed
    assert needed <= block.bytes() < 1.3 * needed
    assert is_same(block.share(0, 16_000), long)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes pages back")
def test_a_row_that_has_gone_gives_its_memory_back() -> None:
    block = KvBlock(LAYERS, rows=4, length=16_384)
    block.put(0, state(100), 100)
    block.put(1, state(16_000), 16_000)
    held = machine.resident()

    block.vacate(1)

    assert held - machine.resident() > 0.8 * TOKEN * 16_000
    assert block.bytes() < TOKEN * 1_000
    assert is_same(block.share(0, 100), state(100))


@pytest.mark.parametrize("length", [200, 6_000])
def test_rows_keep_what_they_hold_when_the_block_grows(length: int) -> None:
    block = KvBlock(LAYERS, rows=2, length=length + 1)
    block.put(0, state(length, 1), length)
    block.put(1, state(40, 2), 40)

    block.grow(rows=7, length=2 * length)
    block.move(1, 6, 40)

    assert block.rows >= 7
    assert block.length >= 2 * length
    assert is_same(block.share(0, length), state(length, 1))
    assert is_same(block.share(6, 40), state(40, 2))


def test_a_block_whose_growth_was_refused_half_way_grows_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where every place takes memory."""
    monkeypatch.setattr(pages, "can_hold", lambda tensor: False)
    block = KvBlock(LAYERS, rows=2, length=100)
    block.put(1, state(90), 90)
    made, zeros = [], pages.zeros

    def short_of_memory(shape: tuple[int, ...], like: "torch.Tensor") -> "torch.Tensor":
        made.append(shape)
        if len(made) == 2:
            raise RuntimeError("out of memory")
        return zeros(shape, like)

    monkeypatch.setattr(pages, "zeros", short_of_memory)
    with pytest.raises(RuntimeError):
        block.grow(rows=4, length=200)
    block.grow(rows=6, length=200)

    assert is_same(block.share(1, 90), state(90))


def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    parked = Parked(limit=1 << 30)
    for number in range(4):
        parked.keep((number, 1, 2), block_of(64, number))
    parked.find([0, 1, 2])

    parked.shrink(2 * 64 * TOKEN)

    assert len(parked) == 2
    assert parked.find([0, 1, 2]) is not None
    assert parked.find([1, 1, 2]) is None
    assert parked.bytes == 2 * 64 * TOKEN


def test_a_row_of_its_own_has_room_to_go_on_without_being_copied() -> None:
    block = KvBlock(LAYERS, rows=2, length=6_000)
    block.put(1, state(6_000), 6_000)

    taken = block.take(1, 5_000)
    before = [keys.data_ptr() for keys, _ in taken.share(0, 1)]
    taken.grow(rows=1, length=5_100)

    assert [keys.data_ptr() for keys, _ in taken.share(0, 1)] == before
    assert is_same(taken.share(0, 5_000), block.share(1, 5_000))


@pytest.mark.parametrize(
    ("left", "right", "size"),
    [("", "abc", 0), ("abc", "abc", 3), ("abc", "abcd", 3), ("abcdefgh", "abcdefxh", 6), ("xbc", "abc", 0)],
)
def test_texts_share_what_they_begin_with(left: str, right: str, size: int) -> None:
    one, other = [list(map(ord, text)) for text in (left, right)]

    assert common_beginning(one, other) == common_beginning(tuple(other), one) == size


def test_what_is_taken_up_is_no_longer_kept() -> None:
    parked = Parked(limit=1 << 30)
    block = block_of(64, 1)
    parked.keep((1, 2, 3), block)

    known = parked.find([1, 2, 4])

    assert known is not None
    assert (known.shared, known.parked) == (2, (1, 2, 3))
    assert parked.take((1, 2, 3)) is block
    assert (len(parked), parked.bytes) == (0, 0)
