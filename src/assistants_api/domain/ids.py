"""Object ids: a prefix and 24 alphanumeric characters, as the service wrote them."""

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
}


def new(prefix: str, joint: str = "_") -> str:
    """A fresh id such as `run_4fGh…`; the tail is purely alphanumeric (clients match on that)."""
    return prefix + joint + "".join(secrets.choice(_ALPHABET) for _ in range(24))


def check(name: str, value: str) -> str:
    """The id itself, or `InvalidRequest` when it does not begin with the prefix of `name`."""
    prefix = PREFIX_OF[name]
    if not value.startswith(prefix + "_"):
        raise InvalidRequest(
            f"Invalid '{name}': '{value[:100]}'. Expected an ID that begins with '{prefix}'.",
            param=name,
            code="invalid_value",
        )
    return value
