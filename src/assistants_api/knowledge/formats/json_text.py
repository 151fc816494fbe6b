"""JSON: the text as it stands, with escaped characters beyond ASCII as themselves, so that they are found."""

import re

from assistants_api.knowledge.formats import plain

# Other escapes are matched too, so that none begins in the middle of one.
_ESCAPED = re.compile(r"((?:\\u(?!00[0-7])[0-9a-fA-F]{4})+)|\\.")


def read(data: bytes) -> str:
    """The text of the bytes, which need not be valid JSON; a lone surrogate stays one."""
    return _ESCAPED.sub(_unescaped, plain.read(data))


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    units = match[1].replace("\\u", "")
    return bytes.fromhex(units).decode("utf-16-be", "surrogatepass")
