"""Answers in a form: even a random model's answer parses, because no other token may come."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.prompt import Prompt, Text, ToolCall
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.messages import Submit
from tests.engine import tiny
from tests.engine.conftest import a_prompt
from tests.engine.test_scheduler import Loop, model

__all__ = ["model"]

pytestmark = pytest.mark.model

CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Oslo"]}, "days": {"enum": [1, 2]}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"enum": [1]}},
            "required": ["a"],
            "additionalProperties": False,
        },
    },
}


def in_form(schema: Any, **changes: Any) -> Prompt:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return replace(a_prompt("go", temperature=1.5, max_tokens=120), response_format=form, **changes)


def run(model: Any, prompt: Prompt, *, seeds: int = 4) -> list[Loop]:
    loops = []
    for seed in range(seeds):
        loop = Loop(model)
        loop.submit(1, prompt, seed=seed)
        loops.append(loop.run())
    return loops


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny model with a template that writes calls as Llama does."""
    return of_family(tmp_path_factory.mktemp("llama"), "<|python_tag|>")


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny model with a template that writes calls as Mistral does."""
    return of_family(tmp_path_factory.mktemp("mistral"), "[TOOL_CALLS]")


CALL = """<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>"""
NEWER = {
    "plain": ("[TOOL_CALLS]name[ARGS]", ()),
    "special": ("[TOOL_CALLS]name[ARGS]", ("[TOOL_CALLS]", "[ARGS]")),
    "special, with ids": ("[TOOL_CALLS]name[CALL_ID]id[ARGS]", ("[TOOL_CALLS]", "[CALL_ID]", "[ARGS]")),
}


@pytest.fixture(scope="module", params=NEWER)
def newer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny model with a template that writes calls as newer models of Mistral do."""
    marker, special = NEWER[request.param]
    return of_family(tmp_path_factory.mktemp("newer"), marker, special)


def of_family(folder: Path, marker: str, special: Sequence[str] = ()) -> Any:
    """The tiny model, whose template has this marker for calls."""
    from assistants_api.engine.model import Model

    head = marker.replace("name", "{{ call.function.name }}").replace("]id[", "]abc123def[")
    newer = f"{head}{{{{ call.function.arguments | tojson }}}}"
    template = tiny.TEMPLATE.replace(CALL, newer) if "name" in marker else tiny.TEMPLATE
    template = template.replace("<tool_call>", marker).replace("</tool_call>", "")
    return Model(EngineConfig(model=tiny.build(folder, template=template, special=special)))


def a_row(model: Any, prompt: Prompt) -> Any:
    """An answer that has not begun."""
    from assistants_api.engine.rows import Row

    return Row(Submit(1, prompt, 1), model)


def barred(row: Any, tokens: list[int]) -> list[int]:
    """The first of these tokens that may not come where they are said one by one, and those behind it."""
    for place, token in enumerate(tokens):
        bits = row.allowed()
        if bits is not None and not bits[token // 8] >> token % 8 & 1:
            return tokens[place:]
        row.say(token)
    return []


def calls_of(loop: Loop) -> list[ToolCall]:
    return [part for part in loop.parts[1] if isinstance(part, ToolCall)]


def test_every_answer_fits_the_schema_beside_free_neighbours(model: Any) -> None:
    loop = Loop(model)
    for turn in range(4):
        loop.submit(turn, in_form(CITY), seed=turn)
        loop.submit(turn + 10, a_prompt("free", temperature=1.5), seed=turn)

    loop.run()

    for turn in range(4):
        answer = json.loads(loop.text(turn))
        assert answer["city"] in ("Paris", "Oslo")
        assert answer["days"] in (1, 2)
        assert loop.stop(turn).reason == "stop"


def test_a_json_object_is_an_object(model: Any) -> None:
    prompt = replace(a_prompt("go", temperature=0.7, max_tokens=400), response_format={"type": "json_object"})

    for loop in run(model, prompt):
        assert loop.text(1).startswith("{")
        if loop.stop(1).reason == "stop":
            assert isinstance(json.loads(loop.text(1)), dict)


def test_an_answer_that_was_cut_goes_on_within_its_form(model: Any) -> None:
    start = '{"city": "Par'

    (loop,) = run(model, in_form(CITY, answer_start=start), seeds=1)

    assert json.loads(start + loop.text(1))["city"] == "Paris"


@pytest.mark.parametrize("kind", ["named", "one", "many"])
def test_a_required_call_is_made_with_fitting_arguments(model: Any, kind: str) -> None:
    tools = (WEATHER, ADD) if kind != "one" else (WEATHER,)
    choice: Any = "required" if kind != "named" else {"type": "function", "function": {"name": "add"}}
    prompt = replace(a_prompt("go", temperature=1.5, max_tokens=120), tools=tools, tool_choice=choice)

    for loop in run(model, prompt):
        call = calls_of(loop)[0]
        if kind == "named":
            assert len(calls_of(loop)) == 1
            assert loop.stop(1).reason == "tool_calls"
        if call.name == "add":
            assert json.loads(call.arguments) == {"a": 1}
        else:
            assert json.loads(call.arguments)["city"] in ("Paris", "Oslo")
        assert not any(isinstance(part, Text) for part in loop.parts[1])


def test_with_tools_the_answer_is_a_call_or_in_the_form(model: Any) -> None:
    for loop in run(model, in_form(CITY, tools=(WEATHER,)), seeds=6):
        text = loop.text(1)
        if not text.startswith("<tool_call>"):
            assert json.loads(text)["city"] in ("Paris", "Oslo")


def test_what_a_grammar_does_not_know_is_passed_over_unless_the_schema_is_strict(model: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"enum": [1]}, "uniqueItems": True, "maxItems": 2}},
        "required": ["a"],
        "additionalProperties": False,
    }

    for loop in run(model, in_form(schema)):
        assert json.loads(loop.text(1))["a"] in ([], [1], [1, 1])
    strict = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    with pytest.raises(EngineFailed, match="cannot be enforced"):
        run(model, replace(a_prompt("go"), response_format=strict))


@pytest.mark.parametrize("pattern", ["^(?!a)[a-z]+@b$", r"^(a)\1$"])
def test_a_pattern_that_a_grammar_cannot_hold_is_passed_over_unless_the_schema_is_strict(
    model: Any, pattern: str
) -> None:
    mail = {"type": "string", "pattern": pattern, "maxLength": 3}
    schema = {"type": "object", "properties": {"e": mail}, "required": ["e"], "additionalProperties": False}

    for loop in run(model, in_form(schema)):
        assert len(json.loads(loop.text(1))["e"]) <= 3
    strict = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    with pytest.raises(EngineFailed, match="cannot be enforced"):
        run(model, replace(a_prompt("go"), response_format=strict))


def test_a_schema_that_cannot_be_enforced_is_refused_by_name(model: Any) -> None:
    with pytest.raises(EngineFailed, match="cannot be enforced") as caught:
        run(model, in_form({"type": "no-such-type"}))

    assert caught.value.code == "invalid_prompt"


def chain(levels: int) -> Any:
    """A schema whose every definition leads to the next one."""
    links = {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**links, f"a{levels}": {"type": "object"}}}


def test_a_form_that_is_nested_too_deeply_is_refused_before_the_grammar_sees_it(model: Any) -> None:
    with pytest.raises(EngineFailed, match="is nested too deeply") as caught:
        model.grammars.constraint(in_form(chain(4000)), "", [])

    assert caught.value.code == "invalid_prompt"


def test_parameters_that_are_nested_too_deeply_are_never_given_to_the_grammar(model: Any) -> None:
    function = {"name": "deep", "parameters": chain(4000)}
    strict = {**function, "strict": True}

    assert model.grammars.call([{"type": "function", "function": function}], "<tool_call>")
    with pytest.raises(EngineFailed, match="'deep' cannot be enforced: it is nested too deeply"):
        model.grammars.call([{"type": "function", "function": strict}], "<tool_call>")


MARKERS = ("<tool_call>", "<tool_call>\n", '<tool_call>\n{"na')


def opened(model: Any, marker: str, tools: tuple[Any, ...], *, seed: int, **changes: Any) -> Loop:
    """What becomes of a call that a random model has opened of its own accord."""
    prompt = replace(a_prompt("go", temperature=1.5, max_tokens=120), tools=tools, **changes)
    loop = Loop(model)
    loop.submit(1, prompt, seed=seed, tokens=tuple(model.ids(marker)))
    return loop.run()


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("form", ["auto", {"type": "json_object"}])
def test_a_call_that_the_model_opens_itself_is_held_to_the_functions(
    model: Any, marker: str, form: Any
) -> None:
    for seed in range(4):
        loop = opened(model, marker, (WEATHER, ADD), seed=seed, response_format=form)

        [call] = calls_of(loop)
        assert call.name in ("get_weather", "add")
        assert set(json.loads(call.arguments)) == ({"city", "days"} if call.name == "get_weather" else {"a"})
        assert loop.text(1).strip() == ""


def test_a_family_that_opens_calls_with_json_may_answer_in_json_instead(llama: Any) -> None:
    answer = llama.ids('{"city": "Paris", "days": 1}')
    named = in_form({"type": "object", "properties": {"name": {"enum": ["Bob"]}}, "required": ["name"]})

    assert barred(a_row(llama, in_form(CITY, tools=(WEATHER, ADD))), answer) == []
    assert barred(a_row(llama, replace(named, tools=(ADD,))), llama.ids('{"name": "Bob"}')) == []
    assert barred(a_row(llama, replace(a_prompt("go"), tools=(ADD,))), answer) == []


@pytest.mark.parametrize("form", ["auto", {"type": "json_schema", "json_schema": {"schema": CITY}}])
def test_a_call_without_a_marker_is_held_to_the_functions_from_the_name_on(llama: Any, form: Any) -> None:
    prompt = replace(a_prompt("go", max_tokens=90), tools=(WEATHER, ADD), response_format=form)
    wrong, right = '{"name": "go", ', '{"name": "add", "parameters": {"a": 1}}'

    assert barred(a_row(llama, prompt), llama.ids(wrong)) != []
    assert barred(a_row(llama, prompt), llama.ids(right)) == []


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}])
def test_a_required_call_is_closed_as_its_family_reads_it(mistral: Any, choice: Any) -> None:
    prompt = replace(a_prompt("go", temperature=1.0, max_tokens=90), tools=(ADD,), tool_choice=choice)

    for loop in run(mistral, prompt):
        assert [json.loads(call.arguments) for call in calls_of(loop)][:1] == [{"a": 1}]
        assert not any(isinstance(part, Text) for part in loop.parts[1])


def test_several_calls_stand_in_one_list_where_more_than_one_is_wanted(mistral: Any) -> None:
    prompt = replace(a_prompt("go", max_tokens=200), tools=(WEATHER, ADD), tool_choice="required")
    both = mistral.ids('add", "arguments": {"a": 1}}, {"name": "add", "arguments": {"a": 1}}]')

    assert barred(a_row(mistral, prompt), both) == []
    assert barred(a_row(mistral, replace(prompt, parallel_tool_calls=False)), both) != []


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}])
def test_a_call_behind_a_name_is_held_to_the_functions_schema(newer: Any, choice: Any) -> None:
    prompt = replace(
        a_prompt("go", temperature=1.5, max_tokens=120), tool_choice=choice, tools=(WEATHER, ADD)
    )

    for loop in run(newer, prompt):
        first, *_ = calls_of(loop)
        assert choice == "required" or first.name == "add"
        assert set(json.loads(first.arguments)) == (
            {"city", "days"} if first.name == "get_weather" else {"a"}
        )
        assert not any(isinstance(part, Text) for part in loop.parts[1])


@pytest.mark.parametrize("form", ["auto", {"type": "json_schema", "json_schema": {"schema": CITY}}])
def test_a_call_behind_a_name_that_the_model_opens_itself_is_held_too(newer: Any, form: Any) -> None:
    prompt = replace(a_prompt("go", max_tokens=120), tools=(WEATHER, ADD), response_format=form)
    id = "[CALL_ID]abc123def" if "[CALL_ID]" in newer.template.family.inner else ""
    right = newer.ids(f'[TOOL_CALLS]add{id}[ARGS]{{"a": 1}}')

    assert barred(a_row(newer, prompt), right) == []
    assert barred(a_row(newer, prompt), newer.ids(f'[TOOL_CALLS]add{id}[ARGS]{{"b": 1}}')) != []
    assert barred(a_row(newer, prompt), newer.ids(f'[TOOL_CALLS]go{id}[ARGS]{{"a": 1}}')) != []
    row = a_row(newer, prompt)
    parts = [part for token in right for part in row.say(token)]
    assert [part.arguments for part in parts if isinstance(part, ToolCall)] == ['{"a": 1}']


def test_a_second_call_behind_a_name_may_follow_where_more_than_one_is_wanted(newer: Any) -> None:
    prompt = replace(a_prompt("go", max_tokens=200), tools=(WEATHER, ADD), tool_choice="required")
    id = "[CALL_ID]abc123def" if "[CALL_ID]" in newer.template.family.inner else ""
    one = f'add{id}[ARGS]{{"a": 1}}'
    row = a_row(newer, prompt)

    assert barred(row, newer.ids(f"{one}[TOOL_CALLS]{one}")) == []
    assert barred(row, newer.ids(f'[TOOL_CALLS]add{id}[ARGS]{{"b"')) != []


def test_a_held_call_is_the_same_after_a_restart(model: Any) -> None:
    whole = opened(model, MARKERS[0], (WEATHER,), seed=3)
    tokens = whole.tokens[1]
    [call] = calls_of(whole)

    for cut in (len(model.ids(MARKERS[0])) + more for more in (1, 4, 8)):
        prompt = replace(a_prompt("go", temperature=1.5, max_tokens=120), tools=(WEATHER,))
        again = Loop(model)
        again.submit(1, prompt, seed=3, tokens=tuple(tokens[:cut]))
        again.run()
        assert [one.arguments for one in calls_of(again)] == [call.arguments]


def test_parameters_that_no_grammar_can_hold_are_taken_as_any_object(model: Any) -> None:
    odd = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)"}}}
    tool = {"type": "function", "function": {"name": "odd", "parameters": odd}}

    for seed in range(3):
        assert not opened(model, MARKERS[0], (tool,), seed=seed).refused


@pytest.mark.parametrize("kind", [["object", "null"], ["null"], "string", None])
def test_arguments_are_an_object_whatever_their_schema_says(model: Any, kind: Any) -> None:
    parameters = {**ADD["function"]["parameters"], "type": kind}
    tool = {"type": "function", "function": {"name": "add", "parameters": parameters}}
    if kind is None:
        del parameters["type"]
    prompt = replace(a_prompt("go", max_tokens=60), tools=(tool,), tool_choice="required")

    assert barred(a_row(model, prompt), model.ids("null")) != []
    assert barred(a_row(model, prompt), model.ids('"a"')) != []
    assert barred(a_row(model, prompt), model.ids('{"a": 1}')) == []


def test_a_call_in_a_way_of_its_own_is_left_alone(model: Any) -> None:
    loop = opened(model, '<tool_call>  [{"x', (WEATHER,), seed=1)

    assert calls_of(loop) == []
    assert not loop.refused


def test_the_same_form_is_compiled_once_and_each_answer_has_its_own_place_in_it(model: Any) -> None:
    from assistants_api.engine.grammar import Grammars

    made: list[str] = []

    class Counted(Grammars):
        def _compile(self, rules: str) -> Any:
            made.append(rules)
            return super()._compile(rules)

    grammars = Counted(model.tokenizer, model.config.vocab_size, model.end_ids, model.template.family)
    first = grammars.constraint(in_form(CITY), "", [])
    second = grammars.constraint(in_form(CITY), "", [])
    assert first is not None
    assert second is not None

    at_start = second.allowed()
    first.take(model.ids("{")[0])

    assert len(made) == 1
    assert second.allowed() == at_start
    assert first.allowed() != at_start


def test_forms_that_were_long_not_asked_for_are_forgotten(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistants_api.engine import grammar

    monkeypatch.setattr(grammar, "_MOST_COMPILED", 2)
    grammars = grammar.Grammars(
        model.tokenizer, model.config.vocab_size, model.end_ids, model.template.family
    )
    for name in ("a", "b", "a", "c"):
        schema = {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}
        grammars.constraint(in_form(schema), "", [])

    kept = list(grammars._compiled)
    assert len(kept) == 2
    assert '"a"' in kept[0]
    assert '"c"' in kept[1]
