"""Who may call: keys from the settings and from the database.

Where there never was a key, everybody on loopback may, except pages of other hosts in a browser.
"""

import base64
import hmac
import time
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from assistants_api.domain.secret import digest, hint
from assistants_api.store.database import Database

_REFRESH_SECONDS = 2.0


class KeyRing:
    """Knows the keys in force; those of the database are read again every two seconds."""

    def __init__(self, db: Database, configured: tuple[str, ...]) -> None:
        self._db = db
        self._configured = frozenset(digest(key) for key in configured)
        self._digests = self._configured
        self.is_open = not configured  # to everybody: there never was a key
        self._read_at = float("-inf")

    async def refusal(self, headers: dict[bytes, bytes]) -> tuple[str, str | None] | None:
        """None for a caller who may pass; else the message and code to refuse with.

        A key of the settings opens without the database, which may be away.
        """
        secret = secret_of(headers)
        given = digest(secret)
        if secret and _is_among(given, self._configured):
            return None
        if time.monotonic() - self._read_at > _REFRESH_SECONDS:
            async with self._db.read() as tx:
                self._digests = self._configured | await tx.keys.digests()
                self.is_open = not self._configured and not await tx.keys.were_made()
            self._read_at = time.monotonic()
        if self.is_open:
            return None
        if not secret:
            return "Missing bearer or basic authentication in header", None
        if _is_among(given, self._digests):
            return None
        message = (
            f"Incorrect API key provided: {hint(secret)}."
            " You can find your API key at https://platform.openai.com/account/api-keys."
        )
        return message, "invalid_api_key"


def _is_among(given: str, known: Collection[str]) -> bool:
    return any(hmac.compare_digest(given, each) for each in known)


def is_foreign(headers: dict[bytes, bytes], origins: Collection[str]) -> bool:
    """Whether a page of another host asks, from a browser that runs on this machine.

    Such a page can post without asking first, and by giving its own name our address it can read too (DNS
    rebinding): then the name that is asked for is not ours. `origins` may ask all the same, and so may apps
    whose origin is no web page.
    """
    origin = headers.get(b"origin", b"").decode("latin-1")
    if origin in origins and origin:
        return False
    if headers.get(b"sec-fetch-site") in (b"same-origin", b"none"):  # no script can say so
        origin = ""
    if origin == "null" or (origin.startswith(("http://", "https://")) and not _is_local(origin)):
        return True
    is_browser = bool(origin) or headers.get(b"user-agent", b"").startswith(b"Mozilla/")
    return is_browser and not _is_local("//" + headers.get(b"host", b"").decode("latin-1"))


def _is_local(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return name.endswith(".localhost") or is_loopback(name)


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own, whoever resolves it."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


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
