"""What a step keeps of calls that ended before they were whole, or before their code was."""

from assistants_api.domain.event import ToolCallDelta, ToolCallStarted, ToolOutputAdded
from assistants_api.services.begun_calls import calls_shown

CODE = {"input": "print(4)", "outputs": []}


def logs(text):
    return {"type": "logs", "logs": text}


def test_calls_that_were_being_written_are_kept_as_far_as_they_were_shown():
    events = [
        ToolCallStarted("step_0", 0, "call_0", "f"),
        ToolCallDelta("step_0", 0, "of another step"),
        ToolCallStarted("step_1", 0, "call_1", "code_interpreter", "code_interpreter"),
        ToolCallDelta("step_1", 0, "pri", "code_interpreter"),
        ToolCallDelta("step_1", 0, "nt(", "code_interpreter"),
        ToolCallStarted("step_1", 1, "call_2", "file_search", "file_search"),
        ToolCallStarted("step_1", 2, "call_3", "f"),
        ToolCallDelta("step_1", 2, '{"a'),
    ]

    assert calls_shown("step_1", [], events) == [
        {
            "id": "call_1",
            "type": "code_interpreter",
            "code_interpreter": {"input": "print(", "outputs": []},
        },
        {"id": "call_2", "type": "file_search", "file_search": {}},
        {"id": "call_3", "type": "function", "function": {"name": "f", "arguments": '{"a', "output": None}},
    ]


def test_code_that_had_not_ended_keeps_what_it_had_shown():
    answered = {"id": "call_1", "type": "code_interpreter", "code_interpreter": CODE, "output": "4"}
    running = {"id": "call_2", "type": "code_interpreter", "code_interpreter": CODE}
    events = [
        ToolOutputAdded("step_1", 0, 0, logs("4\n")),
        ToolOutputAdded("step_1", 1, 0, logs("a\n")),
        ToolOutputAdded("step_1", 1, 0, logs("b\n")),
        ToolOutputAdded("step_0", 1, 0, logs("of another step")),
    ]

    assert calls_shown("step_1", [answered, running], events) == [
        answered,
        {**running, "code_interpreter": {**CODE, "outputs": [logs("a\nb\n")]}},
    ]
