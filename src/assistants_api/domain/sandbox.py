"""What code run in the sandbox puts out, and what the sandbox says of itself."""

from dataclasses import dataclass, field

from assistants_api.domain.errors import Problem


@dataclass(frozen=True, slots=True)
class Logs:
    """Text as the code printed it, as its last expression shows, or as its error reads."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A figure or picture that the code displayed; `png` is the whole file."""

    png: bytes


@dataclass(frozen=True, slots=True)
class FileMade:
    """A file under /mnt/data that the code made or changed; `name` is relative to there, `size` in bytes.

    Name and size are the guest's own word: nothing on the host is opened by that name.
    """

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Done:
    """The last output of a cell.

    `is_new`: the cell ran in a session without earlier state. `has_failed`: the code raised, was
    interrupted or was killed. `ended`: why the session is gone now (a sentence), or None while it lives.
    """

    is_new: bool
    has_failed: bool
    files: tuple[FileMade, ...] = ()
    ended: str | None = None


Output = Logs | Image | FileMade | Done


@dataclass(frozen=True, slots=True)
class SandboxFacts:
    """What runs code here, as operators see it.

    `tier` is `bubblewrap`, `landlock` or `off`; `reason` says why no better tier is active (empty for the
    best); `details` holds counts and limits.
    """

    tier: str
    reason: str
    details: dict[str, object] = field(default_factory=dict)

    @property
    def is_on(self) -> bool:
        """Whether code can be run at all."""
        return self.tier != "off"


class SandboxOff(Problem):
    """No code is run here; the message says why."""


class SessionEnded(Problem):
    """The session is gone, with its variables and files; the message says why."""
