"""The hand-written training material: everything in it can be drawn, and the exam's grader grades."""

import json

import pytest
from training import bank, documents, exam, material, mix, problems
from training.draw import Draw

LANGUAGES = pytest.mark.parametrize("zh", [False, True], ids=["en", "zh"])


@LANGUAGES
@pytest.mark.parametrize("function", material.functions(), ids=lambda function: function.name)
def test_a_function_is_asked_for_with_its_required_arguments(function, zh):
    rng = Draw(1)

    for _ in range(6):
        case = bank.asked(rng, function, zh)
        schema = case.tool["function"]["parameters"]

        assert set(function.required) <= set(case.arguments) <= set(schema["properties"])
        assert not material.SLOT.search(case.ask), case.ask
        for name, value in case.arguments.items():
            enum = schema["properties"][name].get("enum")
            assert enum is None or value in enum


@LANGUAGES
def test_a_sentence_and_its_questions_have_no_open_slots(zh):
    rng = Draw(2)

    for _ in range(400):
        sentence, question, near = documents.written(rng, zh)

        assert not material.SLOT.search(sentence + question + "".join(near))
        assert sentence not in near


@LANGUAGES
@pytest.mark.parametrize("place", range(len(problems.PROBLEMS)))
def test_a_problem_tells_what_its_code_prints(place, zh):
    kind, rng = problems.PROBLEMS[place], Draw(3)

    for wording in kind.asks_zh if zh else kind.asks:
        values = kind.draw(rng)
        shown = problems.printed(kind.code.format(**values))

        assert wording.format(**values)
        assert shown in (kind.answer_zh if zh else kind.answer).format(**values, v=shown)


@pytest.mark.parametrize("held", [False, True], ids=["training", "evaluation"])
@pytest.mark.parametrize(
    "maker", [maker for maker, _ in mix.MIX], ids=lambda maker: f"{maker.__module__}.{maker.__name__}"
)
def test_every_kind_of_conversation_ends_with_the_assistant(maker, held):
    rng = Draw(4, held=held)

    for _ in range(25):
        made = maker(rng)

        assert made["messages"][-1]["role"] == "assistant"
        assert json.loads(json.dumps(made)) is not None


def test_a_mixed_conversation_calls_more_than_one_kind_of_tool_by_ids_of_their_own():
    rng = Draw(5)

    for _ in range(25):
        made = mix.mixed(rng)
        calls = [call for message in made["messages"] for call in message.get("tool_calls", ())]
        answered = [message["tool_call_id"] for message in made["messages"] if message["role"] == "tool"]
        called = {call["function"]["name"] for call in calls}

        assert len(called) > 1
        assert called <= {tool["function"]["name"] for tool in made["tools"]}
        assert [call["id"] for call in calls] == answered
        assert len(set(answered)) == len(answered)


def test_no_wording_of_the_evaluation_is_drawn_in_training():
    asks = set(material.unknown(zh=False))
    drawn = [
        {bank.unknown(Draw(seed, held=held))["messages"][0]["content"] for seed in range(3000)} & asks
        for held in (False, True)
    ]

    assert drawn[0]
    assert drawn[1]
    assert not drawn[0] & drawn[1]


def test_an_exam_item_expects_something_that_can_be_checked():
    for line in exam.FILE.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)

        assert row["messages"][-1]["role"] in ("user", "tool")
        assert row["expect"].keys() & {"calls", "contains", "json", "python", "python_contains"}
        assert not exam.is_right(row["expect"], "")


def test_a_call_counts_when_name_and_arguments_are_the_wanted_ones():
    expect = {"calls": [{"name": "weather", "arguments": {"city": {"any_of": ["Oslo", "Oslo, Norway"]}}}]}
    said = '<tool_call>\n{"name": "weather", "arguments": {"city": "oslo"}}\n</tool_call>'

    assert exam.is_right(expect, said)
    assert not exam.is_right(expect, said.replace("oslo", "Rome"))
    assert not exam.is_right(expect, said + said)
    assert not exam.is_right(expect, "oslo")


def test_words_count_when_all_are_there_and_nothing_is_called():
    expect = {
        "contains": ["17", ["warm", "mild"]],
        "excludes": ["【0:1"],
        "starts_with": "It",
        "max_words": 6,
    }

    assert exam.is_right(expect, "It is mild, 17 degrees.")
    assert not exam.is_right(expect, "It is 17 degrees.")
    assert not exam.is_right(expect, "It is mild, 17 degrees.【0:1†source】")
    assert not exam.is_right(expect, "It is mild, 17 degrees, as everybody knows.")


def test_python_counts_by_what_it_prints():
    code = '<tool_call>\n{"name": "code_interpreter", "arguments": {"code": "print(37 * 43)"}}\n</tool_call>'

    assert exam.is_right({"python": "1591"}, code)
    assert not exam.is_right({"python": "1592"}, code)
    assert not exam.is_right({"python": "1591"}, code.replace("43", "43 +"))
