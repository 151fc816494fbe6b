"""AutoGen's assistant agent: a function, a file that is searched, a file for code."""

import asyncio

from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken
from autogen_core.tools import FunctionTool
from autogen_ext.agents.openai import OpenAIAssistantAgent
from common import HANDBOOK, QUESTION, SALES, get_weather, say, written
from openai import AsyncOpenAI


async def main() -> dict[str, object]:
    """One agent through all it can do."""
    token = CancellationToken()
    agent = OpenAIAssistantAgent(
        name="helper",
        description="Helps.",
        client=AsyncOpenAI(),
        model="gpt-4o",
        instructions="Help.",
        tools=[FunctionTool(get_weather, description="The weather."), "code_interpreter", "file_search"],
    )

    async def ask(text: str) -> str:
        return (
            await agent.on_messages([TextMessage(source="user", content=text)], token)
        ).chat_message.content

    found: dict[str, object] = {"function": await ask(QUESTION), "plain": await ask("Hello")}
    await agent.on_upload_for_file_search([written("handbook.txt", HANDBOOK)], token)
    found["files"] = await ask("How much holiday?")
    await agent.on_upload_for_code_interpreter([written("sales.csv", SALES)], token)
    found["code"] = await ask("bar chart please")
    await agent.on_reset(token)
    found["after_reset"] = await ask("Hello")
    await agent.delete_uploaded_files(token)
    await agent.delete_vector_store(token)
    await agent.delete_assistant(token)
    return found


say(asyncio.run(main()))
