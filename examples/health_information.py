"""A health-information desk: answers from one leaflet only, always with its sources and its limits.

Shows `file_search` with citations that are resolved to the quoted words, and two things that a program should not
leave to the model: the sources are printed from the run's own search results (also when the model cites nothing),
and the notice is printed by the script. Needs a server and `pip install openai`; the bundled model finds the right
text, but is too small to answer well from it. The leaflet below is an example and no medical advice.
"""

import os
import sys

from openai import OpenAI

LEAFLET = """# Fever in adults

A temperature of 38 degrees or more, measured in the ear or under the tongue, is called fever.
Fever is mostly a sign that the body fights an infection. It often passes within three days.

## What you can do

Drink enough: one and a half to two litres of water or tea a day. Rest. Wear light clothes.
Paracetamol lowers a fever. Read the leaflet in the package, and do not take more than it says.

## When to see a doctor

See a doctor when the fever lasts longer than three days, or rises above 39.5 degrees.
Call an ambulance at once for a stiff neck, trouble with breathing, confusion, or a rash that
does not fade under pressure.
"""
NOTICE = "This is general information and no diagnosis. In an emergency call your local emergency number."
RESULTS = "step_details.tool_calls[*].file_search.results[*].content"

client = OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")
store = client.vector_stores.create(name="Health leaflets", expires_after={"anchor": "last_active_at", "days": 1})
client.vector_stores.files.upload_and_poll(
    vector_store_id=store.id,
    file=("fever.md", LEAFLET.encode()),
    chunking_strategy={"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}},
)
assistant = client.beta.assistants.create(
    model="gpt-4o",
    name="Health information",
    instructions="Answer only from the files, and cite them. If the files do not say it, say that you do not know."
    " Never guess a diagnosis or a dose; say when to see a doctor.",
    tools=[{"type": "file_search"}],
    tool_resources={"file_search": {"vector_store_ids": [store.id]}},
)
question = " ".join(sys.argv[1:]) or "When should I see a doctor with a fever?"
thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
run = client.beta.threads.runs.create_and_poll(
    thread_id=thread.id, assistant_id=assistant.id, temperature=0, tool_choice={"type": "file_search"}
)
if run.status != "completed":
    sys.exit(f"The run is {run.status}: {run.last_error or run.incomplete_details}")
answer = client.beta.threads.messages.list(thread.id, limit=1).data[0].content[0].text
print(question, answer.value, sep="\n\n")

print("\nSources:")
for annotation in answer.annotations:
    print(f"  cited {annotation.text}: {client.files.retrieve(annotation.file_citation.file_id).filename}")
for listed in client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc"):
    step = client.beta.threads.runs.steps.retrieve(listed.id, run_id=run.id, thread_id=thread.id, include=[RESULTS])
    calls = step.step_details.tool_calls if step.step_details.type == "tool_calls" else []
    for result in [result for call in calls for result in call.file_search.results or []]:
        words = " ".join(part.text for part in result.content or [] if part.text)
        print(f"  read {result.file_name} ({result.score:.2f}): {' '.join(words.split())[:90]}...")
print(f"\n{NOTICE}")
