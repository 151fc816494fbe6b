"""Agency Swarm: an agency of one agent that calls a function."""

import os
import tempfile

from agency_swarm import Agency, Agent, BaseTool, set_openai_client
from common import QUESTION, say
from common import get_weather as answer
from openai import OpenAI
from pydantic import Field

os.chdir(tempfile.mkdtemp())  # it writes its settings beside itself
set_openai_client(OpenAI())


class get_weather(BaseTool):  # noqa: N801 - the tool is called by its class's name
    """The weather of a city."""

    city: str = Field(..., description="The city.")

    def run(self) -> str:
        """What the tool returns."""
        return answer(self.city)


agent = Agent(name="Helper", description="Helps.", instructions="Help.", tools=[get_weather], model="gpt-4o")
agency = Agency([agent], shared_instructions="Be short.")
say({"function": agency.get_completion(QUESTION), "plain": agency.get_completion("Hello")})
