"""Halves of characters are joined wherever a text is cut."""

from hypothesis import given
from hypothesis import strategies as st

from assistants_api.domain.text import mended, mended_json
from assistants_api.engine.halves import Joined

HALVES = st.text(st.sampled_from("ab\n\ud83d\ude00\U0001f600\ufffd"), max_size=12)


@given(st.lists(HALVES, max_size=6))
def test_pieces_add_up_to_the_whole_text(pieces):
    joined = Joined()

    said = [joined.join(piece) for piece in pieces] + [joined.join("", is_last=True)]

    assert "".join(said) == mended("".join(pieces))
    "".join(said).encode()


@given(st.text())
def test_a_text_without_halves_stays_as_it_is(text):
    assert mended(text) == text
    assert mended_json({"a": [text, 1, None]}) == {"a": [text, 1, None]}


def test_halves_are_joined_or_replaced():
    assert mended("\ud83d\ude00") == "\U0001f600"
    assert mended("\ud83d\ud83d\ude00\ude00") == "\ufffd\U0001f600\ufffd"
    assert mended_json({"\ud83d": ["\ude00"]}) == {"\ufffd": ["\ufffd"]}
