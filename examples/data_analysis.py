"""A question about numbers, answered by code that runs in the sandbox; figures and files are saved here.

The bundled model does this; for documents and questions of your own, take a larger one.
"""

import os
import pathlib
import sys

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")
files = [client.files.create(file=pathlib.Path(path), purpose="assistants").id for path in sys.argv[1:]]
assistant = client.beta.assistants.create(
    model="gpt-4o",
    instructions="Compute with code.",
    tools=[{"type": "code_interpreter"}],
    tool_resources={"code_interpreter": {"file_ids": files}},
)
thread = client.beta.threads.create(messages=[{"role": "user", "content": "What is 37 * 43?"}])
run = client.beta.threads.runs.create_and_poll(
    thread_id=thread.id, assistant_id=assistant.id, temperature=0, tool_choice={"type": "code_interpreter"}
)
for step in client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc"):
    if step.step_details.type == "tool_calls":
        for call in step.step_details.tool_calls:
            print(">>>", call.code_interpreter.input)
            for output in call.code_interpreter.outputs:
                print(output.logs if output.type == "logs" else f"[figure {output.image.file_id}]")
for part in reversed(client.beta.threads.messages.list(thread.id).data[0].content):
    if part.type == "text":
        print(part.text.value)
    elif part.type == "image_file":
        client.files.content(part.image_file.file_id).write_to_file(f"{part.image_file.file_id}.png")
