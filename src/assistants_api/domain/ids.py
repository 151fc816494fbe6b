"""Object ids: a prefix and 24 alphanumeric characters, as the service wrote them; files have a hyphen."""

import secrets
import string

from assistants_api.domain.errors import InvalidRequest

_ALPHABET = string.ascii_letters + string.digits

PREFIX_OF = {
    "assistant_id": "asst",
    "thread_id": "thread",
    "message_id": "msg",
    "run_id": "run",
    "step_id": "step",
    "file_id": "file",
    "upload_id": "upload",
    "vector_store_id": "vs",
    "batch_id": "vsfb",
}
_HYPHENATED = frozenset({"file", "chatcmpl"})


def new(prefix: str) -> str:
    """A fresh id such as `run_4fGh…`; the tail is purely alphanumeric (clients match on that)."""
    return beginning(prefix) + "".join(secrets.choice(_ALPHABET) for _ in range(24))


def beginning(prefix: str) -> str:
    """The prefix with what stands between it and the tail."""
    return f"{prefix}-" if prefix in _HYPHENATED else f"{prefix}_"


def check(name: str, value: str) -> str:
    """The id itself, or `InvalidRequest` when it does not begin with the prefix of `name`."""
    prefix = PREFIX_OF[name]
    if not value.startswith(beginning(prefix)):
        raise InvalidRequest(
            f"Invalid '{name}': '{value[:100]}'. Expected an ID that begins with '{prefix}'.",
            param=name,
            code="invalid_value",
        )
    return value
