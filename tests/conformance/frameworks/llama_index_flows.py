"""LlamaIndex's assistant agent: a function, memory, a second agent on the same thread."""

from common import QUESTION, get_weather, say
from llama_index.agent.openai import OpenAIAssistantAgent
from llama_index.core.tools import FunctionTool

tools = [FunctionTool.from_defaults(get_weather)]
agent = OpenAIAssistantAgent.from_new(
    name="Helper",
    instructions="Help.",
    tools=tools,
    openai_tools=[{"type": "code_interpreter"}],
    run_retrieve_sleep_time=0.05,
    model="gpt-4o",
)
function = str(agent.chat(QUESTION))
again = OpenAIAssistantAgent.from_existing(
    agent.assistant.id, thread_id=agent.thread_id, tools=tools, run_retrieve_sleep_time=0.05
)
plain = str(again.chat("Hello"))
history = [message.content for message in agent.chat_history]
agent.reset()
say({"function": function, "plain": plain, "history": history, "after_reset": agent.chat_history})
