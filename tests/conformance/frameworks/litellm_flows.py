"""LiteLLM's assistants, threads and runs, and its completions."""

import asyncio

import litellm
from common import base_url, say

where = {"custom_llm_provider": "openai", "api_base": base_url, "api_key": "any"}
hello = [{"role": "user", "content": "Hello"}]


def last(thread: object) -> str:
    """What a thread's newest message says."""
    return litellm.get_messages(thread_id=thread.id, **where).data[0].content[0].text.value


assistant = litellm.create_assistants(model="gpt-4o", instructions="Help.", name="Helper", **where)
thread = litellm.create_thread(messages=hello, **where)
run = litellm.run_thread(thread_id=thread.id, assistant_id=assistant.id, **where)
said = last(thread)
litellm.add_message(thread_id=thread.id, role="user", content="Hello", **where)
with litellm.run_thread_stream(thread_id=thread.id, assistant_id=assistant.id, **where) as stream:
    stream.until_done()


async def asynchronous() -> str:
    """The last event of a stream."""
    thread = await litellm.acreate_thread(messages=hello, **where)
    async with litellm.arun_thread_stream(thread_id=thread.id, assistant_id=assistant.id, **where) as stream:
        events = [event.event async for event in stream]
    return events[-1]


chat = {"model": "openai/gpt-4o", "api_base": base_url, "api_key": "any", "messages": hello}
say(
    {
        "status": run.status,
        "said": said,
        "streamed": last(thread),
        "last_event": asyncio.run(asynchronous()),
        "is_listed": assistant.id in [each.id for each in litellm.get_assistants(**where).data],
        "is_deleted": litellm.delete_assistant(assistant_id=assistant.id, **where).deleted,
        "chat": litellm.completion(**chat).choices[0].message.content,
    }
)
