"""Chunking: exact slices, exact sizes, nothing lost."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistants_api.knowledge.chunking import chunk, keywords, tokenize, windows

PIECES = [
    "word ",
    "e\u0301",
    "👩🏽‍💻",
    "👍🏽 ",
    "汉字",
    "かな",
    "한국어 ",
    "x_y",
    "\n\n",
    ". ",
    "12345",
    "\u200d",
    "\u0301" * 20,
    "हिन्दी ",
    "\t",
]
TEXTS = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES), max_size=120).map("".join))
SIZES = st.integers(1, 30).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


def uncovered(text: str, spans: list[tuple[int, int]]) -> str:
    left = list(text)
    for start, end in spans:
        left[start:end] = " " * (end - start)
    return "".join(left).strip()


@given(TEXTS)
def test_tokens_hold_every_visible_character_once(text: str) -> None:
    tokens = tokenize(text)
    spans = list(zip(tokens.starts, tokens.ends, strict=True))
    assert uncovered(text, spans) == ""
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert not any(any(char.isspace() for char in text[start:end]) for start, end in spans)


@given(TEXTS, SIZES)
def test_chunks_have_the_asked_size_and_overlap(text: str, sizes: tuple[int, int]) -> None:
    size, overlap = sizes
    tokens = tokenize(text)
    chunks = chunk(text, size, overlap)
    assert uncovered(text, [(c.start, c.end) for c in chunks]) == ""
    assert all(text[c.start : c.end].strip() for c in chunks)
    assert all(c.tokens == size for c in chunks[:-1])
    assert all(0 < c.tokens <= size for c in chunks)
    for before, after in itertools.pairwise(chunks):
        assert sum(after.start <= at < before.end for at in tokens.starts) == overlap


@given(TEXTS, st.integers(1, 20))
def test_windows_stand_side_by_side(text: str, size: int) -> None:
    tokens = tokenize(text)
    found = windows(text, size)
    assert uncovered(text, [(w.start, w.end) for w in found]) == ""
    assert all(before.end <= after.start for before, after in itertools.pairwise(found))
    assert all(0 < sum(w.start <= at < w.end for at in tokens.starts) <= size for w in found)


def test_windows_prefer_the_end_of_a_paragraph_then_of_a_sentence() -> None:
    text = "One two three four five six.\n\nSeven and so on. Then more of it, and on and on it goes"
    first, second, *_ = windows(text, 10)
    assert text[first.start : first.end] == "One two three four five six."
    assert text[second.start : second.end] == "Seven and so on."


def test_a_character_with_its_marks_is_never_split() -> None:
    text = "e\u0301 👩🏽‍💻 ก้"
    tokens = tokenize(text)
    assert [text[s:e] for s, e in zip(tokens.starts, tokens.ends, strict=True)] == text.split()


def test_prose_has_as_many_tokens_as_for_a_usual_model() -> None:
    prose = (
        "When the committee met again in the autumn, it found that most of the recommendations had already been "
        "carried out, although several of the smaller departments were still waiting for their new equipment."
    )
    assert 1.2 < len(tokenize(prose)) / len(prose.split()) < 1.8


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000"])
def test_blank_text_has_no_pieces(text: str) -> None:
    assert chunk(text) == []
    assert windows(text) == []
    assert keywords(text) == ""


@pytest.mark.parametrize(("size", "overlap"), [(10, 10), (10, 11), (10, -1), (0, 0)])
def test_an_overlap_without_a_step_forward_is_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        chunk("some text", size, overlap)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", "hello world"),
        ("密码重置", "密码 码重 重置"),
        ("用 Python3 写", "用 python3 写"),
        ("カタカナ한국", "カタ タカ カナ ナ한 한국"),
        ("parseHTTPReply", "parsehttpreply parse http reply"),
        ("max_chunk_size", "maxchunksize max chunk size"),
        ("__init__ _", "init"),
        ("Ｆｕｌｌ cafe\u0301", "full café"),
        ("ÜBER naïve", "über naïve"),
        ("Kranken\xadhaus soft\xad-\xadware", "krankenhaus soft ware"),
    ],
)
def test_keywords(text: str, words: str) -> None:
    assert keywords(text) == words


@given(TEXTS)
def test_keywords_of_keywords_change_no_word(text: str) -> None:
    assert "  " not in keywords(text)
    assert keywords(text) == keywords(text).strip()
    assert keywords(keywords(text).lower()).split() == keywords(keywords(text)).split()
