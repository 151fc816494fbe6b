"""Models on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from assistants_api.domain.prompt import EngineFacts


class Capabilities(BaseModel):
    """What can be asked of a model here."""

    tools: bool
    structured_output: bool
    vision: bool
    logprobs: bool


class Model(BaseModel):
    """A served model; `context_length`, `capabilities` and `root` are extensions."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str = Field(description="The served model that this name stands for.")
    context_length: int | None = Field(
        description="Tokens that prompt and answer may have together; null while that is not known."
    )
    capabilities: Capabilities

    @classmethod
    def named(cls, name: str, created_at: datetime, engine: EngineFacts) -> "Model":
        """The model of this name."""
        return cls(
            id=name,
            object="model",
            created=int(created_at.timestamp()),
            owned_by="assistants-api",
            root=engine.model,
            context_length=engine.context_window or None,
            capabilities=Capabilities(
                tools=True,
                structured_output=engine.has_structured_output,
                vision=engine.has_vision,
                logprobs=True,
            ),
        )


class ListModelsResponse(BaseModel):
    """Every served model."""

    object: Literal["list"]
    data: list[Model] = Field(description="The served model first, then its aliases.")
