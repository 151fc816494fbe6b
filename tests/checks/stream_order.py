"""The event-order checker: what every stream that a test reads must obey (BEHAVIOUR.md §9 and §10)."""

from collections.abc import Iterable
from typing import Any

Event = tuple[str, Any]

RUN_ENDS = {"requires_action", "completed", "incomplete", "failed", "cancelled", "expired"}
RUN_MOVES = RUN_ENDS | {"created", "queued", "in_progress", "cancelling"}
STEP_ENDS = {"completed", "failed", "cancelled", "expired"}
MESSAGE_ENDS = {"completed", "incomplete"}
AFTER: dict[str | None, set[str]] = {
    None: {"created"},
    "created": {"queued"},
    "queued": {"in_progress", "cancelling", "cancelled", "failed", "expired"},
    "in_progress": {
        "requires_action",
        "completed",
        "incomplete",
        "failed",
        "cancelling",
        "cancelled",
        "expired",
    },
    "requires_action": {"queued", "cancelling", "cancelled", "failed", "expired"},
    "cancelling": {"cancelled", "completed", "incomplete", "failed", "expired"},
}


class BadStream(AssertionError):
    """The stream breaks a rule that an official SDK relies on."""


class StreamChecker:
    """Takes events one by one; `finish` says whether the stream may end there."""

    def __init__(self, *, continues: bool = False) -> None:
        """`continues`: the stream begins in the middle of a run, as after outputs were submitted."""
        self._continues = continues
        self._has_run = False
        self._run_id: str | None = None
        self._move: str | None = "requires_action" if continues else None
        self._ended: str | None = None
        self._step: dict[str, Any] | None = None
        self._step_began = False
        self._step_had_delta = False
        self._message: dict[str, Any] | None = None
        self._message_began = False
        self._message_parts: set[int] = set()
        self._text = ""
        self._calls: dict[int, dict[str, Any]] = {}
        self._annotations: dict[int, int] = {}
        self._seen: set[str] = set()
        self._count = 0

    def see(self, name: str, data: Any) -> None:
        """The next event."""
        self._count += 1
        if name == "error":
            self._must(self._ended is None, f"error after the run's last event {self._ended}")
            self._error(data)
            return
        if self._ended is not None and not (self._continues and self._ended == "requires_action"):
            self._fail(f"{name} after the run's last event {self._ended}")
        if name == "thread.created":
            self._must(self._count == 1, "thread.created comes first")
        elif name.startswith("thread.run.step."):
            self._see_step(name.removeprefix("thread.run.step."), data)
        elif name.startswith("thread.run."):
            self._see_run(name.removeprefix("thread.run."), data)
        elif name.startswith("thread.message."):
            self._see_message(name.removeprefix("thread.message."), data)
        else:
            self._fail(f"unknown event {name}")

    def finish(self) -> None:
        """The stream ended here."""
        self._must(self._ended is not None, "a stream ends with a final run event")

    def _error(self, data: Any) -> None:
        self._must(
            isinstance(data, dict) and set(data) == {"error"}, "an error's data is nested under 'error'"
        )
        self._must({"message", "type", "param", "code"} <= set(data["error"]), "an error has its four keys")
        self._ended = "error"

    def _see_run(self, move: str, run: dict[str, Any]) -> None:
        self._must(move in RUN_MOVES, f"unknown run event {move}")
        if move == "created":
            self._must(not self._has_run, "a run is created once")
            self._must(run["status"] == "queued", "a created run is queued")
        else:
            self._must(run["status"] == move, f"run event {move} shows status {run['status']}")
            self._must(self._has_run or self._continues, f"run.{move} before run.created")
        self._must(move in AFTER.get(self._move, set()), f"run.{move} after run.{self._move}")
        self._same_run(run["id"])
        self._has_run, self._move = True, move
        self._ended = None
        if move in RUN_ENDS:
            self._ended = move
            self._must(self._message is None, f"run.{move} while a message is open")
            if move == "requires_action":
                self._must(self._step is not None, "requires_action has an open tool step")
                calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
                shown = [
                    (c.get("id"), c["function"]["name"], c["function"]["arguments"]) for c in self._ordered()
                ]
                wanted = [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls]
                self._must(shown == wanted, f"deltas showed {shown}, the run requires {wanted}")
                self._step = None
            else:
                self._must(self._step is None, f"run.{move} while a step is open")

    def _see_step(self, move: str, data: dict[str, Any]) -> None:
        if move == "created":
            self._must(self._step is None, "a second step began before the first ended")
            self._must(
                self._move in ("in_progress", "cancelling"), "a step began while the run was not in progress"
            )
            self._same_run(data["run_id"])
            self._fresh(data["id"])
            self._must(data["status"] == "in_progress", "a created step is in progress")
            if data["type"] == "tool_calls":
                self._must(data["step_details"]["tool_calls"] == [], "a created step shows no calls yet")
            self._step, self._step_began, self._step_had_delta = data, False, False
            self._calls = {}
        elif move == "delta":
            self._must(self._step is not None, "a step delta before step.created")
            assert self._step is not None
            self._must(data["id"] == self._step["id"], "a step delta names another step")
            self._must("id" not in data["delta"], "a step delta's body holds no id")
            self._must(self._step_began, "a step delta before step.in_progress")
            self._step_had_delta = True
            for call in data["delta"]["step_details"].get("tool_calls", []):
                self._see_call(call)
        elif move == "in_progress":
            self._must(self._step is not None and data["id"] == self._step["id"], "an unknown step moved")
            self._must(not self._step_had_delta, "step.in_progress after its first delta")
            self._must(data == self._step, "step.created and step.in_progress differ")
            self._step_began = True
        else:
            self._must(move in STEP_ENDS, f"unknown step event {move}")
            self._must(data["status"] == move, f"step event {move} shows status {data['status']}")
            if self._step is None:
                self._must(self._continues and not self._has_run, "an unknown step ended")
                return
            self._must(data["id"] == self._step["id"], "another step ended than is open")
            self._must(self._step_began, "a step ended before step.in_progress")
            self._must(self._message is None, "a step ended while its message is open")
            self._step = None

    def _see_call(self, call: dict[str, Any]) -> None:
        index = call.get("index")
        self._must(isinstance(index, int), "every call of a delta has an integer index")
        if index not in self._calls:
            self._must(index == len(self._calls), "indices begin at 0 and have no gaps")
            self._must("id" in call, "a call's first delta has its id")
            self._calls[index] = {"id": call["id"], "function": {"name": "", "arguments": ""}}
        else:
            self._must("id" not in call, "a call's id is sent once: SDKs concatenate")
        known, piece = self._calls[index]["function"], call.get("function", {})
        self._must(not (known["name"] and piece.get("name")), "a call's name is sent once: SDKs concatenate")
        known["name"] += piece.get("name") or ""
        known["arguments"] += piece.get("arguments") or ""
        for output in call.get("code_interpreter", {}).get("outputs") or []:
            self._must(isinstance(output.get("index"), int), "every output of a delta has an index")

    def _see_message(self, move: str, data: dict[str, Any]) -> None:
        if move == "created":
            self._must(self._message is None, "a second message began before the first ended")
            self._must(self._step is not None, "a message is written in a step")
            assert self._step is not None
            self._must(
                self._step["step_details"].get("message_creation", {}).get("message_id") == data["id"],
                "the open step writes another message",
            )
            self._fresh(data["id"])
            self._must(data["content"] == [], "a created message is empty")
            self._must(data["status"] == "in_progress", "a created message is in progress")
            self._same_run(data["run_id"])
            self._message, self._message_began = data, False
            self._text, self._message_parts, self._annotations = "", set(), {}
            return
        self._must(self._message is not None, f"message.{move} before message.created")
        assert self._message is not None
        self._must(data["id"] == self._message["id"], "another message than the open one")
        if move == "in_progress":
            self._must(not self._message_began, "message.in_progress came twice")
            self._must(data == self._message, "message.created and message.in_progress differ")
            self._message_began = True
            return
        self._must(self._message_began, f"message.{move} before message.in_progress")
        if move == "delta":
            for part in data["delta"]["content"]:
                self._see_part(part)
        else:
            self._must(move in MESSAGE_ENDS, f"unknown message event {move}")
            self._must(data["status"] == move, f"message event {move} shows status {data['status']}")
            if move == "completed":
                self._must(len(data["content"]) > 0, "a completed message has content")
                last = len(data["content"]) - 1
                self._must(last in self._message_parts, "a completed message had a delta for its last part")
            text = "".join(part["text"]["value"] for part in data["content"] if part["type"] == "text")
            self._must(text == self._text, "the deltas and the final message differ")
            self._message = None

    def _see_part(self, part: dict[str, Any]) -> None:
        index = part.get("index")
        self._must(isinstance(index, int), "every part of a delta has an integer index")
        assert isinstance(index, int)
        self._must(index <= len(self._message_parts), "part indices have no gaps")
        if part["type"] == "text":
            text = part["text"]
            if index in self._message_parts and "annotations" in text:
                self._must(bool(text["annotations"]), "annotations: [] comes with the first piece only")
            self._text += text.get("value") or ""
            for annotation in text.get("annotations", []):
                place = annotation.get("index")
                self._must(isinstance(place, int), "every annotation of a delta has an index")
                self._must(place == self._annotations.get(index, 0), "annotation indices have no gaps")
                self._annotations[index] = place + 1
        self._message_parts.add(index)

    def _ordered(self) -> list[dict[str, Any]]:
        return [self._calls[index] for index in sorted(self._calls)]

    def _same_run(self, id: str) -> None:
        self._run_id = self._run_id or id
        self._must(id == self._run_id, f"an event of run {id} in the stream of {self._run_id}")

    def _fresh(self, id: str) -> None:
        self._must(id not in self._seen, f"id {id} is used twice")
        self._seen.add(id)

    def _must(self, holds: bool, rule: str) -> None:
        if not holds:
            self._fail(rule)

    def _fail(self, rule: str) -> None:
        raise BadStream(f"event {self._count}: {rule}")


def check_stream(events: Iterable[Event], *, continues: bool = False) -> list[Event]:
    """The events, if together they are a stream that every official SDK reads right."""
    checker, seen = StreamChecker(continues=continues), []
    for name, data in events:
        checker.see(name, data)
        seen.append((name, data))
    checker.finish()
    return seen


def parse_stream(raw: bytes) -> list[Event]:
    """The events of a whole stream's bytes; asserts its framing and its last frame."""
    import json

    frames = [frame for frame in raw.decode("utf-8").split("\n\n") if frame]
    events: list[Event] = []
    assert frames, "an empty stream"
    for frame in frames:
        lines = [line for line in frame.split("\n") if not line.startswith(":")]
        if not lines:
            continue
        fields = dict(line.split(": ", 1) for line in lines)
        assert lines[0].startswith("event: "), frame
        assert lines[1].startswith("data: "), frame
        events.append(
            (fields["event"], fields["data"] if fields["event"] == "done" else json.loads(fields["data"]))
        )
    assert events[-1] == ("done", "[DONE]"), events[-1]
    return events[:-1]
