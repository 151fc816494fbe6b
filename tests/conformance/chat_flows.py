"""Chat completions as code on the Python SDK uses them: `python chat_flows.py BASE_URL`.

Prints one JSON object; an exception is a failure. Runs outside pytest, in the interpreter that has the SDK.
"""

import asyncio
import json
import sys

import openai
from openai import AsyncOpenAI, AzureOpenAI, BadRequestError, NotFoundError, OpenAI
from pydantic import BaseModel


class Weather(BaseModel):
    """What is to be parsed."""

    city: str
    degrees: int


class GetWeather(BaseModel):
    """The weather of a city."""

    city: str


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def main(base_url: str) -> dict:
    client = OpenAI(base_url=base_url, api_key="any", _strict_response_validation=True, max_retries=0)
    chat, found = client.chat.completions, {"version": openai.__version__}
    hello = {"model": "gpt-4o", "messages": [user("Hello")]}

    # Whole, and streamed by hand.
    whole = chat.create(**hello, seed=1, temperature=0, user="u", max_completion_tokens=50)
    found["answer"] = whole.choices[0].message.content
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0
    assert whole.usage.prompt_tokens_details.cached_tokens == 0
    chunks = list(chat.create(**hello, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-2:] == [None, "stop"]
    found["streamed"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])

    # The stream helper.
    with chat.stream(model="gpt-4o", messages=[user("chinese")]) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content
    found["helper"] = final.choices[0].message.content

    # Structured output, parsed whole and from a stream.
    parsed = chat.parse(model="gpt-4o", messages=[user("as data")], response_format=Weather)
    found["parsed"] = parsed.choices[0].message.parsed.model_dump()
    with chat.stream(model="gpt-4o", messages=[user("as data")], response_format=Weather) as stream:
        for event in stream:
            if event.type == "content.done":
                assert event.parsed == parsed.choices[0].message.parsed

    # Tools: two calls, their outputs, the answer.
    tools = [openai.pydantic_function_tool(GetWeather, name="get_weather")]
    messages = [user("weather?")]
    called = chat.parse(model="gpt-4o", messages=messages, tools=tools)
    message = called.choices[0].message
    found["calls"] = [call.function.parsed_arguments.city for call in message.tool_calls]
    assert (called.choices[0].finish_reason, message.content) == ("tool_calls", None)
    messages += [
        message,
        *[{"role": "tool", "tool_call_id": call.id, "content": "3 degrees"} for call in message.tool_calls],
    ]
    found["after_outputs"] = (
        chat.create(model="gpt-4o", messages=messages, tools=tools).choices[0].message.content
    )
    with chat.stream(model="gpt-4o", messages=[user("talk and call")], tools=tools) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    assert [event.parsed_arguments.city for event in done] == ["Oslo"]
    assert final.choices[0].message.tool_calls[0].id.startswith("call_")
    found["talked"] = final.choices[0].message.content

    # Many answers, and how likely their words are.
    many = chat.create(**hello, n=3, logprobs=True, top_logprobs=2)
    assert [choice.index for choice in many.choices] == [0, 1, 2]
    for choice in many.choices:
        assert "".join(entry.token for entry in choice.logprobs.content) == choice.message.content

    # Stored completions.
    stored = chat.create(**hello, store=True, metadata={"flow": openai.__version__})
    listed = chat.list(metadata={"flow": openai.__version__}, limit=1, order="desc").data
    assert listed == [stored] == [chat.retrieve(stored.id)]
    assert chat.update(stored.id, metadata={"k": "v"}).metadata == {"k": "v"}
    # The SDK's type calls every role "assistant", which the API's own example does not.
    lenient = OpenAI(base_url=base_url, api_key="any").chat.completions
    messages = lenient.messages.list(stored.id).data
    assert [(each.role, each.content) for each in messages] == [("user", "Hello")]
    assert chat.delete(stored.id).deleted
    try:
        chat.retrieve(stored.id)
    except NotFoundError as error:
        found["not_found"] = [error.status_code, error.request_id[:4]]

    # What goes wrong.
    try:
        chat.create(**hello, extra_body={"unheard_of": 1})
    except BadRequestError as error:
        found["bad_request"] = [error.code, error.param, error.type]
    try:
        list(chat.create(model="gpt-4o", messages=[user("break")], stream=True))
    except openai.APIError as error:
        found["broken"] = error.message
    stream = chat.create(model="gpt-4o", messages=[user("slowly")], stream=True)
    next(stream)
    stream.close()

    # Azure's kind, which names the model in the path, and the asynchronous kind.
    azure = AzureOpenAI(azure_endpoint=base_url.removesuffix("/v1"), api_key="any", api_version="2024-06-01")
    found["azure"] = azure.chat.completions.create(**hello).choices[0].message.content
    found["asynchronous"] = asyncio.run(asynchronous(base_url, hello))
    return found


async def asynchronous(base_url: str, hello: dict) -> str:
    async with AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        async with client.chat.completions.stream(**hello) as stream:
            async for _ in stream:
                pass
            return (await stream.get_final_completion()).choices[0].message.content


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
