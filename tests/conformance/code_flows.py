"""The code_interpreter flows of the Python SDK: `python code_flows.py BASE_URL`; prints one JSON object."""

import json
import sys
import warnings

from openai import AssistantEventHandler, OpenAI

warnings.simplefilter("ignore", DeprecationWarning)


class Handler(AssistantEventHandler):
    """What a streaming chat shows of code."""

    def __init__(self) -> None:
        super().__init__()
        self.input = ""
        self.logs = ""
        self.images = 0
        self.files: list = []

    def on_tool_call_delta(self, delta, snapshot) -> None:
        if delta.type == "code_interpreter" and delta.code_interpreter:
            self.input += delta.code_interpreter.input or ""
            for output in delta.code_interpreter.outputs or []:
                if output.type == "logs":
                    self.logs += output.logs
                else:
                    self.images += 1

    def on_image_file_done(self, image_file) -> None:
        self.files.append(image_file.file_id)


def main(base_url: str) -> dict:
    client = OpenAI(base_url=base_url, api_key="any", _strict_response_validation=True, max_retries=0)
    beta = client.beta
    csv = client.files.create(file=("sales.csv", b"region,sum\nnorth,3\nsouth,5\n"), purpose="assistants")
    assistant = beta.assistants.create(
        model="gpt-4o",
        tools=[{"type": "code_interpreter"}],
        tool_resources={"code_interpreter": {"file_ids": [csv.id]}},
    )
    thread = beta.threads.create(messages=[{"role": "user", "content": "Draw a bar chart of the sales."}])
    handler = Handler()
    with beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        stream.until_done()
        [message] = stream.get_final_messages()
    stored = beta.threads.messages.list(thread.id).data[0]
    assert stored == message
    image, text = stored.content
    [link] = text.text.annotations
    assert text.text.value[link.start_index : link.end_index] == link.text
    assert [each.file_id for each in stored.attachments] == [link.file_path.file_id]
    picture = client.files.retrieve(image.image_file.file_id)
    run = beta.threads.runs.list(thread.id).data[0]
    step = beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data[0]
    code = step.step_details.tool_calls[0].code_interpreter
    assert code.input == handler.input

    # Attached to a message, and the same session in a second run.
    attachment = {"file_id": csv.id, "tools": [{"type": "code_interpreter"}]}
    more = {"role": "user", "content": "What was the total again?", "attachments": [attachment]}
    polled = beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, additional_messages=[more]
    )
    assert polled.status == "completed", polled
    return {
        "input": handler.input.startswith("import pandas"),
        "logs": handler.logs,
        "images": handler.images,
        "shown": handler.files == [image.image_file.file_id],
        "png": client.files.content(picture.id).read()[:4].hex(),
        "purpose": picture.purpose,
        "outputs": [output.type for output in code.outputs],
        "link": link.text,
        "linked": client.files.content(link.file_path.file_id).read().decode(),
        "second": beta.threads.messages.list(thread.id).data[0].content[0].text.value,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
