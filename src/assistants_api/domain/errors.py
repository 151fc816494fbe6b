"""What can be wrong, in the domain's words; none of these knows HTTP."""


class Problem(Exception):
    """Something is wrong; `message`, `param` and `code` are what a client is told."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class InvalidRequest(Problem):
    """The caller asked for something that cannot be done as asked."""


class ThreadBusy(InvalidRequest):
    """A run holds the thread: `run_id`."""

    def __init__(self, message: str, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class NotFound(Problem):
    """There is no such object, or not under that parent."""


class Unavailable(Problem):
    """A part that is needed is away; the same request may work later."""


class DatabaseAway(Unavailable):
    """The database does not answer, or takes nothing, at the moment."""


class Closing(Unavailable):
    """This process ends and others go on: a stream is cut here and can be read on elsewhere."""

    def __init__(self) -> None:
        super().__init__(
            "This server stops. Ask again; a run goes on: read its events after the last id, or poll it.",
            code="server_stopping",
        )


class KeyInUse(Problem):
    """A request with the same idempotency key is still being answered."""


class KeyReused(Problem):
    """The idempotency key stands for another request."""


class TooManyRequests(Problem):
    """The server has more work than it may hold; `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message, code="rate_limit_exceeded")
        self.retry_after = retry_after


class EngineFailed(Problem):
    """The engine ended a turn without an answer; `code` is a `last_error` code.

    Codes: `server_error`, `rate_limit_exceeded`, `invalid_prompt`; `context_length_exceeded` is
    raised as `ContextOverflow`.
    """

    def __init__(self, message: str, *, code: str = "server_error") -> None:
        super().__init__(message, code=code)


class ContextOverflow(EngineFailed):
    """The prompt can never fit the model's context window."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_prompt")


class Conflict(Exception):
    """A compare-and-swap found another state than the one it started from."""


class LostLease(Exception):
    """Another attempt owns this job now; whoever holds the old one must stop at once."""


class IllegalMove(Exception):
    """Our own code tried a step that the state machine does not allow."""
