"""LangChain's assistant runnables, chat model and embeddings."""

from common import HANDBOOK, QUESTION, get_weather, say
from langchain_classic.agents import AgentExecutor
from langchain_classic.agents.openai_assistant import OpenAIAssistantRunnable
from langchain_community.agents.openai_assistant import OpenAIAssistantV2Runnable
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import OpenAI
from pydantic import BaseModel

weather = tool(get_weather)


class Place(BaseModel):
    """What a structured answer has."""

    city: str
    degrees: int


def with_function(kind: type) -> str:
    """The agent's answer after it has called a function."""
    agent = kind.create_assistant(
        name="Helper", instructions="Help.", tools=[weather], model="gpt-4o", as_agent=True
    )
    return AgentExecutor(agent=agent, tools=[weather]).invoke({"content": QUESTION})["output"]


def from_files() -> tuple[str, int]:
    """An answer from a file, and how many sources it cites."""
    file = OpenAI().files.create(file=("handbook.txt", HANDBOOK), purpose="assistants")
    agent = OpenAIAssistantV2Runnable.create_assistant(
        name="Files", instructions="Answer from the files.", tools=[{"type": "file_search"}], model="gpt-4o"
    )
    attachments = [{"file_id": file.id, "tools": [{"type": "file_search"}]}]
    said = agent.invoke({"content": "How much holiday?"}, attachments=attachments)[0].content[0].text
    return said.value, len(said.annotations)


chat = ChatOpenAI(model="gpt-4o")
plain = OpenAIAssistantRunnable.create_assistant(
    name="Helper", instructions="Help.", tools=[{"type": "code_interpreter"}], model="gpt-4o"
)
text, sources = from_files()
say(
    {
        "plain": plain.invoke({"content": "Hello"})[0].content[0].text.value,
        "function": with_function(OpenAIAssistantRunnable),
        "function_v2": with_function(OpenAIAssistantV2Runnable),
        "files": text,
        "sources": sources,
        "chat": chat.invoke("Hello").content,
        "streamed": "".join(piece.content for piece in chat.stream("Hello")),
        "calls": [call["args"] for call in chat.bind_tools([weather]).invoke(QUESTION).tool_calls],
        "structured": chat.with_structured_output(Place).invoke("as data").model_dump(),
        "vector": len(OpenAIEmbeddings(check_embedding_ctx_length=False).embed_query("Hello")) > 0,
    }
)
