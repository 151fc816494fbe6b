"""Several upstream servers: who is asked, who is asked instead, who is left alone, and for how long."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.prompt import CallPiece, Started, Stop, Text, ToolCall
from assistants_api.domain.usage import Usage
from assistants_api.engine.breaker import Breaker, Circuit
from assistants_api.engine.remote import RemoteEngine
from assistants_api.engine.server import Address
from tests.engine.conftest import until
from tests.engine.upstreams import (
    HELLO,
    QUICK,
    TOOL,
    Answer,
    Upstream,
    asking,
    asks,
    delta,
    drops,
    end,
    engine_of,
    hangs,
    hangs_up,
    parts_of,
    replies,
    sends,
    serving,
    streams,
    usage,
)

HELLO_STOP = Stop("stop", Usage(5, 2))
# One chance in all: nothing is asked a second time.
ONCE = replace(QUICK, tries=1)


def facts_of(engine: RemoteEngine, upstream: Upstream) -> dict[str, Any]:
    every: list[dict[str, Any]] = engine.describe().details["upstreams"]
    return next(facts for facts in every if facts["url"].startswith(upstream.url))


def waits_for_release() -> Answer:
    """One word, and the rest when the test says so."""

    async def send(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
        await streams(delta(content="Hello"), done=False, ends=False)(upstream, writer)
        await upstream.released.wait()
        rest = b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in (end(), usage(5, 2)))
        rest += b"data: [DONE]\n\n"
        writer.write(f"{len(rest):x}\r\n".encode() + rest + b"\r\n0\r\n\r\n")
        await writer.drain()

    return send


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_try_later() -> None:
    breaker = Breaker(failures_to_open=3, first_open=1.0, longest_open=4.0)

    breaker.fail(0.0)
    breaker.succeed()
    breaker.fail(0.0)
    breaker.fail(0.0)
    assert breaker.state(0.0) is Circuit.CLOSED
    breaker.fail(0.0)

    assert breaker.state(0.9) is Circuit.OPEN
    assert breaker.opens_in(0.25) == 0.75
    assert breaker.state(1.0) is Circuit.HALF_OPEN


def test_a_breaker_whose_trials_fail_opens_for_twice_as_long_each_time_up_to_a_limit() -> None:
    breaker = Breaker(failures_to_open=1, first_open=1.0, longest_open=4.0)
    now, lengths = 0.0, []

    for _ in range(5):
        breaker.fail(now)
        lengths.append(breaker.opens_in(now))
        now += lengths[-1]
    breaker.succeed()
    breaker.fail(now)

    assert lengths == [1.0, 2.0, 4.0, 4.0, 4.0]
    assert breaker.opens_in(now) == 1.0


def test_a_sign_of_life_lets_one_try_at_once() -> None:
    breaker = Breaker(failures_to_open=3, first_open=1.0, longest_open=4.0)

    breaker.fail(0.0, is_certain=True)
    assert breaker.state(0.1) is Circuit.OPEN
    breaker.invite(0.1)

    assert breaker.state(0.1) is Circuit.HALF_OPEN


@pytest.mark.parametrize(
    "trouble",
    [
        hangs_up,
        replies(500, {"error": {"message": "it broke"}}),
        replies(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}),
        replies(429, {"error": {"message": "slow down"}}, retry_after="60"),
        replies(401, {"error": {"message": "bad key"}}),
        replies(404, {"error": {"message": "no such model"}}),
        replies(400, {"error": {"message": "no such model", "code": "model_not_found"}}),
        replies(402, {"error": {"message": "Insufficient credits", "code": 402}}),
        replies(405, {"detail": "Method Not Allowed"}),
        replies(308, b"", location="https://elsewhere.test/v1/chat/completions"),
        streams({"error": {"message": "Insufficient credits", "code": 402}}),
        replies(200, b"not json"),
        drops(),
        drops(delta(role="assistant", content="")),
        streams({"error": {"message": "out of memory", "code": 500}}),
        drops(delta(tool_calls=[{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{"}}])),
    ],
)
async def test_what_one_server_cannot_do_another_does(trouble: Answer) -> None:
    async with serving(default=trouble) as bad, serving(default=HELLO) as good:
        async with engine_of(bad, good, patience=ONCE) as engine:
            answers = [await parts_of(engine) for _ in range(2)]

    for parts in answers:
        assert isinstance(parts[0], Started)
        # What the first server had written of a call is no part of the answer, and is followed by none.
        said = [part for part in parts[1:] if not isinstance(part, CallPiece)]
        assert said == [Text("Hel", 1), Text("lo", 1), HELLO_STOP]
    assert len(good.bodies) == 2
    assert bad.bodies


async def test_a_request_that_is_wrong_is_wrong_everywhere() -> None:
    refusal = replies(400, {"error": {"message": "Unknown parameter: 'x'."}})
    async with serving(default=refusal) as first, serving(default=refusal) as second:
        async with engine_of(first, second) as engine:
            with pytest.raises(EngineFailed, match="Unknown parameter") as caught:
                await parts_of(engine)

            assert caught.value.code == "invalid_prompt"
            assert facts_of(engine, first)["failures"] == 0
    assert len(first.bodies) + len(second.bodies) == 1


async def test_nobody_else_is_asked_once_a_word_was_given() -> None:
    async with serving(default=drops(delta(content="half"))) as bad, serving(default=HELLO) as good:
        async with engine_of(bad, good) as engine:
            heard: list[Any] = []
            with pytest.raises(EngineFailed, match="connection to the upstream server failed"):
                async for part in engine.turn(asks()):
                    heard.append(part)

    assert heard[-1] == Text("half", 1)
    assert good.bodies == []


async def test_a_server_that_hangs_is_given_up_when_another_is_well() -> None:
    """The health check hangs too; what waits for its first word is asked for elsewhere."""
    async with serving(default=hangs) as bad, serving(default=HELLO) as good:
        async with engine_of(bad, good) as engine:
            turn = asyncio.create_task(parts_of(engine))
            await bad.asked.wait()
            bad.models = replies(503, {"error": {"message": "stuck"}})
            await engine.start()
            parts = await turn

            assert "answers nothing any more" in facts_of(engine, bad)["reason"]
    assert parts[-1] == HELLO_STOP
    assert len(bad.bodies) == len(good.bodies) == 1


async def test_a_lone_server_that_is_slow_is_waited_for() -> None:
    async def after_release(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
        await upstream.released.wait()
        await HELLO(upstream, writer)

    async with serving(default=after_release) as upstream:
        async with engine_of(upstream) as engine:
            turn = asyncio.create_task(parts_of(engine))
            await upstream.asked.wait()
            upstream.models = replies(503, {"error": {"message": "too busy to say"}})
            await engine.start()
            await until(lambda: facts_of(engine, upstream)["circuit"] == "open")
            upstream.released.set()

            assert (await turn)[-1] == HELLO_STOP
    assert len(upstream.bodies) == 1


async def test_silence_before_the_first_word_is_trouble_like_any_other() -> None:
    async with serving(default=hangs) as bad, serving(default=HELLO) as good:
        async with engine_of(bad, good, patience=replace(ONCE, silent_after=0.05)) as engine:
            assert (await parts_of(engine))[-1] == HELLO_STOP
    assert len(bad.bodies) == 1


async def test_a_server_that_is_down_is_found_again_when_it_comes_back() -> None:
    async with serving(default=HELLO) as moody, serving(default=HELLO) as steady:
        async with engine_of(moody, steady) as engine:
            await engine.start()
            await until(lambda: engine.describe().state == "ready")
            await moody.stop()
            await until(lambda: "reason" in facts_of(engine, moody))
            for _ in range(4):
                assert (await parts_of(engine))[-1] == HELLO_STOP
            while_away = len(steady.bodies)
            moody.bodies.clear()

            await moody.start()
            while not moody.bodies:
                assert (await parts_of(engine))[-1] == HELLO_STOP
            await until(lambda: facts_of(engine, moody)["circuit"] == "closed")

            assert "reason" not in facts_of(engine, moody)
    assert while_away == 4


async def test_a_lone_server_that_comes_back_in_time_answers_the_turn_that_waited() -> None:
    async with serving(default=HELLO) as upstream:
        await upstream.stop()
        patience = replace(QUICK, tries=1000)
        async with engine_of(upstream, patience=patience) as engine:
            turn = asyncio.create_task(parts_of(engine))
            await until(lambda: facts_of(engine, upstream)["failures"] >= 3)
            await upstream.start()

            assert (await turn)[-1] == HELLO_STOP


async def test_a_server_that_keeps_failing_is_left_alone() -> None:
    broken = replies(500, {"error": {"message": "it broke"}})
    patience = replace(QUICK, failures=3, first_open=60.0, longest_open=60.0)
    async with serving(default=broken) as bad, serving(default=HELLO) as good:
        async with engine_of(bad, good, patience=patience) as engine:
            for _ in range(12):
                assert (await parts_of(engine))[-1] == HELLO_STOP
            facts = facts_of(engine, bad)

    assert len(bad.bodies) == 3
    assert len(good.bodies) == 12
    assert (facts["circuit"], facts["failures"], facts["reason"]) == ("open", 3, "it broke")
    assert 0 < facts["usable_in_seconds"] <= 60


async def test_only_one_turn_tries_a_server_that_was_left_alone() -> None:
    async with serving(hangs_up, default=waits_for_release()) as upstream:
        patience = replace(QUICK, failures=1, tries=1)
        async with engine_of(upstream, patience=patience) as engine:
            with pytest.raises(EngineFailed):
                await parts_of(engine)
            await until(lambda: facts_of(engine, upstream)["circuit"] == "half-open")

            async def silent(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
                await upstream.released.wait()
                await HELLO(upstream, writer)

            upstream.default = silent
            upstream.asked.clear()
            turns = [asyncio.create_task(parts_of(engine)) for _ in range(5)]
            await upstream.asked.wait()
            during = (len(upstream.bodies), engine.describe().details["waiting_turns"])
            upstream.released.set()
            answers = await asyncio.gather(*turns)

    assert during == (2, 4)
    assert [parts[-1] for parts in answers] == [HELLO_STOP] * 5


async def test_a_server_gets_no_more_at_once_than_its_limit_and_the_rest_wait_in_order() -> None:
    async with serving(default=waits_for_release()) as upstream:
        async with engine_of(upstream, limit=2) as engine:
            ended: list[int] = []

            async def one(number: int) -> None:
                await parts_of(engine, asks(request_id=str(number)))
                ended.append(number)

            turns = [asyncio.create_task(one(number)) for number in range(6)]
            await until(lambda: len(upstream.bodies) == 2)
            details = engine.describe().details
            at_first = (details["waiting_turns"], details["upstreams"][0]["open_turns"])
            turns[3].cancel()
            upstream.released.set()
            await asyncio.gather(*turns, return_exceptions=True)

            assert engine.describe().details["upstreams"][0]["open_turns"] == 0
    assert at_first == (4, 2)
    assert sorted(ended) == [0, 1, 2, 4, 5]
    assert len(upstream.bodies) == 5


async def test_the_least_loaded_server_is_asked_and_ties_go_round() -> None:
    async with serving(default=waits_for_release()) as first, serving(default=waits_for_release()) as second:
        async with engine_of(first, second) as engine:
            turns = [asyncio.create_task(parts_of(engine)) for _ in range(6)]
            await until(lambda: len(first.bodies) + len(second.bodies) == 6)
            spread = (len(first.bodies), len(second.bodies))
            first.released.set()
            second.released.set()
            await asyncio.gather(*turns)
            first.default = second.default = HELLO
            for _ in range(4):
                await parts_of(engine)

    assert spread == (3, 3)
    assert (len(first.bodies), len(second.bodies)) == (5, 5)


async def test_a_server_that_asks_for_a_pause_gets_it_while_others_work() -> None:
    later = replies(429, {"error": {"message": "later"}}, retry_after="3600")
    async with serving(default=later) as busy, serving(default=HELLO) as free:
        async with engine_of(busy, free) as engine:
            for _ in range(5):
                assert (await parts_of(engine))[-1] == HELLO_STOP
            facts = facts_of(engine, busy)

    assert len(busy.bodies) == 1
    assert (facts["circuit"], facts["failures"], facts["reason"]) == ("closed", 0, "later")
    assert 3500 < facts["usable_in_seconds"] <= 3600


@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "0"},
        {"retry_after_ms": "15"},
        {"retry_after": "0.015"},
        {"retry_after": "Tue, 24 Nov 2026 08:00:00 GMT", "date": "Tue, 24 Nov 2026 08:00:00 GMT"},
        {"retry_after": "soon"},
    ],
)
async def test_a_429_and_then_an_answer(headers: dict[str, str]) -> None:
    async with asking(replies(429, {"error": {"message": "slow down"}}, **headers), HELLO) as (engine, up):
        assert (await parts_of(engine))[-1] == HELLO_STOP
    assert len(up.bodies) == 2


async def test_a_date_in_retry_after_is_read_by_the_servers_own_clock() -> None:
    later = replies(
        429,
        {"error": {"message": "later"}},
        retry_after="Sat, 01 Jan 2000 01:00:00 GMT",
        date="Sat, 01 Jan 2000 00:00:00 GMT",
    )
    async with asking(later) as (engine, upstream):
        with pytest.raises(EngineFailed, match="later") as caught:
            await parts_of(engine)

        assert caught.value.code == "rate_limit_exceeded"
        assert 3500 < facts_of(engine, upstream)["usable_in_seconds"] <= 3600


async def test_when_nobody_can_be_asked_the_failure_names_each_server_and_why() -> None:
    patience = replace(QUICK, first_open=60.0, longest_open=60.0)
    async with serving() as gone, serving(default=replies(401, {"error": {"message": "bad key"}})) as strict:
        await gone.stop()
        async with engine_of(gone, strict, patience=patience) as engine:
            with pytest.raises(EngineFailed):
                await parts_of(engine)
            with pytest.raises(EngineFailed, match="No upstream server can be used") as caught:
                await parts_of(engine)

    assert f"{gone.url}/v1: The connection" in caught.value.message
    assert f"{strict.url}/v1: The upstream server refused our key: bad key" in caught.value.message
    assert len(strict.bodies) == 1
    assert "sk-up" not in caught.value.message


async def test_connections_are_used_again() -> None:
    async with asking(*[HELLO] * 10) as (engine, upstream):
        for _ in range(10):
            await parts_of(engine)

    assert len(upstream.bodies) == 10
    assert upstream.connections == 1


async def test_a_stream_that_is_not_closed_after_its_last_event_holds_nobody_up() -> None:
    body = b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in (delta(content="Hi"), end()))
    async with asking(sends(body + b"data: [DONE]\n\n", ends=False)) as (engine, _):
        parts = await parts_of(engine)

    assert parts[1] == Text("Hi", 1)
    assert isinstance(parts[-1], Stop)


async def test_each_server_has_its_own_key_and_model() -> None:
    async with serving(default=HELLO) as first, serving(default=HELLO) as second:
        addresses = [Address(first.url, "sk-1", "small"), Address(second.url + "/v1", None, None)]
        engine = RemoteEngine(addresses, model="big", patience=QUICK)
        for _ in range(2):
            await parts_of(engine)
        await engine.close()

    assert [body["model"] for body in (*first.bodies, *second.bodies)] == ["small", "big"]
    assert (first.keys, second.keys) == (["Bearer sk-1"], [""])


async def test_a_password_in_an_address_is_shown_to_nobody() -> None:
    engine = RemoteEngine([Address("http://ann:secret@127.0.0.1:1/v1")], model="big", patience=ONCE)
    with pytest.raises(EngineFailed) as caught:
        await parts_of(engine)
    facts = engine.describe()
    await engine.close()

    assert "secret" not in repr(facts) + caught.value.message
    assert facts.details["upstreams"][0]["url"] == "http://127.0.0.1:1/v1"


async def test_the_shortest_context_of_all_servers_holds() -> None:
    async with serving() as long, serving() as short:
        long.models = replies(200, {"data": [{"id": "big", "max_model_len": 8192}]})
        async with engine_of(long, short) as engine:
            await engine.start()
            await until(lambda: engine.describe().context_window == 4096)


async def test_calls_are_given_whole_or_not_at_all() -> None:
    """What was called is shown at the end only: a stream that breaks before may be asked for again."""
    piece = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": '{"a"'}}
    whole = {"index": 0, "id": "call_2", "function": {"name": "f", "arguments": '{"a": 1}'}}
    answers = [drops(delta(tool_calls=[piece])), streams(delta(tool_calls=[whole]), end("tool_calls"))]
    async with asking(*answers) as (engine, _):
        parts = await parts_of(engine, asks(tools=(TOOL,)))

    assert [part for part in parts if isinstance(part, ToolCall)] == [ToolCall("call_2", "f", '{"a": 1}')]
