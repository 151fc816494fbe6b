"""Function tools: the run pauses, you call your functions, the run goes on with their outputs."""

import json
import os

from openai import OpenAI

WEATHER = {"San Francisco": "57"}
RAIN = {"San Francisco": "0.06"}


def tool(name: str, description: str) -> dict:
    """A function with one argument, the location."""
    location = {"type": "string", "description": "The city, e.g. San Francisco"}
    parameters = {"type": "object", "properties": {"location": location}, "required": ["location"]}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


client = OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")
assistant = client.beta.assistants.create(
    model="gpt-4o",
    temperature=0,
    instructions="You are a weather bot. Use the provided functions to answer questions.",
    tools=[
        tool("get_current_temperature", "Get the current temperature for a specific location"),
        tool("get_rain_probability", "Get the probability of rain for a location"),
    ],
)
question = "What's the weather in San Francisco today and the likelihood it'll rain?"
thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
while run.status == "requires_action":
    outputs = []
    for call in run.required_action.submit_tool_outputs.tool_calls:
        print(f"{call.function.name}({call.function.arguments})")
        known = WEATHER if call.function.name == "get_current_temperature" else RAIN
        place = json.loads(call.function.arguments).get("location", "")
        outputs.append({"tool_call_id": call.id, "output": known.get(place, "unknown")})
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        thread_id=thread.id, run_id=run.id, tool_outputs=outputs
    )
answer = client.beta.threads.messages.list(thread_id=thread.id, limit=1).data[0]
print(run.status, answer.content[0].text.value, sep=": ")
