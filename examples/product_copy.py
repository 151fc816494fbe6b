"""Product copy: a text for a web shop, streamed, with its tone and length given in the instructions.

Shows streaming with `text_deltas`, `additional_instructions` for one run, and `max_completion_tokens` as a hard
limit beside the soft one in the words. Needs a server and `pip install openai`; the bundled model is too small to
write well, but streams all the same. Give a product and a tone as arguments.
"""

import os
import sys

from openai import OpenAI

product = sys.argv[1] if len(sys.argv) > 1 else "A steel water bottle, 750 ml, keeps drinks cold for 24 hours"
tone = sys.argv[2] if len(sys.argv) > 2 else "warm and plain, without superlatives"

client = OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")
assistant = client.beta.assistants.create(
    model="gpt-4o",
    name="Product copy",
    instructions="You write texts for a web shop: a headline, then one paragraph of two or three sentences."
    " Use only what you are told about the product.",
)
thread = client.beta.threads.create(messages=[{"role": "user", "content": f"Write about this product: {product}"}])
with client.beta.threads.runs.stream(
    thread_id=thread.id,
    assistant_id=assistant.id,
    additional_instructions=f"The tone is {tone}. Not more than 60 words.",
    max_completion_tokens=256,
    temperature=0.7,
) as stream:
    for text in stream.text_deltas:
        print(text, end="", flush=True)
    run = stream.current_run
print()
if run.status == "incomplete":
    print(f"[cut: {run.incomplete_details.reason}]")
print(f"[{run.usage.completion_tokens} tokens]")
