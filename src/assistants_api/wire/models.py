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


class Details(BaseModel):
    """How a local model runs here; everything is null until it is loaded, and for models elsewhere."""

    state: str = Field(description="ready, loading, stopped (loaded on demand) or failed.")
    architecture: str | None = None
    parameters: int | None = None
    dtype: str | None = None
    device: str | None = None
    chat_template: str | None = Field(None, description="own, or plain where the model has none.")
    tool_template: str | None = Field(
        None, description="hermes, llama or mistral (the model's own form), or generic (ours, Hermes form)."
    )
    reasoning: str | None = Field(None, description="apart where blocks of reasoning are told apart.")
    one_at_a_time: str | None = Field(None, description="Why answers are written one after another, if so.")

    @classmethod
    def of(cls, engine: EngineFacts) -> "Details":
        """What the engine tells, as far as it is shown."""
        known = {name: engine.details.get(name) for name in cls.model_fields if name != "state"}
        return cls(state=engine.state, **known)


class Model(BaseModel):
    """A served model; `context_length`, `capabilities`, `details` and `root` are extensions."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str = Field(description="The served model that this name stands for.")
    context_length: int | None = Field(
        description="Tokens that prompt and answer may have together; null while that is not known."
    )
    capabilities: Capabilities
    details: Details

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
            details=Details.of(engine),
        )


class ListModelsResponse(BaseModel):
    """Every served model."""

    object: Literal["list"]
    data: list[Model] = Field(description="The served model first, then its aliases.")
