"""Halves of characters are joined wherever a text is cut."""

from hypothesis import given
from hypothesis import strategies as st

from assistants_api.engine.halves import Joined, whole, whole_values

HALVES = st.text(st.sampled_from("ab\n\ud83d\ude00\U0001f600\ufffd"), max_size=12)


@given(st.lists(HALVES, max_size=6))
def test_pieces_add_up_to_the_whole_text(pieces):
    joined = Joined()

    said = [joined.join(piece) for piece in pieces] + [joined.join("", is_last=True)]

    assert "".join(said) == whole("".join(pieces))
    "".join(said).encode()


@given(st.text())
def test_a_text_without_halves_stays_as_it_is(text):
    assert whole(text) == text
    assert whole_values({"a": [text, 1, None]}) == {"a": [text, 1, None]}


def test_halves_are_joined_or_replaced():
    assert whole("\ud83d\ude00") == "\U0001f600"
    assert whole("\ud83d\ud83d\ude00\ude00") == "\ufffd\U0001f600\ufffd"
    assert whole_values({"\ud83d": ["\ude00"]}) == {"\ufffd": ["\ufffd"]}
