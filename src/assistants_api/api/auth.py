"""Who may call: keys from the settings and from the database; with none anywhere, everybody on loopback."""

import base64
import hmac
import time

from assistants_api.domain.secret import digest, hint
from assistants_api.store.database import Database

_REFRESH_SECONDS = 2.0


class KeyRing:
    """Knows the keys in force; those of the database are read again every two seconds."""

    def __init__(self, db: Database, configured: tuple[str, ...]) -> None:
        self._db = db
        self._configured = frozenset(digest(key) for key in configured)
        self._digests = self._configured
        self._read_at = float("-inf")

    async def refusal(self, headers: dict[bytes, bytes]) -> tuple[str, str | None] | None:
        """None for a caller who may pass; else the message and code to refuse with."""
        if time.monotonic() - self._read_at > _REFRESH_SECONDS:
            async with self._db.read() as tx:
                self._digests = self._configured | await tx.keys.digests()
            self._read_at = time.monotonic()
        if not self._digests:
            return None
        secret = secret_of(headers)
        if not secret:
            return "Missing bearer or basic authentication in header", None
        given = digest(secret)
        if any(hmac.compare_digest(given, known) for known in self._digests):
            return None
        message = (
            f"Incorrect API key provided: {hint(secret)}."
            " You can find your API key at https://platform.openai.com/account/api-keys."
        )
        return message, "invalid_api_key"


def secret_of(headers: dict[bytes, bytes]) -> str:
    """The key that a caller shows, in any of the ways; empty without one."""
    if b"api-key" in headers:
        return headers[b"api-key"].decode("latin-1").strip()
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode("utf-8").rpartition(":")[2]
        except ValueError:  # not ASCII, not base64, or not UTF-8 inside
            return ""
    return ""
