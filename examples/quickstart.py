"""The README's lines: an assistant, a thread, a streamed answer."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")
assistant = client.beta.assistants.create(model="gpt-4o", instructions="You are a helpful assistant.")
thread = client.beta.threads.create(messages=[{"role": "user", "content": "What is a token?"}])
with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
    for text in stream.text_deltas:
        print(text, end="", flush=True)
print()
