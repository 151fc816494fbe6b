"""What lies beside each other in a store of blobs: blobs, and the mark of whose they are."""

import re
import secrets

OWNER = "owner"
_KEY = re.compile(r"[0-9a-f]{32}")


def new_key() -> str:
    """A key that no other blob has."""
    return secrets.token_hex(16)


def is_key(name: str) -> bool:
    """Whether something of this name may be a blob of ours."""
    return _KEY.fullmatch(name) is not None
