"""Semantic Kernel's assistant agent: answers, streams, code, messages."""

import asyncio

from common import SALES, say
from openai import AsyncOpenAI
from semantic_kernel.agents import AssistantAgentThread, OpenAIAssistantAgent


async def main() -> dict[str, object]:
    """Two agents, one of which runs code."""
    client = AsyncOpenAI()
    plain = await client.beta.assistants.create(model="gpt-4o", name="Helper", instructions="Help.")
    agent = OpenAIAssistantAgent(client=client, definition=plain)
    answer = await agent.get_response("Hello")
    thread = answer.thread
    streamed = [str(piece) async for piece in agent.invoke_stream("Hello", thread=thread)]
    roles = [str(message.role) async for message in thread.get_messages()]
    await thread.delete()

    file = await client.files.create(file=("sales.csv", SALES), purpose="assistants")
    tools, resources = OpenAIAssistantAgent.configure_code_interpreter_tool(file_ids=[file.id])
    coding = OpenAIAssistantAgent(
        client=client,
        definition=await client.beta.assistants.create(
            model="gpt-4o", name="Coder", tools=tools, tool_resources=resources
        ),
    )
    kinds: list[str] = []
    async for reply in coding.invoke("bar chart please", thread=AssistantAgentThread(client=client)):
        kinds += [type(item).__name__ for item in reply.items]
    return {
        "plain": str(answer),
        "streamed": "".join(streamed),
        "roles": roles,
        "kinds": sorted(set(kinds)),
    }


say(asyncio.run(main()))
