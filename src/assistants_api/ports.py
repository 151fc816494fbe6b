"""The few Protocols, each with more than one implementation."""

from collections.abc import AsyncGenerator
from typing import Protocol

from assistants_api.domain.prompt import EngineFacts, Part, Prompt


class Engine(Protocol):
    """Turns a prompt into text and tool calls."""

    async def start(self) -> None:
        """Begin to load; returns at once or soon, readiness shows in `describe`."""

    async def close(self) -> None:
        """Stop everything that was started; turns that are open end with `EngineFailed`."""

    def turn(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """One answer: `Started`, then `Thought`, `Text` and `ToolCall` parts, then exactly one `Stop`.

        Closing the generator cancels the turn within one decode step. Raises `EngineFailed` (or
        `ContextOverflow`) when there will be no answer. A turn that is asked for while the model still
        loads waits for it.
        """

    async def count(self, prompt: Prompt) -> int:
        """Tokens of the prompt as the model would read it, `answer_start` included."""

    def describe(self) -> EngineFacts:
        """What this engine is, right now; never blocks."""
