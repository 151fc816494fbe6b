"""The flows on files of the Python SDK, for every SDK version: `python file_flows.py BASE_URL`.

Prints one JSON object; an exception is a failure. Runs outside pytest, in the interpreter that has the SDK.
"""

import json
import sys
import warnings

from openai import AssistantEventHandler, BadRequestError, OpenAI

warnings.simplefilter("ignore", DeprecationWarning)

HANDBOOK = b"Staff get 25 days of holiday a year.\n\nThe office closes at 18:30."


def main(base_url: str) -> dict:
    client = OpenAI(base_url=base_url, api_key="any", _strict_response_validation=True, max_retries=0)
    stores = client.vector_stores
    found: dict = {}

    # Files.
    file = client.files.create(file=("handbook.md", HANDBOOK), purpose="assistants")
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == HANDBOOK
    assert client.files.wait_for_processing(file.id).status == "processed"
    assert file.id in [each.id for each in client.files.list(purpose="assistants")]
    expiring = client.files.create(
        file=("a.txt", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert expiring.expires_at == expiring.created_at + 3600
    assert client.files.delete(expiring.id).deleted
    big = b"0123456789" * 1000
    uploaded = client.uploads.upload_file_chunked(
        file=big,
        filename="big.txt",
        bytes=10_000,
        mime_type="text/plain",
        purpose="assistants",
        part_size=4096,
    )
    found["upload"] = [uploaded.status, uploaded.file.bytes]

    # Vector stores.
    store = stores.create(name="docs", metadata={"a": "b"})
    added = stores.files.upload_and_poll(vector_store_id=store.id, file=("handbook.md", HANDBOOK))
    assert added.status == "completed", added
    csv = client.files.create(file=("t.csv", b"a,b"), purpose="assistants")
    try:
        stores.files.create_and_poll(csv.id, vector_store_id=store.id)
    except BadRequestError as error:
        found["refused"] = [error.code, error.param]
    broken = client.files.create(file=("t.pdf", b"%PDF-1.7 nonsense"), purpose="assistants")
    failed = stores.files.create_and_poll(broken.id, vector_store_id=store.id, attributes={"kind": "table"})
    found["failed"] = [failed.status, failed.last_error.code]
    batch = stores.file_batches.upload_and_poll(
        store.id, files=[(f"{n}.txt", f"Note {n} about zebras.".encode()) for n in range(7)]
    )
    found["batch"] = [batch.status, batch.file_counts.completed, batch.file_counts.total]
    assert len(list(stores.files.list(store.id, limit=3))) == 9
    assert [each.id for each in stores.files.list(store.id, filter="failed")] == [broken.id]
    notes = stores.file_batches.list_files(batch.id, vector_store_id=store.id)
    stores.files.update(notes.data[0].id, vector_store_id=store.id, attributes={"pick": True, "n": 1.5})
    hits = stores.search(
        store.id,
        query="zebras",
        filters={"type": "and", "filters": [{"type": "eq", "key": "pick", "value": True}]},
        ranking_options={"score_threshold": 0.1},
    )
    found["search"] = [len(hits.data), "zebras" in hits.data[0].content[0].text]
    found["content"] = stores.files.content(added.id, vector_store_id=store.id).data[0].text
    assert stores.files.delete(broken.id, vector_store_id=store.id).deleted
    assert stores.retrieve(store.id).file_counts.failed == 0
    assert stores.update(store.id, name="renamed").name == "renamed"

    # A run that searches: polled, then streamed.
    beta = client.beta
    assistant = beta.assistants.create(
        model="gpt-4o",
        tools=[{"type": "file_search", "file_search": {"max_num_results": 5}}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    question = {"role": "user", "content": "How much holiday do I get?"}
    thread = beta.threads.create(messages=[question])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run
    answer = beta.threads.messages.list(thread.id).data[0].content[0].text
    [citation] = answer.annotations
    assert answer.value[citation.start_index : citation.end_index] == citation.text
    cited = client.files.retrieve(citation.file_citation.file_id)
    found["polled"] = [answer.value, cited.filename]
    steps = beta.threads.runs.steps.list(
        run.id,
        thread_id=thread.id,
        order="asc",
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    )
    found["quoted"] = steps.data[0].step_details.tool_calls[0].file_search.results[0].content[0].text[:35]

    class Handler(AssistantEventHandler):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list = []
            self.texts: list = []

        def on_tool_call_done(self, tool_call) -> None:
            self.calls.append(tool_call.type)

        def on_text_done(self, text) -> None:
            self.texts.append([text.value, [each.text for each in text.annotations]])

    attached = beta.threads.create(
        messages=[{**question, "attachments": [{"file_id": file.id, "tools": [{"type": "file_search"}]}]}]
    )
    assert attached.tool_resources.file_search.vector_store_ids
    bare = beta.assistants.create(model="gpt-4o", tools=[{"type": "file_search"}])
    handler = Handler()
    with beta.threads.runs.stream(
        thread_id=attached.id, assistant_id=bare.id, event_handler=handler
    ) as stream:
        stream.until_done()
    found["streamed"] = [sorted(set(handler.calls)), handler.texts]
    assert stores.delete(store.id).deleted

    # Embeddings, which this SDK asks for as base64: more than its own strict types allow.
    lenient = OpenAI(base_url=base_url, api_key="any", max_retries=0)
    vector = lenient.embeddings.create(model="text-embedding-3-small", input="zebra").data[0].embedding
    found["embedding"] = round(sum(value * value for value in vector), 3)
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1]), ensure_ascii=False))
