"""`POST /assist` on the wire."""

from pydantic import BaseModel, Field

from assistants_api.wire.base import Request
from assistants_api.wire.messages import MAX_TEXT
from assistants_api.wire.runs import UsageObject


class AssistRequest(Request):
    """One question."""

    question: str = Field(min_length=1, max_length=MAX_TEXT)
    thread_id: str | None = Field(None, description="Go on with this thread; without it a new one is made.")
    assistant_id: str | None = Field(None, description="Ask this assistant; without it the default one.")
    stream: bool | None = None


class AssistResponse(BaseModel):
    """One answer, and where it is kept."""

    response: str
    thread_id: str
    run_id: str
    model: str
    usage: UsageObject | None
