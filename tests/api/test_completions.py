"""Chat completions over HTTP: every field is honoured or refused by name, whole and streamed."""

import asyncio
import json

import pytest

from assistants_api.api.app import create_app
from assistants_api.api.parts import Parts
from assistants_api.domain.completion import CompletionStatus
from assistants_api.domain.job import Job
from assistants_api.domain.prompt import CallPiece, ChatMessage, Sampling, Text, Thought, ToolCall
from assistants_api.engine.script import Fail, Turn, Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.runs import RunLimits
from assistants_api.store.log import Log
from tests.api.conftest import Caller, made, refusal
from tests.checks.schema import check_body, check_schema
from tests.conftest import until
from tests.worker.conftest import CATALOGUE, house_over, knowledge_over

URL = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
OTHER = {"type": "function", "function": {"name": "get_time"}}
CALL = {"id": "call_a", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}


def frames(raw: bytes) -> list:
    """The data of every frame; a stream ends with [DONE] and holds nothing but data and comments."""
    text = raw.decode()
    assert text.endswith("data: [DONE]\n\n")
    found = []
    for block in text.removesuffix("data: [DONE]\n\n").split("\n\n"):
        if block.startswith("data: "):
            found.append(json.loads(block.removeprefix("data: ")))
        else:
            assert not block or block.startswith(":"), block
    return found


async def test_an_answer_is_whole_and_says_what_it_cost(open_client):
    async with open_client(ScriptedEngine([[Text("Hello "), Text("you.")]]), works=True) as http:
        completion = await made(http, URL, model="gpt-4o", messages=HELLO)

        check_body("createChatCompletion", completion)
        assert completion["id"].startswith("chatcmpl-")
        assert completion["object"] == "chat.completion"
        assert completion["model"] == "gpt-4o"
        assert completion["system_fingerprint"].startswith("fp_")
        assert "metadata" not in completion
        assert completion["usage"] == {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }
        [choice] = completion["choices"]
        assert choice == {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello you.", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }


async def test_a_stream_opens_with_the_role_and_ends_with_its_reason(open_client):
    async with open_client(ScriptedEngine([[Text("Hello "), Text("you\u2028.")]]), works=True) as http:
        response = await http.post(
            URL,
            json={
                "model": "m",
                "messages": HELLO,
                "stream": True,
                "stream_options": {"include_usage": True, "include_obfuscation": False},
            },
        )

        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert "\u2028" not in response.text
        chunks = frames(response.content)
        for chunk in chunks:
            check_schema("CreateChatCompletionStreamResponse", chunk)
        assert len({chunk["id"] for chunk in chunks}) == 1
        assert [chunk["choices"][0]["delta"] for chunk in chunks[:-1]] == [
            {"role": "assistant", "content": "", "refusal": None},
            {"content": "Hello "},
            {"content": "you\u2028."},
            {},
        ]
        assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None, None, None, "stop"]
        assert all(chunk["usage"] is None for chunk in chunks[:-1])
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"]["total_tokens"] == 4


async def test_without_being_asked_a_stream_tells_no_usage(open_client):
    async with open_client(works=True) as http:
        response = await http.post(URL, json={"model": "m", "messages": HELLO, "stream": True})

        assert all("usage" not in chunk for chunk in frames(response.content))


async def test_calls_are_told_whole_and_in_pieces(open_client):
    engine = ScriptedEngine(
        [
            Turn(
                (
                    Text("Well."),
                    ToolCall("call_a", "get_weather", '{"city": "Oslo"}'),
                    ToolCall("call_b", "get_time", "{}"),
                ),
                when="go",
            )
        ]
    )
    body = {"model": "m", "messages": [{"role": "user", "content": "go"}], "tools": [TOOL, OTHER]}
    async with open_client(engine, works=True) as http:
        whole = await made(http, URL, **body)
        chunks = frames((await http.post(URL, json={**body, "stream": True})).content)

        check_body("createChatCompletion", whole)
        message = whole["choices"][0]["message"]
        assert message["content"] == "Well."
        assert [call["function"] for call in message["tool_calls"]] == [
            {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
            {"name": "get_time", "arguments": "{}"},
        ]
        assert whole["choices"][0]["finish_reason"] == "tool_calls"
        pieces = [chunk["choices"][0]["delta"].get("tool_calls") for chunk in chunks]
        assert [piece[0] for piece in pieces if piece] == [
            {
                "index": 0,
                "id": "call_a",
                "type": "function",
                "function": {"name": "get_weather", "arguments": ""},
            },
            {"index": 0, "function": {"arguments": '{"city": "Oslo"}'}},
            {
                "index": 1,
                "id": "call_b",
                "type": "function",
                "function": {"name": "get_time", "arguments": ""},
            },
            {"index": 1, "function": {"arguments": "{}"}},
        ]
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_an_answer_of_calls_alone_has_no_content(open_client):
    engine = ScriptedEngine([[ToolCall("call_a", "get_weather", "{}")]] * 2)
    async with open_client(engine, works=True) as http:
        completion = await made(http, URL, model="m", messages=HELLO, tools=[TOOL])
        body = {"model": "m", "messages": HELLO, "tools": [TOOL], "stream": True}
        chunks = frames((await http.post(URL, json=body)).content)

        assert completion["choices"][0]["message"]["content"] is None
        assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": None, "refusal": None}


async def test_a_call_is_told_while_it_is_written(open_client):
    pieces = ('{"city"', ': "Oslo"', "}")
    written = [CallPiece("call_a", "get_weather", piece) for piece in pieces]
    whole = ToolCall("call_a", "get_weather", "".join(pieces))
    body = {"model": "m", "messages": HELLO, "tools": [TOOL], "stream": True}
    async with open_client(ScriptedEngine([[*written, whole]]), works=True) as http:
        chunks = frames((await http.post(URL, json=body)).content)

        told = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls") or ()]
        assert told[0] == {
            "index": 0,
            "id": "call_a",
            "type": "function",
            "function": {"name": "get_weather", "arguments": ""},
        }
        assert [call["function"]["arguments"] for call in told[1:]] == list(pieces)
        assert all(set(call) == {"index", "function"} for call in told[1:])
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_what_clients_of_other_servers_put_into_messages_is_left_out(open_client):
    """OpenAI's Swarm sends a `sender`, LiteLLM `cache_control`, OpenRouter's clients `reasoning_details`."""
    cached = {"cache_control": {"type": "ephemeral"}}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "Be kind.", **cached}], **cached},
        {"role": "user", "content": "go", "tool_calls": None, "timestamp": 5},
        {
            "role": "assistant",
            "content": None,
            "sender": "A",
            "reasoning_details": [],
            "tool_calls": [{**CALL, "extra_content": {"x": 1}}],
        },
        {"role": "tool", "tool_call_id": "call_a", "tool_name": "get_weather", "content": "cold"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "original"}},
            ],
        },
    ]
    engine = ScriptedEngine([[Text("ok")]], has_vision=True)
    async with open_client(engine, works=True) as http:
        await made(http, URL, model="m", messages=messages, tools=[TOOL])

        shown = engine.prompts[0].messages
        assert [message.role for message in shown] == ["system", "user", "assistant", "tool", "user"]
        assert shown[2].tool_calls == (ToolCall("call_a", "get_weather", "{}"),)
        assert "cache" not in str(shown)


async def test_what_is_asked_reaches_the_engine(open_client):
    engine = ScriptedEngine([[Text("ok")]])
    async with open_client(engine, works=True) as http:
        await made(
            http,
            URL,
            model="m",
            messages=HELLO,
            temperature=0.3,
            top_p=0.8,
            top_k=-1,
            min_p=0.05,
            frequency_penalty=0.5,
            presence_penalty=-0.5,
            logit_bias={"17": -100, "4": 2.5},
            logprobs=True,
            top_logprobs=3,
            seed=7,
            stop="END",
            max_tokens=5,
            max_completion_tokens=9,
            tools=[TOOL],
            tool_choice={"type": "function", "function": {"name": "get_weather"}},
            parallel_tool_calls=False,
            response_format={"type": "json_object"},
            reasoning_effort="low",
            user="u",
            prompt_cache_key="k",
            safety_identifier="s",
            service_tier="flex",
            modalities=["text"],
            verbosity="medium",
            audio=None,
            functions=None,
        )

        [prompt] = engine.prompts
        assert prompt.sampling == Sampling(
            temperature=0.3,
            top_p=0.8,
            seed=7,
            stop=("END",),
            max_tokens=9,
            top_k=0,
            min_p=0.05,
            frequency_penalty=0.5,
            presence_penalty=-0.5,
            logit_bias=((17, -100.0), (4, 2.5)),
            top_logprobs=3,
        )
        assert prompt.tools == (TOOL,)
        assert prompt.tool_choice == {"type": "function", "function": {"name": "get_weather"}}
        assert prompt.parallel_tool_calls is False
        assert prompt.response_format == {"type": "json_object"}
        assert (prompt.reasoning_effort, prompt.cache_key) == ("low", "k")


@pytest.mark.parametrize(("verbosity", "words"), [("low", "briefly"), ("high", "detail")])
async def test_a_verbosity_is_told_to_the_model(open_client, verbosity, words):
    """Which has no setting for it; the instructions that are there stay first."""
    system, parts = {"role": "system", "content": "Be kind."}, [{"type": "text", "text": "Be kind."}]
    engine = ScriptedEngine([[Text("ok")]] * 4)
    async with open_client(engine, works=True) as http:
        for first in ([], [system], [{"role": "developer", "content": parts}]):
            await made(http, URL, model="m", messages=[*first, *HELLO], verbosity=verbosity)

        plain, told, told_in_parts = [prompt.messages for prompt in engine.prompts]
        assert [message.role for message in plain] == ["system", "user"]
        assert words in plain[0].content
        assert told[0].content == f"Be kind.\n\n{plain[0].content}"
        assert told_in_parts[0].content == told[0].content or words in str(told_in_parts[0].content[-1])
        assert len(told) == len(told_in_parts) == 2


async def test_what_is_not_asked_is_left_to_the_model(open_client):
    engine = ScriptedEngine([[Text("ok")]])
    async with open_client(engine, works=True) as http:
        await made(http, URL, model="m", messages=HELLO)

        assert engine.prompts[0].sampling == Sampling()
        assert engine.prompts[0].response_format == "auto"


async def test_a_whole_history_is_shown_to_the_model(open_client):
    engine = ScriptedEngine([[Text("ok")]])
    messages = [
        {"role": "developer", "content": "Be kind."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
            "name": "ann",
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [CALL],
            "annotations": [],
            "refusal": None,
            "audio": None,
        },
        {"role": "tool", "tool_call_id": "call_a", "content": [{"type": "text", "text": "cold"}]},
        {"role": "assistant", "content": "It is cold.", "reasoning_content": "hm"},
        {"role": "assistant", "refusal": "No."},
        {"role": "user", "content": ""},
    ]
    async with open_client(engine, works=True) as http:
        await made(http, URL, model="m", messages=messages)

        assert engine.prompts[0].messages == (
            ChatMessage("system", "Be kind."),
            ChatMessage("user", "one\n\ntwo", name="ann"),
            ChatMessage("assistant", "", tool_calls=(ToolCall("call_a", "get_weather", "{}"),)),
            ChatMessage("tool", "cold", tool_call_id="call_a"),
            ChatMessage("assistant", "It is cold."),
            ChatMessage("assistant", "No."),
            ChatMessage("user", ""),
        )


async def test_allowed_tools_are_the_only_ones_offered(open_client):
    engine = ScriptedEngine([[Text("ok")]])
    choice = {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [{"type": "function", "function": {"name": "get_time"}}],
        },
    }
    async with open_client(engine, works=True) as http:
        await made(http, URL, model="m", messages=HELLO, tools=[TOOL, OTHER], tool_choice=choice)

        assert engine.prompts[0].tools == (OTHER,)
        assert engine.prompts[0].tool_choice == "required"


async def test_images_reach_a_model_with_eyes_and_are_refused_for_others(open_client):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    messages = [*HELLO, {"role": "user", "content": [{"type": "text", "text": "see"}, image]}]
    async with open_client(ScriptedEngine([[Text("A cat.")]]), works=True) as http:
        assert (await made(http, URL, model="m", messages=messages))["choices"][0]["message"][
            "content"
        ] == "A cat."
    engine = ScriptedEngine([], has_vision=False)
    async with open_client(engine, works=True) as http:
        refused = await http.post(URL, json={"model": "m", "messages": messages, "stream": True})

        status, message, param, code = refusal(refused)
        assert (status, param, code) == (400, "messages[1].content[1]", "unsupported_content")
        assert "cannot see images" in message
        assert engine.prompts == []


async def test_reasoning_is_told_apart_from_the_answer(open_client):
    engine = ScriptedEngine([Turn((Thought("Let me think."), Text("Yes.")), when="Hello")])
    async with open_client(engine, works=True) as http:
        whole = await made(http, URL, model="m", messages=HELLO)
        response = await http.post(URL, json={"model": "m", "messages": HELLO, "stream": True})

        message = whole["choices"][0]["message"]
        assert (message["content"], message["reasoning_content"]) == ("Yes.", "Let me think.")
        assert whole["usage"]["completion_tokens"] == 4
        assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}
        deltas = [chunk["choices"][0]["delta"] for chunk in frames(response.content)]
        assert deltas[1:3] == [{"reasoning_content": "Let me think."}, {"content": "Yes."}]


async def test_stop_words_and_limits_end_an_answer(open_client):
    engine = ScriptedEngine([Turn((Text("one "), Text("two "), Text("three")), when="Hello")])
    async with open_client(engine, works=True) as http:
        stopped = await made(http, URL, model="m", messages=HELLO, stop=["two", "never"])
        cut = await made(http, URL, model="m", messages=HELLO, max_completion_tokens=2)

        assert stopped["choices"][0]["message"]["content"] == "one "
        assert stopped["choices"][0]["finish_reason"] == "stop"
        assert cut["choices"][0]["message"]["content"] == "one two "
        assert cut["choices"][0]["finish_reason"] == "length"


async def test_log_probabilities_come_with_their_words(open_client):
    engine = ScriptedEngine([Turn((Text("Hello "), Text("you.")), when="Hello")])
    body = {"model": "m", "messages": HELLO, "logprobs": True, "top_logprobs": 1}
    async with open_client(engine, works=True) as http:
        whole = await made(http, URL, **body)
        chunks = frames((await http.post(URL, json={**body, "stream": True})).content)

        check_body("createChatCompletion", whole)
        found = whole["choices"][0]["logprobs"]
        assert "".join(entry["token"] for entry in found["content"]) == "Hello you."
        assert found["refusal"] is None
        streamed = [chunk["choices"][0]["logprobs"] for chunk in chunks]
        for chunk in chunks:
            check_schema("CreateChatCompletionStreamResponse", chunk)
        assert [entry for part in streamed if part for entry in part["content"]] == found["content"]


async def test_many_choices_come_together(open_client):
    engine = ScriptedEngine([[Text(f"Answer {n}.")] for n in range(6)])
    async with open_client(engine, works=True) as http:
        whole = await made(http, URL, model="m", messages=HELLO, n=3)
        chunks = frames(
            (await http.post(URL, json={"model": "m", "messages": HELLO, "n": 3, "stream": True})).content
        )

        assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2]
        assert whole["usage"]["prompt_tokens"] == 1
        assert whole["usage"]["completion_tokens"] == 6
        texts = {0: "", 1: "", 2: ""}
        for chunk in chunks:
            choice = chunk["choices"][0]
            texts[choice["index"]] += choice["delta"].get("content") or ""
        assert sorted(texts.values()) == ["Answer 3.", "Answer 4.", "Answer 5."]


REFUSED = [
    ({"functions": [{"name": "f"}]}, "functions", "unsupported_parameter"),
    ({"function_call": "auto"}, "function_call", "unsupported_parameter"),
    ({"audio": {"voice": "a", "format": "mp3"}}, "audio", "unsupported_parameter"),
    ({"modalities": ["text", "audio"]}, "modalities", "unsupported_parameter"),
    ({"prediction": {"type": "content", "content": "x"}}, "prediction", "unsupported_parameter"),
    ({"web_search_options": {}}, "web_search_options", "unsupported_parameter"),
    ({"moderation": {}}, "moderation", "unsupported_parameter"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
    ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
    ({"metadata": {"a": "b"}}, "metadata", "invalid_value"),
    ({"n": 0}, "n", "integer_below_min_value"),
    ({"n": 129}, "n", "integer_above_max_value"),
    ({"stop": ["a"] * 5}, "stop", "array_above_max_length"),
    ({"stop": 3}, "stop", "invalid_type"),
    ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
    ({"frequency_penalty": -3}, "frequency_penalty", "decimal_below_min_value"),
    ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
    ({"max_completion_tokens": 1.5}, "max_completion_tokens", "invalid_type"),
    ({"logit_bias": {"word": 1}}, "logit_bias", "invalid_value"),
    ({"logit_bias": {"5": 101}}, "logit_bias.5", "decimal_above_max_value"),
    ({"top_k": -2}, "top_k", "integer_below_min_value"),
    ({"min_p": 1.5}, "min_p", "decimal_above_max_value"),
    ({"unheard_of": 1}, "unheard_of", "unknown_parameter"),
    ({"tools": [{**TOOL, "strict": True}]}, "tools[0].strict", "unknown_parameter"),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "strict": "no"}}]},
        "tools[0].function.strict",
        "invalid_type",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "function": 1}}]},
        "tools[0].function.function",
        "unknown_parameter",
    ),
    (
        {
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "get_weather"}, "foo": 1},
        },
        "tool_choice.foo",
        "unknown_parameter",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
        "messages[0].content[0].text",
        "invalid_type",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 1}}]}]},
        "messages[0].content[0].image_url.url",
        "invalid_type",
    ),
    ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
    (
        {"response_format": {"type": "json_schema"}},
        "response_format.json_schema",
        "missing_required_parameter",
    ),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type", "unsupported_tool"),
    (
        {"tools": [TOOL, {"type": "function", "function": {}}]},
        "tools[1].function.name",
        "missing_required_parameter",
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "x"}}},
        "tool_choice",
        "invalid_value",
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "x"}}},
        "tool_choice.type",
        "unsupported_tool",
    ),
    ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
    ({"tool_choice": "some"}, "tool_choice", "invalid_value"),
    (
        {
            "tools": [TOOL],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [OTHER]}},
        },
        "tool_choice.allowed_tools.tools[0]",
        "invalid_value",
    ),
    (
        {
            "tools": [TOOL],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        },
        "tool_choice.allowed_tools.tools",
        "invalid_value",
    ),
    ({"messages": []}, "messages", "empty_array"),
    ({"messages": None}, "messages", "invalid_type"),
    ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role", "invalid_value"),
    ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "invalid_type"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content", "empty_array"),
    (
        {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
        "messages[0].content[0].type",
        "invalid_value",
    ),
    ({"messages": [{"role": "assistant"}]}, "messages[0].content", "invalid_type"),
    (
        {"messages": [{"role": "function", "name": "f", "content": "x"}]},
        "messages[0].role",
        "unsupported_value",
    ),
    (
        {
            "messages": [
                {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}
            ]
        },
        "messages[0].function_call",
        "unsupported_parameter",
    ),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}],
                }
            ]
        },
        "messages[0].content[0].type",
        "unsupported_content",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-a"}}]}]},
        "messages[0].content[0].type",
        "unsupported_content",
    ),
    (
        {"messages": [*HELLO, {"role": "tool", "tool_call_id": "call_a", "content": "x"}]},
        "messages[1].role",
        None,
    ),
    ({"messages": [{"role": "assistant", "tool_calls": [CALL]}, *HELLO]}, "messages[0].role", None),
    ({"messages": [{"role": "assistant", "tool_calls": [CALL]}]}, "messages[0].role", None),
]


@pytest.mark.parametrize(
    ("given", "param", "code"), REFUSED, ids=[f"{n}-{r[1]}" for n, r in enumerate(REFUSED)]
)
async def test_what_cannot_be_done_is_refused_by_name(http, given, param, code):
    response = await http.post(URL, json={"model": "m", "messages": HELLO, **given})

    assert refusal(response)[2:] == (param, code)
    assert response.status_code == 400


async def test_an_unknown_model_is_404_and_none_is_400(open_client):
    catalogue = type(CATALOGUE)("scripted", {}, CATALOGUE.created_at)
    async with open_client(catalogue=catalogue) as http:
        unknown = await http.post(URL, json={"model": "gpt-9", "messages": HELLO})
        missing = await http.post(URL, json={"messages": HELLO})

        assert refusal(unknown) == (
            404,
            "The model `gpt-9` does not exist or you do not have access to it.",
            None,
            "model_not_found",
        )
        assert refusal(missing)[2:] == ("model", "missing_required_parameter")


@pytest.mark.parametrize("stream", [False, True])
async def test_what_goes_wrong_before_the_first_word_is_a_plain_error(open_client, stream):
    async with open_client(ScriptedEngine([], context_window=2), works=True) as http:
        long = await http.post(
            URL, json={"model": "m", "messages": [{"role": "user", "content": "a b c d"}], "stream": stream}
        )

        status, message, param, code = refusal(long)
        assert (status, param, code) == (400, "messages", "context_length_exceeded")
        assert "maximum context length is 2 tokens" in message


@pytest.mark.parametrize(
    ("code", "status"), [("server_error", 502), ("invalid_prompt", 400), ("rate_limit_exceeded", 429)]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_that_fails_says_why(open_client, code, status, stream):
    async with open_client(ScriptedEngine([[Fail("No memory.", code)]]), works=True) as http:
        response = await http.post(URL, json={"model": "m", "messages": HELLO, "stream": stream})

        assert refusal(response) == (status, "No memory.", None, code)


async def test_a_stream_that_breaks_ends_with_an_error(open_client):
    async with open_client(ScriptedEngine([[Text("Half"), Fail("No memory.")]]), works=True) as http:
        response = await http.post(URL, json={"model": "m", "messages": HELLO, "stream": True})

        assert response.status_code == 200
        *chunks, last = frames(response.content)
        assert chunks[-1]["choices"][0]["delta"] == {"content": "Half"}
        assert last == {
            "error": {"message": "No memory.", "type": "server_error", "param": None, "code": "server_error"}
        }


async def test_too_many_that_wait_are_refused(open_client, sqlite_db):
    async with sqlite_db.begin() as tx:
        await tx.jobs.add(Job("job_a", "completion", "chatcmpl-a", await tx.now()))
    async with open_client(limits=RunLimits(max_waiting=1)) as http:
        response = await http.post(URL, json={"model": "m", "messages": HELLO})

        assert refusal(response)[0] == 429
        assert response.headers["retry-after"] == "1"


async def test_forms_need_an_engine_that_enforces_them(open_client):
    async with open_client(ScriptedEngine([], has_structured_output=False)) as http:
        response = await http.post(
            URL, json={"model": "m", "messages": HELLO, "response_format": {"type": "json_object"}}
        )

        assert refusal(response)[2:] == ("response_format", "unsupported_response_format")


async def test_readiness_counts_what_is_open(open_client):
    engine = ScriptedEngine([[Wait("go")], [Text("x")]])
    async with open_client(engine, works=True) as http:
        asking = asyncio.create_task(http.post(URL, json={"model": "m", "messages": HELLO}))
        await until(lambda: len(engine.prompts) == 1)

        busy = (await http.get("/health/ready")).json()["completions"]
        engine.release("go")
        await asking

        assert busy == {"open": 1, "waiting": 0}
        assert (await http.get("/health/ready")).json()["completions"] == {"open": 0, "waiting": 0}


@pytest.mark.parametrize(
    "script", [[Wait("never")], [Text("Half"), Wait("never")]], ids=["silent", "talking"]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_ends_the_work(sqlite_db, stream, script):
    engine = ScriptedEngine([script])
    knowledge = knowledge_over(sqlite_db)
    parts = Parts(
        db=sqlite_db,
        log=Log(sqlite_db),
        engine=engine,
        catalogue=CATALOGUE,
        limits=RunLimits(),
        blobs=knowledge.blobs,
        embedder=knowledge.embedder,
        searcher=knowledge.searcher,
    )
    caller = Caller(create_app(parts), URL, {"model": "m", "messages": HELLO, "stream": stream})
    async with house_over(sqlite_db, engine) as house:
        calling = asyncio.create_task(caller.call())
        await until(lambda: len(engine.prompts) == 1)
        if stream and len(script) > 1:
            await until(lambda: b"Half" in caller.received)

        caller.hung_up.set()
        await calling

        await until(lambda: len(engine.cancelled) == 1 and house.worker.carried == 0)
        async with sqlite_db.read() as tx:
            [id] = [prompt.request_id for prompt in engine.prompts]
            assert (await tx.completions.get(id)).status is CompletionStatus.CANCELLED


async def test_stored_completions_are_kept_listed_changed_and_deleted(open_client):
    engine = ScriptedEngine([Turn((Text("Yes."),), when="store")])
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "store"}], "name": "ann"},
    ]
    async with open_client(engine, works=True) as http:
        first = await made(http, URL, model="m", messages=messages, store=True, metadata={"k": "1"})
        second = await made(http, URL, model="other", messages=messages, store=True)
        passing = await made(http, URL, model="m", messages=messages, store=False)
        path = f"{URL}/{first['id']}"

        got = (await http.get(path)).json()
        changed = await made(http, path, metadata={"k": "2"})
        listed = (await http.get(URL)).json()
        newest = (await http.get(f"{URL}?order=desc&limit=1")).json()
        after = (await http.get(f"{URL}?after={first['id']}")).json()
        mine = (await http.get(f"{URL}?metadata[k]=2&model=m")).json()

        for operation, value in (
            ("getChatCompletion", got),
            ("updateChatCompletion", changed),
            ("listChatCompletions", listed),
            ("listChatCompletions", mine),
        ):
            check_body(operation, value)
        assert got == first
        assert first["metadata"] == {"k": "1"}
        assert changed == {**first, "metadata": {"k": "2"}}
        assert [each["id"] for each in listed["data"]] == [first["id"], second["id"]]
        assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (
            first["id"],
            second["id"],
            False,
        )
        assert [each["id"] for each in newest["data"]] == [second["id"]]
        assert newest["has_more"] is True
        assert after["data"] == newest["data"]
        assert [each["id"] for each in mine["data"]] == [first["id"]]
        assert refusal(await http.get(f"{URL}/{passing['id']}"))[0] == 404
        assert refusal(await http.post(path, json={}))[2:] == ("metadata", "missing_required_parameter")

        whole = (await http.get(f"{path}/messages")).json()
        one = (await http.get(f"{path}/messages?limit=1")).json()
        rest = (await http.get(f"{path}/messages?after={one['last_id']}")).json()
        backward = (await http.get(f"{path}/messages?order=desc")).json()
        # The contract calls every role "assistant", which its own example does not.
        check_body(
            "getChatCompletionMessages",
            {**whole, "data": [{**m, "role": "assistant"} for m in whole["data"]]},
        )
        assert [message["role"] for message in whole["data"]] == ["system", "user"]
        assert whole["data"][0]["content"] == "Be brief."
        assert whole["data"][1]["content_parts"] == [{"type": "text", "text": "store"}]
        assert whole["data"][1]["name"] == "ann"
        assert (one["data"] + rest["data"], one["has_more"], rest["has_more"]) == (whole["data"], True, False)
        assert backward["data"] == whole["data"][::-1]
        assert refusal(await http.get(f"{path}/messages?after=nothing"))[0] == 404

        gone = (await http.delete(path)).json()
        check_body("deleteChatCompletion", gone)
        assert gone == {"id": first["id"], "object": "chat.completion.deleted", "deleted": True}
        for method, where in (("GET", path), ("DELETE", path), ("GET", f"{path}/messages")):
            missing = await http.request(method, where)
            assert refusal(missing)[:2] == (404, f"No chat completion found with id '{first['id']}'.")


async def test_azure_paths_name_the_model(open_client):
    async with open_client(ScriptedEngine([[Text("Hi.")]] * 3), works=True) as http:
        for root in ("/openai/deployments/my/model", "/openai/v1/deployments/my/model"):
            answer = await http.post(
                f"{root}/chat/completions?api-version=2024-06-01",
                json={"messages": HELLO, "model": "ignored"},
                headers={"api-key": "k"},
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["model"] == "my/model"
        plain = await http.post("/openai/v1/chat/completions", json={"messages": HELLO, "model": "m"})
        assert plain.json()["choices"][0]["message"]["content"] == "Hi."


async def test_models_tell_their_length_and_what_they_can_do(open_client):
    async with open_client(ScriptedEngine([], context_window=4096, has_vision=False)) as http:
        listed = (await http.get("/v1/models")).json()["data"][0]
        one = (await http.get("/v1/models/gpt-4o")).json()

        assert listed["context_length"] == 4096
        assert listed["capabilities"] == {
            "tools": True,
            "structured_output": True,
            "vision": False,
            "logprobs": True,
        }
        assert one == {**listed, "id": "gpt-4o"}
        assert one["root"] == "scripted"
        assert listed["details"] == {**dict.fromkeys(listed["details"]), "state": "ready"}


async def test_models_tell_how_they_run(open_client):
    told = {
        "architecture": "MambaForCausalLM",
        "one_at_a_time": "It is recurrent.",
        "tool_template": "generic",
    }
    async with open_client(ScriptedEngine([], details={**told, "pid": 1})) as http:
        details = (await http.get("/v1/models")).json()["data"][0]["details"]

        assert {name: value for name, value in details.items() if value is not None} == {
            **told,
            "state": "ready",
        }


# What chat interfaces send, as their sources build it; names and words are ours.
OPEN_WEBUI = {
    "chat": {
        "stream": True,
        "model": "assistants-api-bundled",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
        ],
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "max_tokens": 256,
        "frequency_penalty": 0.2,
        "presence_penalty": 0.1,
        "seed": 0,
        "stop": ["###"],
        "logit_bias": {"10": -5},
        "reasoning_effort": "medium",
        "stream_options": {"include_usage": True},
    },
    "title": {
        "model": "assistants-api-bundled",
        "messages": [{"role": "user", "content": "### Task: a title"}],
        "stream": False,
        "max_completion_tokens": 1000,
    },
    "native tools": {
        "stream": True,
        "model": "assistants-api-bundled",
        "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": "", "tool_calls": [{"index": 0, **CALL}]},
            {"role": "tool", "tool_call_id": "call_a", "content": "3 degrees"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "description": "d",
                    "parameters": {"type": "object", "properties": {}, "required": []},
                },
            }
        ],
    },
}
LIBRECHAT = {
    "chat": {
        "model": "gpt-4o",
        "temperature": 1,
        "top_p": 1,
        "frequency_penalty": 0,
        "presence_penalty": 0,
        "n": 1,
        "user": "66f0a1b2c3d4e5f601234567",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        ],
    },
    "agent": {
        "model": "gpt-4o",
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "66f0a1b2c3d4e5f601234567",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [TOOL],
        "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "3 degrees", "tool_call_id": "call_a", "name": "get_weather"},
        ],
    },
    "title": {
        "model": "gpt-4o",
        "temperature": 0.2,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "max_tokens": 16,
        "messages": [{"role": "system", "content": "A title, please: Hello"}],
    },
}


@pytest.mark.parametrize(
    "body",
    [*OPEN_WEBUI.values(), *LIBRECHAT.values()],
    ids=[*(f"open-webui {name}" for name in OPEN_WEBUI), *(f"librechat {name}" for name in LIBRECHAT)],
)
async def test_what_chat_interfaces_send_is_answered(open_client, body):
    async with open_client(ScriptedEngine([[Text("Fine, thanks.")]]), works=True) as http:
        response = await http.post(URL, json=body)

        assert response.status_code == 200, response.text
        if body.get("stream"):
            chunks = frames(response.content)
            for chunk in chunks:
                check_schema("CreateChatCompletionStreamResponse", chunk)
            text = "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"])
            asks = "stream_options" in body
            assert (chunks[-1].get("usage") is not None) == asks
        else:
            check_body("createChatCompletion", response.json())
            text = response.json()["choices"][0]["message"]["content"]
        assert text == "Fine, thanks."
