"""API keys: how one is made, shown and compared. Only digests are stored.

192 random bits need no slow hash: a digest cannot be reversed by guessing.
"""

import hashlib
import secrets

_PREFIX = "sk-aa-"


def new_secret() -> str:
    """A fresh key."""
    return _PREFIX + secrets.token_urlsafe(24)


def digest(secret: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def hint(secret: str) -> str:
    """A key's visible beginning and end, in the form that error messages use."""
    return f"{secret[:8]}***{secret[-4:]}" if len(secret) > 16 else f"{secret[:2]}***{secret[-2:]}"
