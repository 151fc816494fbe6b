"""AutoGen 0.2's GPTAssistantAgent in a conversation with a user's stand-in."""

from autogen import UserProxyAgent
from autogen.agentchat.contrib.gpt_assistant_agent import GPTAssistantAgent
from common import QUESTION, base_url, get_weather, say

parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
function = {"name": "get_weather", "description": "The weather.", "parameters": parameters}
agent = GPTAssistantAgent(
    name="helper",
    instructions="Help.",
    overwrite_instructions=True,
    overwrite_tools=True,
    llm_config={"config_list": [{"model": "gpt-4o", "api_key": "any", "base_url": base_url}]},
    assistant_config={"tools": [{"type": "code_interpreter"}, {"type": "function", "function": function}]},
)
agent.register_function({"get_weather": get_weather})
user = UserProxyAgent(
    "user", code_execution_config=False, human_input_mode="NEVER", max_consecutive_auto_reply=0
)
user.initiate_chat(agent, message=QUESTION)
user.send("Hello", agent, request_reply=True)
said = [message["content"].strip() for message in agent.chat_messages[user] if message["name"] == "helper"]
agent.reset()
agent.delete_assistant()
say({"said": said})
