"""What the server process and the embedding process say to each other; it travels as the engine's does."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Embed:
    """Embed these texts, or only count their tokens."""

    number: int
    texts: tuple[str, ...]
    count_only: bool


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors, float32 row by row, and how many tokens the texts have."""

    number: int
    vectors: bytes
    dimensions: int
    tokens: int


@dataclass(frozen=True, slots=True)
class CannotEmbed:
    """These texts, or (number 0) any texts, will not be embedded."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class EmbedReady:
    """The model is loaded."""

    details: dict[str, Any]
