"""No code is run here, and everybody is told why."""

from assistants_api.domain.sandbox import SandboxFacts, SandboxOff
from assistants_api.sandbox.session import JailedSession


class OffSandbox:
    """Refuses every session."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def start(self) -> None:
        """There is nothing to try."""

    async def open(self, *, preload: bool = False) -> JailedSession:
        """Raises `SandboxOff`."""
        raise SandboxOff(f"code_interpreter is off on this server: {self._reason}.")

    def describe(self) -> SandboxFacts:
        """Off, and why."""
        return SandboxFacts("off", self._reason)

    async def close(self) -> None:
        """There is nothing to end."""
