"""What a local model engine is started with; knows no torch, so that the server process stays light."""

from dataclasses import dataclass, field
from pathlib import Path

BUNDLED_MODEL = Path(__file__).resolve().parent.parent / "bundled"


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Which model runs, where, and within which limits.

    `model` is a local folder or a hub id; `adapter` a folder with a LoRA adapter for it. `is_compiled`
    makes one program of a decode step at load, which takes a C++ compiler. `threads` is how many may share a
    step, fewer where that is quicker; None means the cores that this process may use. `dedicated` keeps their
    number and lets them wait for each other awake without end: for cores that nobody else uses. `kv_bytes`
    None means a share of the memory that is free after the model is loaded. `draft_tokens` is how many tokens
    of one answer a step may guess ahead. A child that has been silent for `silent_after` seconds, or in one
    step for `stuck_after`, is taken for hung and replaced.
    """

    model: str | Path = BUNDLED_MODEL
    name: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    adapter: Path | None = None
    is_compiled: bool = False
    max_rows: int = 16
    max_context: int | None = None
    threads: int | None = None
    kv_bytes: int | None = None
    parked_share: float = 0.5
    prefill_chunk: int = 512
    stall_budget: float = 0.1
    draft_tokens: int = 8
    dedicated: bool = False
    offline: bool = False
    silent_after: float = 15.0
    stuck_after: float = 120.0
    restart_after: float = 0.2
    environment: tuple[tuple[str, str], ...] = field(default=())

    @property
    def served_name(self) -> str:
        """The name under which the model is listed."""
        if self.name:
            return self.name
        if Path(self.model) == BUNDLED_MODEL:
            return "assistants-api-bundled"
        folder = Path(self.model)
        return folder.name if folder.is_dir() else str(self.model)
