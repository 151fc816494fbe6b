"""Tool calls and shown text are told apart, in whatever pieces the model's words come."""

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistants_api.domain.prompt import CallPiece, ToolCall
from assistants_api.engine.calls import HERMES, LLAMA, MISTRAL, Family, Found, family_of, new_mistral
from assistants_api.engine.text import Aside, Speech

NAMES = ("get_weather", "add")
PARIS = '{"name": "get_weather", "arguments": {"city": "Paris"}}'
OSLO = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'


def heard(
    family: Family,
    pieces: Sequence[str],
    *,
    names: Sequence[str] = NAMES,
    stops: Sequence[str] = (),
    parallel: bool = True,
    reasons: bool = True,
) -> list[str | tuple[str, str]]:
    """The parts of an answer that came in these pieces: texts joined, calls as (name, arguments)."""
    speech = Speech(family, names, stops, parallel=parallel, reasons=reasons)
    found: list[Found | Aside] = []
    for piece in pieces:
        found.extend(speech.feed(piece))
    found.extend(speech.finish())
    merged: list[str | tuple[str, str]] = []
    for one in found:
        if isinstance(one, ToolCall):
            merged.append((one.name, one.arguments))
        elif isinstance(one, Aside | CallPiece):
            continue
        elif merged and isinstance(merged[-1], str):
            merged[-1] += one
        else:
            merged.append(one)
    return merged


def call(city: str) -> tuple[str, str]:
    return ("get_weather", json.dumps({"city": city}))


NEW = new_mistral("[TOOL_CALLS]name[CALL_ID]id[ARGS]{}")
CASES: list[tuple[Family, str, list[str | tuple[str, str]]]] = [
    (HERMES, "Just words.", ["Just words."]),
    (HERMES, "a < b and <tool", ["a < b and <tool"]),
    (HERMES, f"<tool_call>\n{PARIS}\n</tool_call>", [call("Paris")]),
    (HERMES, f"Let me see.\n<tool_call>{PARIS}</tool_call> ignored", ["Let me see.\n", call("Paris")]),
    (
        HERMES,
        f"<tool_call>\n{PARIS}\n</tool_call>\n<tool_call>\n{OSLO}\n</tool_call>",
        [call("Paris"), call("Oslo")],
    ),
    (HERMES, f"<tool_call>{PARIS}", [call("Paris")]),
    (HERMES, "<tool_call>{bad}</tool_call> so sorry", ["<tool_call>{bad}</tool_call> so sorry"]),
    (HERMES, '<tool_call>{"name": "nope"}</tool_call>', ['<tool_call>{"name": "nope"}</tool_call>']),
    (HERMES, '<tool_call>{"name": "add", "arguments": 3}', ['<tool_call>{"name": "add", "arguments": 3}']),
    (HERMES, "The tag <tool_call> opens a call.", ["The tag <tool_call> opens a call."]),
    (HERMES, '<tool_call>{"name": "get_wea', ['<tool_call>{"name": "get_wea']),
    (
        HERMES,
        '<tool_call>{"name": "add", "arguments": {"a": "</tool_call>"}}</tool_call>',
        [("add", '{"a": "</tool_call>"}')],
    ),
    (HERMES, '<tool_call>{"name": "add", "arguments": "{\\"a\\": 1}"}', [("add", '{"a": 1}')]),
    (HERMES, '<tool_call>{"name": "add"}</tool_call>', [("add", "{}")]),
    (
        HERMES,
        '<tool_call>{"name": "add", "arguments": {"a": NaN}}</tool_call>!',
        ['<tool_call>{"name": "add", "arguments": {"a": NaN}}</tool_call>!'],
    ),
    (
        HERMES,
        f"<tool_call>oops</tool_call>\n<tool_call>{PARIS}",
        ["<tool_call>oops</tool_call>\n", call("Paris")],
    ),
    (HERMES, f"<think>I <tool_call>\nmust</think>\n\nYes. <tool_call>{PARIS}", ["Yes. ", call("Paris")]),
    (HERMES, "<think>never ends", []),
    (HERMES, " <thin ice", [" <thin ice"]),
    (LLAMA, '{"name": "get_weather", "parameters": {"city": "Paris"}}', [call("Paris")]),
    (LLAMA, '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Paris"}}', [call("Paris")]),
    (
        LLAMA,
        '{"name": "get_weather", "parameters": {"city": "Paris"}}; {"name": "add", "parameters": {}}',
        [call("Paris"), ("add", "{}")],
    ),
    (LLAMA, '{"title": "not a call"} said so', ['{"title": "not a call"} said so']),
    (LLAMA, 'JSON: {"name": "add", "parameters": {}}', ['JSON: {"name": "add", "parameters": {}}']),
    (LLAMA, "<|python_tag|>print(1)", ["<|python_tag|>print(1)"]),
    (MISTRAL, f"[TOOL_CALLS][{PARIS}, {OSLO}]", [call("Paris"), call("Oslo")]),
    (MISTRAL, 'Hm.[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}', ["Hm.", call("Paris")]),
    (
        MISTRAL,
        '[TOOL_CALLS]get_weather{"city": "Paris"}[TOOL_CALLS]get_weather[CALL_ID]ab1[ARGS]{"city": "Oslo"}',
        [call("Paris"), call("Oslo")],
    ),
    (MISTRAL, "[TOOL_CALLS] what is that?", ["[TOOL_CALLS] what is that?"]),
    (MISTRAL, "[TOOL_CALLS]what{}", ["[TOOL_CALLS]what{}"]),
    (MISTRAL, "[TOOL_CALLS]add[ARGS]{bad}", ["[TOOL_CALLS]add[ARGS]{bad}"]),
    (NEW, f"[TOOL_CALLS][{PARIS}, {OSLO}]", [call("Paris"), call("Oslo")]),
    (
        NEW,
        '[TOOL_CALLS]add[CALL_ID]abc123def[ARGS]{"a": "}"}[TOOL_CALLS]add[ARGS]{}',
        [("add", '{"a": "}"}'), ("add", "{}")],
    ),
    (MISTRAL, "[TOOL_CALLS]" + "x" * 300 + "{}", ["[TOOL_CALLS]" + "x" * 300 + "{}"]),
]


@pytest.mark.parametrize(("family", "said", "parts"), CASES)
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_chunking_gives_the_same_parts(
    family: Family, said: str, parts: list[str | tuple[str, str]], cuts: list[int]
) -> None:
    places = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
    pieces = [said[start:end] for start, end in itertools.pairwise(places)]

    assert heard(family, [said]) == parts
    assert heard(family, list(said)) == parts
    assert heard(family, pieces) == parts


@given(
    said=st.text(alphabet='<tool_call>/ {}[]"\\:a1,\n', max_size=60),
    family=st.sampled_from([HERMES, LLAMA, MISTRAL]),
)
def test_words_that_are_no_call_are_never_lost(said: str, family: Family) -> None:
    parts = heard(family, list(said), reasons=False)

    assert "".join(part for part in parts if isinstance(part, str)) == said


def test_without_tools_everything_is_text() -> None:
    assert heard(HERMES, [f"<tool_call>{PARIS}</tool_call>"], names=()) == [f"<tool_call>{PARIS}</tool_call>"]


def test_one_call_at_a_time_ends_after_the_first() -> None:
    speech = Speech(HERMES, NAMES, (), parallel=False)

    found = speech.feed(f"<tool_call>{PARIS}</tool_call>\n<tool_call>{OSLO}</tool_call>")

    assert [one.arguments for one in found if isinstance(one, ToolCall)] == ['{"city": "Paris"}']
    assert speech.is_done
    assert speech.finish() == []


def test_call_ids_look_like_the_services() -> None:
    found = Speech(HERMES, NAMES, ()).feed(f"<tool_call>{PARIS}</tool_call>")[-1]

    assert isinstance(found, ToolCall)
    assert found.id.startswith("call_")
    assert len(found.id) == 29
    assert found.id[5:].isalnum()


def test_a_call_without_a_marker_is_open_once_it_names_something() -> None:
    def opened(said: str) -> str | None:
        speech = Speech(LLAMA, NAMES, ())
        speech.feed(said)
        return speech.opened

    assert opened('<|python_tag|>{"') == '<|python_tag|>{"'
    assert opened('{"name": "ad') == '{"name": "ad'
    assert [opened(said) for said in ("{", '{"name"', '{"city": "', "[")] == [None] * 4


def test_arguments_are_given_out_while_they_are_written() -> None:
    speech = Speech(HERMES, NAMES, (), stem="x" * 21)

    assert speech.feed('<tool_call>{"name": "get_weather", "argum') == []
    (first,) = speech.feed('ents": {"city": "Par')
    (second,) = speech.feed('is"')
    third, call = speech.feed("}}</tool_call>")

    pieces = [CallPiece(call.id, "get_weather", text) for text in ('{"city": "Par', 'is"', "}")]
    assert [first, second, third] == pieces
    assert call == ToolCall("call_" + "x" * 21 + "001", "get_weather", '{"city": "Paris"}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    values=st.lists(st.dictionaries(st.text(), JSON, max_size=3), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 400), max_size=12),
    is_ascii=st.booleans(),
)
def test_the_pieces_of_a_call_add_up_to_its_arguments(
    values: list[dict[str, object]], cuts: list[int], is_ascii: bool
) -> None:
    written = [json.dumps({"name": "add", "arguments": value}, ensure_ascii=is_ascii) for value in values]
    said = "".join(f"<tool_call>{call}</tool_call>" for call in written)
    places = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
    speech = Speech(HERMES, NAMES, ())
    added: dict[str, str] = {}
    calls: list[ToolCall] = []
    for start, end in itertools.pairwise(places):
        for one in speech.feed(said[start:end]):
            if isinstance(one, CallPiece):
                added[one.id] = added.get(one.id, "") + one.arguments
            elif isinstance(one, ToolCall):
                calls.append(one)

    assert [json.loads(call.arguments) for call in calls] == values
    assert added == {call.id: call.arguments for call in calls}


def test_a_raw_line_break_in_an_argument_is_given_out_as_json() -> None:
    found = Speech(HERMES, NAMES, ()).feed(
        '<tool_call>{"name": "add", "arguments": {"a": "1\n2"}}</tool_call>'
    )

    assert [one.arguments for one in found if isinstance(one, CallPiece | ToolCall)] == [
        '{"a": "1\\n2"}',
        '{"a": "1\\n2"}',
    ]


@given(cuts=st.lists(st.integers(0, 40), max_size=8))
def test_stop_strings_are_held_back_and_cut(cuts: list[int]) -> None:
    said = "one two\nEND\nthree STOP four"
    places = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
    pieces = [said[start:end] for start, end in itertools.pairwise(places)]

    assert heard(HERMES, pieces, stops=("STOP", "\nEND\n!")) == ["one two\nEND\nthree "]
    assert heard(HERMES, pieces, stops=("\nEND", "STOP")) == ["one two"]
    assert heard(HERMES, pieces, stops=("fourth",)) == [said]


def test_a_half_stop_string_is_not_shown_before_it_is_settled() -> None:
    speech = Speech(HERMES, (), ("END",))

    assert speech.feed("the E") == ["the "]
    assert speech.feed("N") == []
    assert speech.feed("ough") == ["ENough"]


def test_the_family_is_read_from_the_template() -> None:
    assert family_of("... <tool_call> ...") is HERMES
    assert family_of("[TOOL_CALLS]") is MISTRAL
    assert family_of("[TOOL_CALLS]name[ARGS]{}").inner == ("[ARGS]",)
    assert family_of("[TOOL_CALLS]name[CALL_ID]id[ARGS]{}").inner == ("[CALL_ID]", "[ARGS]")
    assert family_of("<|python_tag|>") is LLAMA


THOUGHTS = [
    ("<think>\nI must  look.\n</think>\n\nYes.", "I must  look.", "Yes."),
    ("<think></think>Yes.", "", "Yes."),
    ("<think>a < b, </thin air>.</think>Yes.", "a < b, </thin air>.", "Yes."),
    ("<think>never ends \n", "never ends", ""),
    ("No <think>thought</think>.", "", "No <think>thought</think>."),
]


@pytest.mark.parametrize(("said", "thought", "shown"), THOUGHTS)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_reasoning_is_told_apart_in_any_pieces(said: str, thought: str, shown: str, size: int) -> None:
    speech = Speech(HERMES, (), (), reasons=True)

    found: list[str | Aside | ToolCall] = []
    for start in range(0, len(said), size):
        found.extend(speech.feed(said[start : start + size]))
    found.extend(speech.finish())

    assert "".join(one.text for one in found if isinstance(one, Aside)) == thought
    assert "".join(one for one in found if isinstance(one, str)) == shown


def test_an_answer_may_begin_within_its_reasoning() -> None:
    speech = Speech(HERMES, (), (), in_reasoning=True)

    assert speech.feed("Hm. ") == [Aside("Hm.")]
    assert speech.feed("Well.</think>\n\nYes.") == [Aside(" Well."), "Yes."]


@pytest.mark.parametrize("head", ["add[ARGS]", "add[CALL_ID]abc123def[ARGS]", "add"])
def test_arguments_behind_a_name_are_given_out_as_they_come(head: str) -> None:
    speech = Speech(NEW, NAMES, ())

    found = [one for piece in (f"[TOOL_CALLS]{head}", '{"a"', ": 1", "}") for one in speech.feed(piece)]

    assert [one.arguments for one in found if isinstance(one, CallPiece)] == ['{"a"', ": 1", "}"]
    assert [one.id for one in found if isinstance(one, ToolCall)] == [found[0].id]  # type: ignore[union-attr]
