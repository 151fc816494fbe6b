"""What a validation error is called: paths as the caller wrote them, JSON's names for types."""

import pytest
from pydantic import ValidationError

from assistants_api.domain.errors import InvalidRequest
from assistants_api.wire.assistants import CreateAssistantRequest, ModifyAssistantRequest
from assistants_api.wire.messages import CreateMessageRequest
from assistants_api.wire.problems import problem_of
from assistants_api.wire.runs import CreateRunRequest, SubmitToolOutputsRunRequest
from assistants_api.wire.threads import CreateThreadRequest
from assistants_api.wire.vector_stores import (
    CreateVectorStoreFileBatchRequest,
    CreateVectorStoreFileRequest,
    CreateVectorStoreRequest,
)


def problem(model, value):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    found = problem_of(caught.value.errors(include_url=False)[0], value)
    return found.message, found.param, found.code


def text(path, expected, got):
    return f"Invalid type for '{path}': expected {expected}, but got {got} instead.", path, "invalid_type"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "a boolean"), (1, "an integer"), (1.5, "a decimal number"), ([], "an array"), ({}, "an object")],
)
def test_a_string_is_no_other_type(value, shown):
    assert problem(CreateAssistantRequest, {"model": value}) == text("model", "a string", shown)


@pytest.mark.parametrize(
    ("field", "value", "expected", "shown"),
    [
        ("max_prompt_tokens", True, "an integer", "a boolean"),
        ("max_prompt_tokens", "300", "an integer", "a string"),
        ("temperature", "1", "a decimal", "a string"),
        ("temperature", True, "a decimal", "a boolean"),
        ("stream", 1, "a boolean", "an integer"),
        ("tools", {}, "an array", "an object"),
        ("metadata", [], "an object", "an array"),
        ("tool_choice", 5, "a string", "an integer"),
        ("response_format", 5, "a string", "an integer"),
    ],
)
def test_no_type_is_bent_into_another(field, value, expected, shown):
    given = {"assistant_id": "asst_1", field: value}

    assert problem(CreateRunRequest, given) == text(field, expected, shown)


@pytest.mark.parametrize(("tag", "shown"), [(None, "null"), (True, "a boolean"), ({}, "an object")])
def test_a_tag_is_a_string(tag, shown):
    given = {"model": "m", "tools": [{"type": tag}]}

    assert problem(CreateAssistantRequest, given) == text("tools[0].type", "a string", shown)


@pytest.mark.parametrize(
    ("model", "value", "path"),
    [
        (CreateAssistantRequest, {"model": "m", "tools": [{}]}, "tools[0].type"),
        (CreateMessageRequest, {"role": "user", "content": [{"type": "text"}]}, "content[0].text"),
        (CreateMessageRequest, {"role": "user", "content": [{"text": "x"}]}, "content[0].type"),
        (CreateRunRequest, {"assistant_id": "a", "tool_choice": {}}, "tool_choice.type"),
        (
            CreateRunRequest,
            {"assistant_id": "a", "tool_choice": {"type": "function", "function": {}}},
            "tool_choice.function.name",
        ),
        (
            CreateRunRequest,
            {"assistant_id": "a", "response_format": {"type": "json_schema", "json_schema": {}}},
            "response_format.json_schema.name",
        ),
        (
            CreateRunRequest,
            {"assistant_id": "a", "additional_messages": [{"role": "user"}]},
            "additional_messages[0].content",
        ),
    ],
)
def test_what_is_missing_is_named_without_the_unions_noise(model, value, path):
    expected = f"Missing required parameter: '{path}'.", path, "missing_required_parameter"

    assert problem(model, value) == expected


def test_one_two_and_three_choices_are_listed_as_people_do():
    one = problem(CreateRunRequest, {"assistant_id": "a", "response_format": "json"})
    two = problem(CreateMessageRequest, {"role": "system", "content": "x"})
    three = problem(CreateRunRequest, {"assistant_id": "a", "tool_choice": "any"})

    assert one[0] == "Invalid value: 'json'. Supported values are: 'auto'."
    assert two[0] == "Invalid value: 'system'. Supported values are: 'user' and 'assistant'."
    assert three[0] == "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'."
    assert [each[2] for each in (one, two, three)] == ["invalid_value"] * 3


def test_an_empty_array_is_called_empty():
    message, path, code = problem(CreateMessageRequest, {"role": "user", "content": []})

    assert message == (
        "Invalid 'content': empty array. Expected an array with minimum length 1, but got an empty array instead."
    )
    assert (path, code) == ("content", "empty_array")


def test_an_empty_string_is_called_empty():
    message, path, code = problem(CreateAssistantRequest, {"model": ""})

    assert message.startswith("Invalid 'model': empty string. Expected a string with minimum length 1")
    assert (path, code) == ("model", "empty_string")


def test_metadata_has_a_number_of_pairs_and_its_keys_a_length():
    many = problem(CreateAssistantRequest, {"model": "m", "metadata": {f"k{n}": "v" for n in range(17)}})
    long = problem(CreateAssistantRequest, {"model": "m", "metadata": {"k" * 65: "v"}})

    assert many == (
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties,"
        " but got an object with 17 properties instead.",
        "metadata",
        "object_above_max_properties",
    )
    assert long == (
        f"Invalid property name in 'metadata': '{'k' * 65}' is too long."
        " Expected a string with maximum length 64, but got a string with length 65 instead.",
        f"metadata.{'k' * 65}",
        "property_name_above_max_length",
    )


@pytest.mark.parametrize(
    ("model", "value", "path", "prefix"),
    [
        (
            CreateMessageRequest,
            {"attachments": [{"file_id": "X", "tools": []}]},
            "attachments[0].file_id",
            "file",
        ),
        (
            CreateMessageRequest,
            {"content": [{"type": "image_file", "image_file": {"file_id": "X"}}]},
            "content[0].image_file.file_id",
            "file",
        ),
        (
            CreateThreadRequest,
            {"tool_resources": {"code_interpreter": {"file_ids": ["file-1", "X"]}}},
            "tool_resources.code_interpreter.file_ids[1]",
            "file",
        ),
        (
            CreateThreadRequest,
            {"tool_resources": {"file_search": {"vector_store_ids": ["X"]}}},
            "tool_resources.file_search.vector_store_ids[0]",
            "vs",
        ),
        (CreateVectorStoreRequest, {"file_ids": ["X"]}, "file_ids[0]", "file"),
        (CreateVectorStoreFileRequest, {"file_id": "X"}, "file_id", "file"),
        (CreateVectorStoreFileBatchRequest, {"file_ids": ["X"]}, "file_ids[0]", "file"),
    ],
)
def test_an_id_of_another_kind_is_told_at_once(model, value, path, prefix):
    given = {"role": "user", "content": "x"} | value if model is CreateMessageRequest else value

    message = f"Invalid '{path}': 'X'. Expected an ID that begins with '{prefix}'."
    assert problem(model, given) == (message, path, "invalid_value")


def test_a_function_name_has_a_pattern():
    tool = {"type": "function", "function": {"name": "get weather"}}

    message, path, code = problem(CreateAssistantRequest, {"model": "m", "tools": [tool]})

    assert "'^[a-zA-Z0-9_-]+$'" in message
    assert (path, code) == ("tools[0].function.name", "invalid_value")


def test_only_given_fields_change_and_null_clears():
    changes = ModifyAssistantRequest.model_validate({"name": None, "tools": [], "metadata": None}).changes()

    assert changes == {"name": None, "tools": (), "metadata": {}}


def test_file_search_shows_its_default_ranking():
    tools = [{"type": "file_search"}]

    new = CreateAssistantRequest.model_validate({"model": "m", "tools": tools}).to_new_assistant()

    ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
    assert new.tools == ({"type": "file_search", "file_search": {"ranking_options": ranking}},)


def test_one_call_has_one_output():
    outputs = [{"tool_call_id": "call_1", "output": "1"}, {"tool_call_id": "call_1", "output": "2"}]

    body = SubmitToolOutputsRunRequest.model_validate({"tool_outputs": outputs})

    with pytest.raises(InvalidRequest, match=r"tool_outputs\[1\]\.tool_call_id"):
        body.outputs()
