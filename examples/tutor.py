"""A tutor: one thread over several turns, which is the tutor's memory.

Shows that a thread keeps the whole talk: each run is given what was said before, cut to the model's window by the
`truncation_strategy`, and a later start of this script goes on where it ended (the thread's id is printed; give it
as argument). Needs a server and `pip install openai`. Without a terminal it asks the questions below.
"""

import os
import sys

from openai import OpenAI

QUESTIONS = ["What is a token?", "And what is a context window?", "What did I ask you first?"]

client = OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")
assistant = client.beta.assistants.create(
    model="gpt-4o",
    name="Tutor",
    instructions="You are a patient tutor. Explain one thing at a time in short sentences, build on what was said"
    " before, and end with one question that shows whether it was understood.",
)
thread_id = sys.argv[1] if len(sys.argv) > 1 else client.beta.threads.create(metadata={"title": "Tutor"}).id


def ask(question: str) -> None:
    """One turn: the question is added to the thread, the answer streamed."""
    with client.beta.threads.runs.stream(
        thread_id=thread_id,
        assistant_id=assistant.id,
        additional_messages=[{"role": "user", "content": question}],
        truncation_strategy={"type": "last_messages", "last_messages": 20},
    ) as stream:
        for text in stream.text_deltas:
            print(text, end="", flush=True)
    print()


if sys.stdin.isatty():
    while question := input("> ").strip():
        ask(question)
else:
    for question in QUESTIONS:
        print(">", question)
        ask(question)
said = client.beta.threads.messages.list(thread_id, order="asc")
print(f"[{thread_id} now has {len(list(said))} messages]")
