"""The README's lines: a store of documents, a question, an answer with its citation resolved.

The bundled model does this; for documents and questions of your own, take a larger one.
"""

import os
import pathlib
import sys

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")
store = client.vector_stores.create(name="handbook")
paths = [pathlib.Path(argument) for argument in sys.argv[1:]]
if paths:
    batch = client.vector_stores.file_batches.upload_and_poll(store.id, files=paths)
    print(f"{batch.file_counts.completed} of {batch.file_counts.total} files are indexed")
else:
    client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id,
        file=("handbook.md", b"The office opens at 8:00. The office closes at 18:30."),
    )
assistant = client.beta.assistants.create(
    model="gpt-4o",
    instructions="Answer from the files, and cite them.",
    tools=[{"type": "file_search"}],
    tool_resources={"file_search": {"vector_store_ids": [store.id]}},
)
question = "When does the office close?" if not paths else input("Question: ")
thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
run = client.beta.threads.runs.create_and_poll(
    thread_id=thread.id, assistant_id=assistant.id, temperature=0, tool_choice={"type": "file_search"}
)
answer = client.beta.threads.messages.list(thread.id).data[0].content[0].text
print(answer.value)
for citation in answer.annotations:
    print(citation.text, "is", client.files.retrieve(citation.file_citation.file_id).filename)
