"""A chat with a function and an answer in a form, over `/v1/chat/completions`."""

import os

import openai
from pydantic import BaseModel

client = openai.OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")


class GetWeather(BaseModel):
    """The weather of a city right now."""

    city: str


class Verdict(BaseModel):
    """Whether to take an umbrella."""

    umbrella: bool


tools = [openai.pydantic_function_tool(GetWeather, name="get_weather")]
messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
answer = (
    client.chat.completions.parse(model="gpt-4o", messages=messages, tools=tools, temperature=0)
    .choices[0]
    .message
)
for call in answer.tool_calls or []:
    print(f"[{call.function.name} {call.function.arguments}]")
if answer.tool_calls:
    messages.append(answer)
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": "3 degrees and cloudy"}
        for call in answer.tool_calls
    ]
with client.chat.completions.stream(model="gpt-4o", messages=messages, tools=tools, temperature=0) as stream:
    for event in stream:
        if event.type == "content.delta":
            print(event.delta, end="", flush=True)
print()

question = [{"role": "user", "content": "It is cloudy in Oslo. Shall I take an umbrella?"}]
verdict = client.chat.completions.parse(
    model="gpt-4o", messages=question, temperature=0, response_format=Verdict
)
print(verdict.choices[0].message.parsed)
