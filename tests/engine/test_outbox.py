"""What steps did is sent at once where few turns speak, and in fewer messages where many do; nothing is lost."""

from typing import Any

from assistants_api.domain.prompt import CallPiece, Part, Started, Stop, Text, Thought, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.engine.messages import Delta, Refused
from assistants_api.engine.outbox import Outbox

END = Stop("stop", Usage(1, 2))


class Line:
    """An outbox with a clock that stands, and what it sent."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[tuple[Any, ...]] = []
        self.box = Outbox(lambda deltas: self.sent.append(deltas.deltas), lambda: self.now)

    def begun(self, turns: int) -> "Line":
        """So many turns have said their first token."""
        for turn in range(turns):
            self.box.put([Delta(turn, (), (Started(1),))])
            self.box.put([said(turn, "a")])
        self.box.flush()
        self.sent.clear()
        return self


def said(turn: int, text: str, *more: Part) -> Delta:
    return Delta(turn, (ord(text),), (Text(text), *more))


def test_of_one_turn_every_step_is_told_at_once() -> None:
    line = Line().begun(1)

    for text in "xyz":
        line.box.put([said(0, text)])

    assert line.sent == [(said(0, text),) for text in "xyz"]


def test_of_many_turns_quick_steps_are_told_together() -> None:
    line = Line().begun(16)

    for text in "xyz":
        line.box.put([said(turn, text) for turn in range(16)])
        line.now += 0.005
    assert line.sent == []
    line.now += 0.005
    line.box.put([said(turn, "!") for turn in range(16)])

    [deltas] = line.sent
    assert deltas == tuple(
        Delta(turn, tuple(map(ord, "xyz!")), (Text("xyz!", tokens=4),)) for turn in range(16)
    )


def test_slow_steps_are_told_one_by_one() -> None:
    line = Line().begun(16)

    for text in "xyz":
        line.now += 0.03
        line.box.put([said(turn, text) for turn in range(16)])

    assert [len(deltas) for deltas in line.sent] == [16, 16, 16]


def test_however_many_turns_there_are_they_are_told_of_twenty_times_a_second() -> None:
    line = Line().begun(1000)
    line.box.put([said(turn, "x") for turn in range(1000)])
    assert line.sent == []

    line.now += 0.06
    line.box.put([said(turn, "y") for turn in range(1000)])

    assert len(line.sent) == 1


def test_a_turns_first_token_and_its_end_are_told_at_once_and_keep_nobody_elses_company() -> None:
    line = Line().begun(16)
    line.box.put([said(turn, "x") for turn in range(16)])

    line.box.put([Delta(99, (), (Started(3),))])
    line.box.put([said(99, "H"), said(3, "!", END)])
    line.box.put([Refused(4, "broken", "server_error")])

    assert line.sent == [
        (Delta(99, (), (Started(3),)),),
        (said(99, "H"), Delta(3, (ord("x"), ord("!")), (Text("x!", tokens=2), END))),
        (said(4, "x"), Refused(4, "broken", "server_error")),
    ]


def test_only_what_is_more_of_the_same_becomes_one_part() -> None:
    line = Line().begun(16)
    call = ToolCall("call_1", "look", "{}")
    parts = [
        (Thought("a"),),
        (Thought("b"), Text("c", 1, ({"token": "c"},))),
        (Text("d", 1, ({"token": "d"},)), CallPiece("call_1", "look", "{")),
        (CallPiece("call_1", "look", "}"), CallPiece("call_2", "look", "{")),
    ]
    for some in parts:
        line.box.put([*(said(turn, "x") for turn in range(2, 16)), Delta(1, (1,), some)])

    line.box.put([Delta(1, (2,), (call, END))])

    whole = (
        Thought("ab", tokens=2),
        Text("cd", 2, ({"token": "c"}, {"token": "d"})),
        CallPiece("call_1", "look", "{}"),
        CallPiece("call_2", "look", "{"),
        call,
        END,
    )
    assert line.sent == [(Delta(1, (1, 1, 1, 1, 2), whole),)]


def test_what_is_held_back_is_sent_when_the_next_step_may_be_long() -> None:
    line = Line().begun(16)
    line.box.put([said(turn, "x") for turn in range(16)])

    line.box.forget(5)
    line.box.flush()
    line.box.flush()

    [deltas] = line.sent
    assert [delta.turn for delta in deltas] == [turn for turn in range(16) if turn != 5]
