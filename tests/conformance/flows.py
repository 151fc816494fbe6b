"""The flows that code on the Python SDK uses, written once for every SDK version: `python flows.py BASE_URL`.

Prints one JSON object; an exception is a failure. Runs outside pytest, in the interpreter that has the SDK.
"""

import json
import sys
import warnings

import openai
from openai import AssistantEventHandler, AzureOpenAI, BadRequestError, NotFoundError, OpenAI

warnings.simplefilter("ignore", DeprecationWarning)

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def main(base_url: str) -> dict:
    client = OpenAI(base_url=base_url, api_key="any", _strict_response_validation=True, max_retries=0)
    beta, found = client.beta, {"version": openai.__version__}

    # Assistants.
    made = [
        beta.assistants.create(
            model="gpt-4o", name=f"n{n}", metadata={"n": str(n)}, tools=[TOOL] if n == 0 else []
        )
        for n in range(5)
    ]
    assistant = made[0]
    assert beta.assistants.retrieve(assistant.id) == assistant
    changed = beta.assistants.update(assistant.id, name="renamed", instructions="Be brief.", temperature=0.5)
    assert (changed.name, changed.instructions, changed.temperature) == ("renamed", "Be brief.", 0.5)
    assert changed.tools[0].function.name == "get_weather"
    listed = [each.id for each in beta.assistants.list(limit=2, order="asc")]
    assert [each.id for each in made] == [id for id in listed if id in {each.id for each in made}]
    assert len(listed) == len(set(listed))
    page = beta.assistants.list(limit=1, before=made[3].id, order="asc")
    assert page.data[0].id == made[2].id
    deleted = beta.assistants.delete(made[4].id)
    assert (deleted.deleted, deleted.object) == (True, "assistant.deleted")
    try:
        beta.assistants.retrieve(made[4].id)
    except NotFoundError as error:
        found["not_found"] = [error.status_code, error.body["message"].split("'")[0], error.request_id[:4]]
    try:
        client.post(
            "/assistants",
            cast_to=object,
            body={"model": 3},
            options={"headers": {"OpenAI-Beta": "assistants=v2"}},
        )
    except BadRequestError as error:
        found["bad_request"] = [error.code, error.param, error.type]

    # Threads and messages.
    thread = beta.threads.create(messages=[{"role": "user", "content": "Hello"}], metadata={"a": "b"})
    assert beta.threads.retrieve(thread.id) == thread
    assert beta.threads.update(thread.id, metadata={"c": "d"}).metadata == {"c": "d"}
    parts = [
        {"type": "text", "text": "two"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    message = beta.threads.messages.create(thread.id, role="user", content=parts)
    assert [part.type for part in message.content] == ["text", "image_url"]
    assert message.content[0].text.value == "two"
    assert beta.threads.messages.retrieve(message.id, thread_id=thread.id) == message
    moved = beta.threads.messages.update(message.id, thread_id=thread.id, metadata={"k": "v"})
    assert moved.metadata == {"k": "v"}
    assert beta.threads.messages.delete(message.id, thread_id=thread.id).object == "thread.message.deleted"

    # A run, polled.
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=made[1].id)
    assert run.status == "completed", run
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens > 0
    answer = beta.threads.messages.list(thread.id, run_id=run.id).data[0]
    found["answer"] = answer.content[0].text.value
    [step] = beta.threads.runs.steps.list(run_id=run.id, thread_id=thread.id).data
    assert step.step_details.message_creation.message_id == answer.id
    assert beta.threads.runs.steps.retrieve(step.id, run_id=run.id, thread_id=thread.id) == step
    assert beta.threads.runs.update(run.id, thread_id=thread.id, metadata={"x": "y"}).metadata == {"x": "y"}
    assert beta.threads.runs.retrieve(run.id, thread_id=thread.id).metadata == {"x": "y"}
    assert beta.threads.runs.list(thread.id).data[0].id == run.id

    # A run, streamed, with more messages, through an event handler.
    class Handler(AssistantEventHandler):
        def __init__(self) -> None:
            super().__init__()
            self.text, self.done = "", []

        def on_text_delta(self, delta, snapshot) -> None:
            self.text += delta.value or ""

        def on_message_done(self, message) -> None:
            self.done.append(message.content[0].text.value)

    handler = Handler()
    with beta.threads.runs.stream(
        thread_id=thread.id,
        assistant_id=made[1].id,
        additional_messages=[{"role": "user", "content": "chinese"}],
        additional_instructions="Be kind.",
        event_handler=handler,
    ) as stream:
        stream.until_done()
    assert handler.done == [handler.text]
    found["streamed"] = handler.text

    # Function tools, polled.
    thread = beta.threads.create(messages=[{"role": "user", "content": "weather?"}])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "requires_action"
    calls = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": f"{place} degrees"} for place, call in enumerate(calls)]
    found["calls"] = [[call.function.name, json.loads(call.function.arguments)] for call in calls]
    run = beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs
    )
    assert run.status == "completed"
    steps = beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    assert [call.function.output for call in steps[0].step_details.tool_calls] == ["0 degrees", "1 degrees"]

    # Function tools, streamed, the outputs sent while the first stream is still being read.
    class Answering(AssistantEventHandler):
        text = ""

        def on_event(self, event) -> None:
            if event.event == "thread.run.requires_action":
                run = event.data
                calls = run.required_action.submit_tool_outputs.tool_calls
                outputs = [{"tool_call_id": call.id, "output": "3 degrees"} for call in calls]
                with beta.threads.runs.submit_tool_outputs_stream(
                    thread_id=run.thread_id,
                    run_id=run.id,
                    tool_outputs=outputs,
                    event_handler=AssistantEventHandler(),
                ) as inner:
                    Answering.text = "".join(inner.text_deltas)

    with beta.threads.create_and_run_stream(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "talk and call"}]},
        event_handler=Answering(),
    ) as stream:
        stream.until_done()
    found["answered_inside"] = Answering.text

    # Cancel in the middle.
    with beta.threads.create_and_run_stream(
        assistant_id=made[1].id, thread={"messages": [{"role": "user", "content": "slowly"}]}
    ) as stream:
        for event in stream:
            if event.event == "thread.message.delta":
                run = stream.current_run
                if run.status == "in_progress":
                    beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
                    break
        for event in stream:
            last = event
        found["cancelled"] = [last.event, last.data.status, last.data.usage.completion_tokens > 0]
    message = beta.threads.messages.list(run.thread_id).data[0]
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "run_cancelled")

    # Cut by the budget, and failed.
    run = beta.threads.create_and_run_poll(
        assistant_id=made[1].id,
        max_completion_tokens=256,
        thread={"messages": [{"role": "user", "content": "at length"}]},
    )
    found["incomplete"] = [run.status, run.incomplete_details.reason, run.usage.completion_tokens]
    run = beta.threads.create_and_run_poll(
        assistant_id=made[1].id, thread={"messages": [{"role": "user", "content": "break"}]}
    )
    found["failed"] = [run.status, run.last_error.code, run.last_error.message]

    # Models, and a client of the Azure kind.
    model = client.models.list().data[0].id
    assert client.models.retrieve(model).id == model
    azure = AzureOpenAI(
        azure_endpoint=base_url.removesuffix("/v1"), api_key="any", api_version="2024-05-01-preview"
    )
    run = azure.beta.threads.create_and_run_poll(
        assistant_id=made[1].id, thread={"messages": [{"role": "user", "content": "Hello"}]}
    )
    found["azure"] = run.status
    assert beta.threads.delete(thread.id).object == "thread.deleted"
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
