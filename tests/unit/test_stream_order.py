"""The event-order checker is itself checked: every good stream passes, every bad one is refused."""

import pytest

from tests.checks.schema import check_event, protocol_file
from tests.checks.stream_order import BadStream, check_stream

VALID = (
    "message_run",
    "thread_create_and_run",
    "function_run_until_requires_action",
    "submit_tool_outputs",
    "code_interpreter_run",
    "file_search_run",
    "incomplete_run",
    "failed_run",
    "cancelled_run",
    "expired_run",
)
INVALID = (
    "step_delta_before_step_created",
    "message_delta_before_message_created",
    "tool_call_id_and_name_repeated_in_later_delta",
    "step_created_already_holds_the_call",
    "step_in_progress_after_first_delta",
    "no_terminal_run_event",
    "second_step_opened_before_first_ended",
    "second_message_without_deltas",
    "annotation_delta_without_index",
    "error_event_with_flat_payload",
)


def pairs(events):
    return [(event["event"], event["data"]) for event in events if event["event"] != "done"]


def test_every_case_of_the_file_is_named_here():
    cases = protocol_file("stream_cases.json")

    assert (set(cases["valid"]), set(cases["invalid"])) == (set(VALID), set(INVALID))


@pytest.mark.parametrize("name", VALID)
def test_good_streams_pass(name):
    events = pairs(protocol_file("stream_cases.json")["valid"][name])

    check_stream(events, continues=name == "submit_tool_outputs")
    for event, data in events:
        check_event(event, data)


@pytest.mark.parametrize("name", INVALID)
def test_bad_streams_are_refused(name):
    events = pairs(protocol_file("stream_cases.json")["invalid"][name]["events"])

    with pytest.raises(BadStream):
        check_stream(events)


def test_a_nested_error_may_end_a_stream():
    check_stream(pairs(protocol_file("stream_cases.json")["error_event"]))


def _without(events, name):
    return [event for event in events if event[0] != name]


def _moved(events, name, before):
    """The first event of this name, moved to stand right before the last of another."""
    events = list(events)
    event = events.pop(next(place for place, (each, _) in enumerate(events) if each == name))
    last = max(place for place, (each, _) in enumerate(events) if each == before)
    events.insert(last, event)
    return events


ERROR = ("error", {"error": {"message": "x", "type": "server_error", "param": None, "code": None}})
MUTATIONS = {
    "no run.queued": lambda e: _without(e, "thread.run.queued"),
    "no run.in_progress": lambda e: _without(e, "thread.run.in_progress"),
    "no step.in_progress": lambda e: _without(e, "thread.run.step.in_progress"),
    "no message.in_progress": lambda e: _without(e, "thread.message.in_progress"),
    "run.queued after run.in_progress": lambda e: [e[0], e[2], e[1], *e[3:]],
    "run.in_progress twice": lambda e: [*e[:3], *e[2:]],
    "message.in_progress after a delta": lambda e: _moved(
        e, "thread.message.in_progress", "thread.message.delta"
    ),
    "a step before run.in_progress": lambda e: _moved(e, "thread.run.in_progress", "thread.message.created"),
    "an error after the end": lambda e: [*e, ERROR],
    "another run's id at the end": lambda e: [*e[:-1], (e[-1][0], {**e[-1][1], "id": "run_other"})],
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_good_stream_that_is_mutated_is_refused(name):
    good = pairs(protocol_file("stream_cases.json")["valid"]["message_run"])

    with pytest.raises(BadStream):
        check_stream(MUTATIONS[name](good))
