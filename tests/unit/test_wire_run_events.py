"""The projection of the log to stream events: names, first and later deltas, framing."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from assistants_api.domain.assistant import Assistant, NewAssistant
from assistants_api.domain.event import (
    LogEntry,
    MessageDelta,
    MessageMoved,
    RunMoved,
    StepMoved,
    ThreadCreated,
    ToolCallDelta,
    ToolCallStarted,
)
from assistants_api.domain.message import Message, MessageStatus, Shown
from assistants_api.domain.run import NewRun, Run
from assistants_api.domain.step import RunStep, StepStatus
from assistants_api.domain.thread import Thread
from assistants_api.domain.usage import Usage
from assistants_api.wire.run_events import DONE, error_frame, event_of, frame

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = 1767225600


def a_message(**given) -> Message:
    given = {"status": MessageStatus.IN_PROGRESS, "assistant_id": "asst_1", "run_id": "run_1", **given}
    return Message("msg_1", NOW, "thread_1", "assistant", (), **given)


def a_step(**given) -> RunStep:
    details = {"type": "tool_calls", "tool_calls": []}
    return RunStep("step_1", NOW, "run_1", "asst_1", "thread_1", "tool_calls", details, **given)


def data_of(event):
    return json.loads(event_of(event)[1])


def test_a_step_opens_with_two_equal_events_and_ends_with_its_usage():
    created = event_of(StepMoved(a_step(), created=True))
    opened = event_of(StepMoved(a_step()))
    ended = a_step(usage=Usage(5, 2)).to(StepStatus.COMPLETED, NOW)

    assert created[0] == "thread.run.step.created"
    assert opened[0] == "thread.run.step.in_progress"
    assert created[1] == opened[1]
    assert json.loads(opened[1])["step_details"] == {"type": "tool_calls", "tool_calls": []}
    assert event_of(StepMoved(ended))[0] == "thread.run.step.completed"
    assert data_of(StepMoved(ended))["completed_at"] == EPOCH
    assert data_of(StepMoved(ended))["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
    }


def test_a_message_opens_empty_and_ends_whole():
    created = event_of(MessageMoved(a_message(), created=True))
    opened = event_of(MessageMoved(a_message()))
    cut = MessageMoved(a_message().cut(Shown("Hal"), "max_tokens", NOW))

    assert (created[0], opened[0]) == ("thread.message.created", "thread.message.in_progress")
    assert created[1] == opened[1]
    assert json.loads(opened[1])["content"] == []
    assert event_of(cut)[0] == "thread.message.incomplete"
    assert data_of(cut)["incomplete_details"] == {"reason": "max_tokens"}
    assert data_of(cut)["content"] == [{"type": "text", "text": {"value": "Hal", "annotations": []}}]


def test_only_the_first_text_delta_carries_annotations():
    first = data_of(MessageDelta("msg_1", "Hel", is_first=True))
    later = data_of(MessageDelta("msg_1", "lo"))

    assert first == {
        "id": "msg_1",
        "object": "thread.message.delta",
        "delta": {"content": [{"index": 0, "type": "text", "text": {"value": "Hel", "annotations": []}}]},
    }
    assert later["delta"]["content"] == [{"index": 0, "type": "text", "text": {"value": "lo"}}]


def test_a_call_is_named_once_and_then_only_grows():
    first = data_of(ToolCallStarted("step_1", 1, "call_1", "weather"))
    later = data_of(ToolCallDelta("step_1", 1, '{"city"'))

    function = {"name": "weather", "arguments": "", "output": None}
    assert first == {
        "id": "step_1",
        "object": "thread.run.step.delta",
        "delta": {
            "step_details": {
                "type": "tool_calls",
                "tool_calls": [{"index": 1, "id": "call_1", "type": "function", "function": function}],
            }
        },
    }
    assert later["delta"]["step_details"]["tool_calls"] == [
        {"index": 1, "type": "function", "function": {"arguments": '{"city"'}}
    ]


def test_a_frame_ends_with_its_id_and_the_last_frame_has_none():
    thread = Thread("thread_1", NOW, {}, {})

    lines = frame(LogEntry(7, ThreadCreated(thread))).split(b"\n")

    assert lines[0] == b"event: thread.created"
    assert json.loads(lines[1].removeprefix(b"data: "))["created_at"] == EPOCH
    assert lines[2:] == [b"id: 7", b"", b""]
    assert DONE == b"event: done\ndata: [DONE]\n\n"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_no_text_can_end_a_line_by_any_readers_rules(end):
    text = f"何{end}か"

    lines = frame(LogEntry(1, MessageDelta("msg_1", text))).decode().splitlines()

    assert len(lines) == 4
    assert json.loads(lines[1].removeprefix("data: "))["delta"]["content"][0]["text"]["value"] == text
    assert "何" in lines[1]


def test_an_error_event_is_nested():
    assert error_frame({"message": "é"}).decode() == 'event: error\ndata: {"error":{"message":"é"}}\n\n'


def test_a_run_is_announced_before_it_is_queued():
    new = NewAssistant("m")
    assistant = Assistant("asst_1", NOW, **asdict(new))
    thread = Thread("thread_1", NOW, {}, {})
    run = Run.start("run_1", thread, assistant, NewRun("asst_1"), "m", timedelta(seconds=600), NOW)

    created, queued = event_of(RunMoved(run, created=True)), event_of(RunMoved(run))

    assert (created[0], queued[0]) == ("thread.run.created", "thread.run.queued")
    assert created[1] == queued[1]
    assert json.loads(queued[1])["status"] == "queued"
    assert json.loads(queued[1])["expires_at"] == EPOCH + 600


@pytest.mark.parametrize(
    "ended", [lambda m, shown: m.complete(shown, NOW), lambda m, shown: m.cut(shown, "run_cancelled", NOW)]
)
def test_files_that_code_made_and_the_text_links_to_are_attached(ended):
    """Apps look for made files in `attachments`, where the service put them too."""
    cited = {"type": "file_citation", "text": "【0:0†source】", "file_citation": {"file_id": "file-3"}}
    links = [
        {"type": "file_path", "text": f"sandbox:/mnt/data/{name}", "file_path": {"file_id": file_id}}
        for name, file_id in (("b.csv", "file-2"), ("a.csv", "file-1"), ("b.csv", "file-2"))
    ]
    shown = Shown("…", tuple({"index": n, **each} for n, each in enumerate([cited, *links])))

    attachments = data_of(MessageMoved(ended(a_message(), shown)))["attachments"]

    code = [{"type": "code_interpreter"}]
    assert attachments == [{"file_id": id, "tools": code} for id in ("file-2", "file-1")]
