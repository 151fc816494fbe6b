"""The remote engine against a server on a socket that plays what real servers send."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.prompt import (
    CallPiece,
    ChatMessage,
    Sampling,
    Started,
    Stop,
    Text,
    Thought,
    ToolCall,
)
from assistants_api.domain.usage import Usage
from assistants_api.engine import remote
from assistants_api.engine.remote import RemoteEngine
from tests.engine.conftest import until
from tests.engine.upstreams import (
    HELLO,
    TOOL,
    Answer,
    Upstream,
    asking,
    asks,
    delta,
    drops,
    end,
    engine_of,
    hangs_up,
    parts_of,
    replies,
    sends,
    serving,
    streams,
    usage,
)


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
async def test_text_is_passed_on_as_it_comes_with_the_servers_usage(path: str) -> None:
    async with asking(HELLO, path=path) as (engine, upstream):
        parts = await parts_of(engine, asks())

    assert isinstance(parts[0], Started)
    assert parts[1:] == [Text("Hel", 1), Text("lo", 1), Stop("stop", Usage(5, 2))]
    assert upstream.paths == ["/v1/chat/completions"]
    assert upstream.keys == ["Bearer sk-up"]


async def test_everything_that_was_asked_for_is_passed_on() -> None:
    call = ToolCall("call_9", "get_weather", '{"city": "Oslo"}')
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    prompt = asks(
        messages=(
            ChatMessage("system", "Be brief."),
            ChatMessage("user", ({"type": "text", "text": "Weather?"},)),
            ChatMessage("assistant", "", tool_calls=(call,)),
            ChatMessage("tool", "rain", tool_call_id="call_9"),
        ),
        tools=(TOOL,),
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        parallel_tool_calls=False,
        response_format=form,
        sampling=Sampling(0.5, 0.9, 7, ("END",), 20),
        reasoning_effort="low",
    )
    async with asking(HELLO) as (engine, upstream):
        await parts_of(engine, prompt)

    assert upstream.bodies == [
        {
            "model": "big",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_9",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                        }
                    ],
                },
                {"role": "tool", "content": "rain", "tool_call_id": "call_9"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 20,
            "seed": 7,
            "stop": ["END"],
            "reasoning_effort": "low",
            "response_format": form,
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
            "parallel_tool_calls": False,
        }
    ]


async def test_calls_in_pieces_are_put_together_by_index() -> None:
    def piece(index: int, **function: str) -> dict[str, Any]:
        return {"index": index, "function": function}

    answer = streams(
        delta(
            tool_calls=[{**piece(0, name="get_weather", arguments=""), "id": "call_a", "type": "function"}]
        ),
        delta(tool_calls=[piece(0, arguments='{"city":')]),
        delta(tool_calls=[{**piece(1, name="add", arguments=""), "id": "call_b", "type": "function"}]),
        delta(tool_calls=[piece(1, arguments='{"a"'), piece(0, arguments=' "Paris"}')]),
        delta(tool_calls=[piece(1, arguments=": 1}")]),
        end("tool_calls"),
        usage(9, 30),
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    pieces = [part for part in parts if isinstance(part, CallPiece)]
    assert [(piece.id, piece.arguments) for piece in pieces] == [
        ("call_a", '{"city":'),
        ("call_a", ' "Paris"}'),
        ("call_b", '{"a"'),
        ("call_b", ": 1}"),
    ]
    assert [part for part in parts[1:] if part not in pieces] == [
        ToolCall("call_a", "get_weather", '{"city": "Paris"}'),
        ToolCall("call_b", "add", '{"a": 1}'),
        Stop("tool_calls", Usage(9, 30)),
    ]


async def test_without_usage_the_tokens_are_estimated() -> None:
    async with asking(streams(delta(content="a" * 40), end("length"))) as (engine, _):
        parts = await parts_of(engine, asks())

        assert parts[-1] == Stop("length", Usage(await engine.count(asks()), 10))
        assert "estimated" in engine.describe().details["count"]


async def test_a_server_that_does_not_stream_is_read_whole() -> None:
    whole = {
        "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    async with asking(replies(200, whole)) as (engine, _):
        parts = await parts_of(engine, asks())

    assert parts[1:] == [Text("Hello", 2), Stop("stop", Usage(3, 1))]


@pytest.mark.parametrize(
    "trouble",
    [
        hangs_up,
        replies(429, {"error": {"message": "slow down"}}, retry_after="0.01"),
        replies(503, b"<html>busy</html>", content_type="text/html"),
    ],
)
async def test_trouble_before_the_first_piece_is_tried_again(trouble: Answer) -> None:
    async with asking(trouble, trouble, HELLO) as (engine, upstream):
        parts = await parts_of(engine, asks())

    assert parts[-1] == Stop("stop", Usage(5, 2))
    assert len(upstream.bodies) == 3


@pytest.mark.parametrize(
    ("answer", "code", "words", "tries"),
    [
        (replies(429, {"error": {"message": "Rate limit reached"}}), "rate_limit_exceeded", "Rate limit", 3),
        (replies(429, {"error": {"message": "later"}}, retry_after="60"), "rate_limit_exceeded", "later", 1),
        (replies(500, {"error": {"message": "it broke"}}), "server_error", "it broke", 3),
        (replies(404, {"error": {"message": "no model big"}}), "server_error", "no model big", 1),
        (replies(401, {"error": {"message": "bad key"}}), "server_error", "refused our key: bad key", 1),
        (replies(400, {"error": "plain words"}), "invalid_prompt", "plain words", 1),
        (replies(422, {"detail": "no such field"}), "invalid_prompt", "no such field", 1),
        (replies(413, b"?"), "invalid_prompt", "answered 413", 1),
        (streams({"error": {"message": "bad schema", "code": 400}}), "invalid_prompt", "bad schema", 1),
        (
            replies(400, {"error": {"message": "no model big", "code": "model_not_found"}}),
            "server_error",
            "no model big",
            1,
        ),
        (
            replies(400, {"error": {"message": "bad key", "code": "invalid_api_key"}}),
            "server_error",
            "bad key",
            1,
        ),
        (
            replies(
                400, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, retry_after="60"
            ),
            "rate_limit_exceeded",
            "slow down",
            1,
        ),
        (replies(418, b"?"), "server_error", "answered 418", 1),
        (replies(200, b"not json"), "server_error", "not JSON", 3),
        (streams({"error": {"message": "mid stream"}}), "server_error", "mid stream", 3),
        (streams(delta(content="half"), done=False), "server_error", "in the middle", 1),
        (streams({"choices": [None]}), "server_error", "not a chat completion", 3),
        (streams({"choices": 1}), "server_error", "not a chat completion", 3),
        (streams(delta(content=[{"type": "text", "text": "y"}])), "server_error", "not a chat completion", 3),
        (
            streams(delta(tool_calls=[{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}])),
            "server_error",
            "not a chat completion",
            3,
        ),
        (streams(delta(tool_calls=[{"index": "x", "id": "c"}])), "server_error", "not a chat completion", 3),
        (replies(200, {"choices": [None]}), "server_error", "not a chat completion", 3),
        (streams(delta(content="half"), {"choices": [None]}), "server_error", "not a chat completion", 1),
        (sends(b"data: " + b"[" * 100_000 + b"\n\n"), "server_error", "not JSON", 3),
        (hangs_up, "server_error", "connection to the upstream server failed", 3),
    ],
)
async def test_failures_carry_the_servers_words(answer: Answer, code: str, words: str, tries: int) -> None:
    async with asking(*[answer] * tries) as (engine, upstream):
        with pytest.raises(EngineFailed, match=words) as caught:
            await parts_of(engine, asks())

    assert caught.value.code == code
    assert len(upstream.bodies) == tries


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 10 tokens. However, ...", "code": None},
        {"message": "too long", "code": "context_length_exceeded"},
        {"message": "the request exceeds the available context size, try increasing it", "code": 400},
        {"message": "too long", "code": 400, "type": "exceed_context_size_error"},
        {"message": "Context size has been exceeded.", "code": 400},
        {"message": "prompt is too long: 215000 tokens > 200000 maximum"},
        {"message": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens"},
        {"message": "The input (5000 tokens) is longer than the model's context length (4096 tokens)."},
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("status", [400, 500])
async def test_a_prompt_that_does_not_fit_is_told_apart(
    error: dict[str, Any], is_streamed: bool, status: int
) -> None:
    if isinstance(error.get("code"), int):
        error = {**error, "code": status}
    refusal = streams({"error": error}) if is_streamed else replies(status, {"error": error})
    async with asking(refusal) as (engine, upstream):
        with pytest.raises(ContextOverflow):
            await parts_of(engine, asks())

    assert len(upstream.bodies) == 1


async def test_nothing_is_tried_again_after_the_first_piece() -> None:
    heard: list[Any] = []

    async def listen(engine: RemoteEngine) -> None:
        async for part in engine.turn(asks()):
            heard.append(part)

    async with asking(drops(delta(content="half")), HELLO) as (engine, upstream):
        with pytest.raises(EngineFailed, match="connection to the upstream server failed"):
            await listen(engine)

    assert heard[-1] == Text("half", 1)
    assert len(upstream.bodies) == 1


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_a_line_ends_where_an_event_stream_ends_it_and_nowhere_else(line_end: bytes, size: int) -> None:
    said = "one\u2028two\u2029three\x85four\x0cfive\U0001f600"
    lines = (json.dumps(chunk, ensure_ascii=False) for chunk in (delta(content=said), end(), usage(5, 2)))
    raw = "".join(f": hi\nevent: x\ndata: {line}\n\n" for line in (*lines, "[DONE]")).encode()
    async with asking(in_pieces(raw.replace(b"\n", line_end), size)) as (engine, _):
        parts = await parts_of(engine)

    assert "".join(words_of(parts)) == said
    assert parts[-1] == Stop("stop", Usage(5, 2))


def in_pieces(raw: bytes, size: int) -> Answer:
    """An event stream whose bytes come so many at a time."""

    async def send(_: Upstream, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for first in range(0, len(raw), size):
            piece = raw[first : first + size]
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return send


WHOLE = (delta(content="Hello"), end())


@pytest.mark.parametrize(
    ("answer", "used"),
    [
        (drops(*WHOLE), None),
        (drops(*WHOLE, usage(5, 2)), Usage(5, 2)),
        (streams(*WHOLE, done=False, ends=False), None),
        (streams(*WHOLE, usage(5, 2), done=False, ends=False), Usage(5, 2)),
    ],
)
async def test_an_answer_that_is_whole_needs_no_end_of_its_stream(
    answer: Answer, used: Usage | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_USAGE_SECONDS", 0.05)
    async with asking(answer) as (engine, _):
        async with asyncio.timeout(60):
            parts = await parts_of(engine)

        used = used or Usage(await engine.count(asks()), 2)
        assert parts[1:] == [Text("Hello", 2), Stop("stop", used)]
        assert engine.describe().details["upstreams"][0]["failures"] == 0


async def test_closing_a_turn_closes_the_connection() -> None:
    async with asking(streams(delta(content="one"), done=False, ends=False)) as (engine, upstream):
        async with aclosing(engine.turn(asks())) as turn:
            assert isinstance(await anext(turn), Started)
            assert await anext(turn) == Text("one", 1)

        async with asyncio.timeout(60):
            await upstream.gone.wait()

        assert engine.describe().details["open_turns"] == 0


async def test_a_cut_answer_cannot_be_continued() -> None:
    async with asking() as (engine, _):
        assert engine.describe().can_continue is False
        with pytest.raises(EngineFailed, match="cannot continue"):
            await parts_of(engine, asks(answer_start="Hel"))


async def test_the_probe_learns_that_the_server_is_there_and_how_long_its_context_is() -> None:
    async with asking() as (engine, _):
        await engine.start()
        await until(lambda: engine.describe().state == "ready")

        assert engine.describe().context_window == 4096


async def test_a_server_that_is_away_is_named_in_the_reason() -> None:
    async with serving() as upstream:
        pass
    async with engine_of(upstream) as engine:
        await engine.start()
        await until(lambda: engine.describe().state == "failed")

        assert upstream.url in (engine.describe().reason or "")
        with pytest.raises(EngineFailed, match="connection to the upstream server failed"):
            await parts_of(engine, asks())


async def test_sampling_is_passed_on_by_the_names_that_servers_know() -> None:
    sampling = Sampling(
        top_k=40,
        min_p=0.1,
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        logit_bias=((7, -1.5),),
        top_logprobs=2,
    )
    named = (ChatMessage("user", "Hi", name="ann"),)
    async with asking(HELLO, HELLO) as (engine, upstream):
        await parts_of(engine, asks(sampling=sampling, messages=named))
        await parts_of(engine, asks())

    full, bare = upstream.bodies
    asked = {
        "top_k": 40,
        "min_p": 0.1,
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "logit_bias": {"7": -1.5},
        "logprobs": True,
        "top_logprobs": 2,
    }
    assert {name: full[name] for name in asked} == asked
    assert full["messages"] == [{"role": "user", "content": "Hi", "name": "ann"}]
    assert not set(asked) & set(bare)


async def test_log_probabilities_and_reasoning_are_passed_back() -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    spoken = {
        "choices": [
            {"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [entry]}, "finish_reason": None}
        ]
    }
    answer = streams(
        delta(reasoning_content="Let me "), delta(reasoning="think."), spoken, end(), usage(5, 4)
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(sampling=Sampling(top_logprobs=0)))

    assert parts[1:] == [
        Thought("Let me ", 2),
        Thought("think.", 2),
        Text("Hi", 1, (entry,)),
        Stop("stop", Usage(5, 4)),
    ]


def a_call(index: int, arguments: str, name: str = "add") -> dict[str, Any]:
    """A piece with a call's name and the beginning of its arguments."""
    return {"index": index, "id": f"call_{index}", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize("cut", ['{"city": "Par', "", '{"a": [1', '{"a": 1}}'])
async def test_a_call_that_the_limit_cuts_is_none(cut: str) -> None:
    answer = streams(delta(content="Well."), delta(tool_calls=[a_call(0, cut)]), end("length"), usage(9, 30))
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    pieces = [CallPiece("call_0", "add", cut)] if cut else []
    assert parts[1:] == [Text("Well.", 2), *pieces, Stop("length", Usage(9, 30))]


async def test_calls_that_were_whole_before_the_limit_are_made() -> None:
    answer = streams(
        delta(tool_calls=[a_call(0, "", "now")]),
        delta(tool_calls=[a_call(1, '{"a": 1}')]),
        delta(tool_calls=[a_call(2, '{"a": ')]),
        end("length"),
        usage(9, 30),
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    assert [part for part in parts if isinstance(part, ToolCall)] == [
        ToolCall("call_0", "now", "{}"),
        ToolCall("call_1", "add", '{"a": 1}'),
    ]


async def test_a_call_that_the_model_ends_itself_is_passed_on_whatever_it_says() -> None:
    answer = streams(delta(tool_calls=[a_call(0, '{"a": ')]), end("tool_calls"), usage(9, 30))
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    assert parts[-2:] == [ToolCall("call_0", "add", '{"a":'), Stop("tool_calls", Usage(9, 30))]


async def test_one_call_is_given_where_no_more_are_wanted() -> None:
    answer = streams(
        delta(tool_calls=[a_call(0, '{"a"')]),
        delta(tool_calls=[a_call(1, '{"b"'), {"index": 0, "function": {"arguments": ": 1}"}}]),
        delta(tool_calls=[{"index": 1, "function": {"arguments": ": 2}"}}]),
        end("tool_calls"),
        usage(9, 30),
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,), parallel_tool_calls=False))

    assert parts[1:] == [
        CallPiece("call_0", "add", '{"a"'),
        CallPiece("call_0", "add", ": 1}"),
        ToolCall("call_0", "add", '{"a": 1}'),
        Stop("tool_calls", Usage(9, 30)),
    ]


async def test_one_call_is_given_where_whole_calls_share_an_index() -> None:
    calls = [{**a_call(0, f'{{"a": {number}}}'), "id": f"call_{number}"} for number in range(3)]
    answer = streams(*(delta(tool_calls=[call]) for call in calls), end("tool_calls"))
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,), parallel_tool_calls=False))

    assert parts[1:-1] == [
        CallPiece("call_0", "add", '{"a": 0}'),
        ToolCall("call_0", "add", '{"a": 0}'),
    ]


@pytest.mark.parametrize(
    "ids",
    [(None, None, None), ("", "", ""), ("0", "0", "0"), ("call_a", None, "call_a")],
)
@pytest.mark.parametrize("index", [0, None])
async def test_whole_calls_one_after_the_other_are_calls_of_their_own(
    ids: tuple[str | None, ...], index: int | None
) -> None:
    named = zip(ids, ("get_weather", "get_weather", "add"), strict=True)
    pieces = (
        {"id": id, "index": index, "function": {"name": name, "arguments": f'{{"a": {number}}}'}}
        for number, (id, name) in enumerate(named)
    )
    async with asking(streams(*(delta(tool_calls=[one]) for one in pieces), end("stop"))) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    calls = [part for part in parts if isinstance(part, ToolCall)]
    assert [(call.name, call.arguments) for call in calls] == [
        ("get_weather", '{"a": 0}'),
        ("get_weather", '{"a": 1}'),
        ("add", '{"a": 2}'),
    ]
    assert len({call.id for call in calls}) == 3
    told = {part.id: part.arguments for part in parts if isinstance(part, CallPiece)}
    assert told == {call.id: call.arguments for call in calls if call.id in told}


async def test_calls_that_share_an_id_get_one_each() -> None:
    answer = streams(
        delta(tool_calls=[{**a_call(0, '{"a"'), "id": "0"}, {**a_call(1, '{"b"'), "id": "0"}]),
        delta(tool_calls=[{"index": 1, "id": "0", "function": {"arguments": ": 2}"}}]),
        delta(tool_calls=[{"index": 0, "id": "0", "function": {"arguments": ": 1}"}}]),
        end("tool_calls"),
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    first, second = (part for part in parts if isinstance(part, ToolCall))
    assert (first.id, first.arguments, second.arguments) == ("0", '{"a": 1}', '{"b": 2}')
    assert second.id.startswith("call_")
    told = "".join(part.arguments for part in parts if isinstance(part, CallPiece) and part.id == second.id)
    assert told == second.arguments


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('{"city": "Os', {"arguments": '{"city": "Os'}),
        ("rain, please", {"arguments": "rain, please"}),
        ("[1]", {"arguments": "[1]"}),
        ("[" * 100_000, {"arguments": "[" * 100_000}),
        ('{"note": "one\ntwo"}', {"note": "one\ntwo"}),
        ("", {}),
    ],
)
async def test_arguments_of_earlier_calls_are_shown_as_an_object_whatever_the_model_wrote(
    written: str, read: dict[str, Any]
) -> None:
    """Servers read them again, and refuse the whole prompt over what is no JSON."""
    prompt = asks(
        messages=(
            ChatMessage("user", "Weather?"),
            ChatMessage("assistant", "", tool_calls=(ToolCall("call_9", "get_weather", written),)),
            ChatMessage("tool", "These are no arguments.", tool_call_id="call_9"),
        ),
        tools=(TOOL,),
    )
    async with asking(HELLO) as (engine, upstream):
        await parts_of(engine, prompt)

    (call,) = upstream.bodies[0]["messages"][1]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == read


async def test_a_call_does_not_get_the_id_of_an_earlier_one() -> None:
    """Some servers count the calls of each answer anew."""
    earlier = ToolCall("call_0", "get_weather", '{"city": "Oslo"}')
    function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    answer = streams(
        delta(tool_calls=[{"index": 0, "id": "call_0", "function": function}]), end("tool_calls")
    )
    prompt = asks(
        messages=(
            ChatMessage("user", "Oslo?"),
            ChatMessage("assistant", "", tool_calls=(earlier,)),
            ChatMessage("tool", "rain", tool_call_id="call_0"),
        ),
        tools=(TOOL,),
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, prompt)

    (call,) = (part for part in parts if isinstance(part, ToolCall))
    assert call.id not in ("", "call_0")
    assert {part.id for part in parts if isinstance(part, CallPiece)} == {call.id}


async def test_a_name_that_is_repeated_in_every_piece_makes_no_new_call() -> None:
    answer = streams(
        *(delta(tool_calls=[a_call(0, piece)]) for piece in ('{"a"', ': {"b": 1}', "}", "", " ")),
        end("tool_calls"),
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    assert [part for part in parts if isinstance(part, ToolCall)] == [
        ToolCall("call_0", "add", '{"a": {"b": 1}}')
    ]


async def test_a_call_that_is_not_wanted_may_be_cut() -> None:
    answer = streams(
        delta(tool_calls=[a_call(0, '{"a": 1}')]),
        delta(tool_calls=[a_call(1, '{"b": ')]),
        end("length"),
        usage(9, 30),
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,), parallel_tool_calls=False))

    assert parts[-2:] == [ToolCall("call_0", "add", '{"a": 1}'), Stop("tool_calls", Usage(9, 30))]


async def test_no_other_call_stands_in_for_a_first_one_that_was_cut() -> None:
    answer = streams(delta(tool_calls=[a_call(0, '{"a": '), a_call(1, "{}")]), end("length"), usage(9, 30))
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,), parallel_tool_calls=False))

    assert parts[1:] == [CallPiece("call_0", "add", '{"a": '), Stop("length", Usage(9, 30))]


HIGH, LOW, SMILE = "\ud83d", "\ude00", "\U0001f600"


def words_of(parts: list[Any], kind: type[Text | Thought] = Text) -> list[str]:
    return [part.text for part in parts if isinstance(part, kind)]


async def test_a_character_that_comes_in_two_halves_is_one() -> None:
    def piece(arguments: str) -> dict[str, Any]:
        return delta(tool_calls=[{"index": 0, "function": {"arguments": arguments}}])

    answer = streams(
        delta(reasoning_content="Hm" + HIGH),
        delta(reasoning_content=LOW),
        delta(content="Hi " + HIGH),
        usage(1, 1),
        delta(content=""),
        delta(content=LOW + "!" + HIGH + LOW),
        delta(tool_calls=[a_call(0, '{"a": "' + HIGH)]),
        piece(LOW + HIGH),
        piece(LOW + '"}'),
        end("tool_calls"),
        usage(9, 30),
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    assert words_of(parts, Thought) == ["Hm", SMILE]
    assert words_of(parts) == ["Hi ", SMILE + "!" + SMILE]
    arguments = '{"a": "' + SMILE + SMILE + '"}'
    assert parts[-2] == ToolCall("call_0", "add", arguments)
    assert "".join(part.arguments for part in parts if isinstance(part, CallPiece)) == arguments


async def test_half_a_character_that_stays_alone_is_replaced() -> None:
    answer = streams(
        delta(reasoning_content="Hm" + HIGH),
        delta(content=LOW + "a" + HIGH),
        delta(content=HIGH + "\n"),
        delta(content="b" + HIGH),
        delta(tool_calls=[a_call(0, '{"a": "' + HIGH + '"}'), a_call(1, '"' + HIGH)]),
        end("tool_calls"),
    )
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    assert words_of(parts, Thought) == ["Hm", "\ufffd"]
    assert words_of(parts) == ["\ufffda", "\ufffd\ufffd\n", "b", "\ufffd"]
    # What was said before a call comes before it.
    assert [type(part) for part in parts[-7:]] == [Text, *[CallPiece] * 3, *[ToolCall] * 2, Stop]
    assert [part.arguments for part in parts[-3:-1]] == ['{"a": "\ufffd"}', '"\ufffd']


async def test_half_a_character_at_the_end_is_replaced() -> None:
    async with asking(streams(delta(content="Hi" + HIGH), end()), replies(200, unstreamed(HIGH))) as (
        engine,
        _,
    ):
        assert words_of(await parts_of(engine)) == ["Hi", "\ufffd"]
        assert words_of(await parts_of(engine)) == ["\ufffd"]


def unstreamed(content: str) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}


async def test_nothing_else_that_an_upstream_says_has_half_characters() -> None:
    entry = {"token": HIGH, "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": LOW, "logprob": -1.0}]}
    said = delta(content="a")
    said["choices"][0]["logprobs"] = {"content": [entry]}
    calling = delta(tool_calls=[{"index": 0, "id": LOW, "function": {"name": "f" + HIGH, "arguments": "{}"}}])
    refused = replies(400, {"error": {"message": "No " + HIGH}})
    async with asking(streams(said, calling, end("tool_calls")), refused) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,), sampling=Sampling(top_logprobs=1)))
        with pytest.raises(EngineFailed, match="No \ufffd"):
            await parts_of(engine)

    assert repr(parts).count("\ufffd") == 6
    repr(parts).encode()


@pytest.mark.parametrize("reason", [None, ""])
async def test_an_answer_without_a_reason_ends_where_its_server_says_done(reason: str | None) -> None:
    said = delta(content="Hello")
    said["choices"][0]["finish_reason"] = reason
    whole = {"choices": [{"message": {"content": "Hello"}, "finish_reason": reason}]}
    calling = delta(tool_calls=[a_call(0, '{"a": 1}')])
    answers = streams(said, usage(5, 2)), replies(200, whole), streams(calling)
    async with asking(*answers) as (engine, _):
        assert (await parts_of(engine))[1:] == [Text("Hello", 2), Stop("stop", Usage(5, 2))]
        assert words_of(await parts_of(engine)) == ["Hello"]
        *_, call, stop = await parts_of(engine, asks(tools=(TOOL,)))

    assert (call, stop.reason) == (ToolCall("call_0", "add", '{"a": 1}'), "tool_calls")


async def test_done_before_anything_was_said_is_tried_again() -> None:
    async with asking(streams(delta(role="assistant", content="")), HELLO) as (engine, upstream):
        assert words_of(await parts_of(engine)) == ["Hel", "lo"]

    assert len(upstream.bodies) == 2


@pytest.mark.parametrize("reason", ["error", "abort"])
async def test_an_answer_that_its_server_breaks_off_is_not_whole(reason: str) -> None:
    broken = streams(delta(content="half"), end(reason), usage(5, 2))
    async with asking(streams(end(reason)), HELLO, broken) as (engine, upstream):
        assert words_of(await parts_of(engine)) == ["Hel", "lo"]
        with pytest.raises(EngineFailed, match="broke off its answer"):
            await parts_of(engine)

    assert len(upstream.bodies) == 3


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
async def test_the_token_limit_has_several_names(reason: str) -> None:
    answer = streams(delta(content="So"), delta(tool_calls=[a_call(0, '{"a')]), end(reason), usage(5, 2))
    async with asking(answer) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    assert parts[-1] == Stop("length", Usage(5, 2))
    assert not [part for part in parts if isinstance(part, ToolCall)]


async def test_an_event_without_data_says_nothing() -> None:
    raw = b"data:\n\ndata: \n\n" + b"".join(
        f"data: {json.dumps(chunk)}\n\n".encode() for chunk in (delta(content="Hi"), end(), usage(5, 2))
    )
    async with asking(sends(raw + b"data: [DONE]\n\n")) as (engine, _):
        assert (await parts_of(engine))[1:] == [Text("Hi", 1), Stop("stop", Usage(5, 2))]


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 100, 900, 1300),
        ("人工智能是计算机科学的一个分支。" * 100, 900, 1800),
        ("Быстрая коричневая лиса. " * 100, 800, 1300),
        ("\U0001f600" * 100, 100, 300),
        ("\ud83d" * 100, 10, 300),
    ],
    ids=["English", "Chinese", "Russian", "faces", "halves"],
)
async def test_a_text_of_any_script_is_estimated_near_to_what_tokenizers_make_of_it(
    text: str, least: int, most: int
) -> None:
    async with asking(streams(delta(content=text), end())) as (engine, _):
        without = await engine.count(asks(messages=()))
        counted = await engine.count(asks(messages=(ChatMessage("user", text),))) - without
        stop = (await parts_of(engine))[-1]

    assert least <= counted <= most
    assert least <= stop.usage.completion_tokens <= most


async def test_the_schema_of_an_answer_counts_in_the_prompt() -> None:
    schema = {"type": "object", "properties": {f"key_{n}": {"type": "string"} for n in range(100)}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    async with asking() as (engine, _):
        plain = await engine.count(asks())

        assert await engine.count(asks(response_format=form)) >= plain + len(json.dumps(schema)) // 4
        assert await engine.count(asks(response_format={"type": "text"})) == plain
        assert await engine.count(asks(response_format={"type": "json_object"})) <= plain + 8


async def test_who_may_call_nothing_calls_nothing_whatever_the_server_makes_of_it() -> None:
    calling = streams(
        delta(content="Hi"), delta(tool_calls=[a_call(0, "{}")]), end("tool_calls"), usage(5, 2)
    )
    async with asking(calling, calling) as (engine, upstream):
        told = await parts_of(engine, asks(tools=(TOOL,), tool_choice="none"))
        bare = await parts_of(engine, asks())

    assert told[1:] == bare[1:] == [Text("Hi", 1), Stop("stop", Usage(5, 2))]
    # Some servers know no `tool_choice`.
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(upstream.bodies[0])
