"""Models on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class Model(BaseModel):
    """A served model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str

    @classmethod
    def named(cls, name: str, created_at: datetime) -> "Model":
        """The model of this name."""
        return cls(id=name, object="model", created=int(created_at.timestamp()), owned_by="assistants-api")


class ListModelsResponse(BaseModel):
    """Every served model."""

    object: Literal["list"]
    data: list[Model] = Field(description="The served model first, then its aliases.")
