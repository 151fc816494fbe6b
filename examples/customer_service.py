"""Customer service: what a customer wants, and about what, as JSON by a schema.

Shows `response_format` with a JSON schema on an assistant. The schema is enforced while the model writes, so an
answer always parses, whatever the model; how well it understands is up to the model (the bundled one is too small
to get it right). Needs a server and `pip install openai`. Give messages as arguments, or take those below.
"""

import json
import os
import sys

from openai import OpenAI

MESSAGES = [
    "My parcel 48213 has not arrived, it should have been here on Monday.",
    "I was charged twice for the blue lamp. Please give me my money back.",
]
INTENTS = ["order_status", "refund", "complaint", "product_question", "cancel_order", "other"]
ENTITY = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["order_number", "product", "date", "amount", "person", "place"]},
        "value": {"type": "string", "maxLength": 40},
    },
    "required": ["kind", "value"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {
        "intents": {"type": "array", "items": {"enum": INTENTS}, "minItems": 1, "maxItems": 2},
        "entities": {"type": "array", "items": ENTITY, "maxItems": 4},
        "urgent": {"type": "boolean"},
    },
    "required": ["intents", "entities", "urgent"],
    "additionalProperties": False,
}

client = OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")
assistant = client.beta.assistants.create(
    model="gpt-4o",
    name="Customer service",
    instructions="Read the customer's message. Say what the customer wants (intents), which things are named"
    " (entities), and whether it is urgent. Do not answer the customer.",
    response_format={"type": "json_schema", "json_schema": {"name": "request", "strict": True, "schema": SCHEMA}},
    temperature=0,
)
for words in sys.argv[1:] or MESSAGES:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": words}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    answer = client.beta.threads.messages.list(thread.id, limit=1).data[0].content[0].text.value
    print(words)
    if run.status != "completed":
        sys.exit(f"The run is {run.status}: {run.last_error or run.incomplete_details}")
    found = json.loads(answer)
    print("  intents:", ", ".join(found["intents"]), "| urgent:", found["urgent"])
    for entity in found["entities"]:
        print(f"  {entity['kind']}: {entity['value']}")
