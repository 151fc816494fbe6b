"""Text that may hold half of a surrogate pair, as JSON can: no database, model or client takes that."""

import json
from typing import Any


def is_whole(text: str) -> bool:
    """Whether no half of a surrogate pair is in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def mended(text: str) -> str:
    """The text with halves that stand together made one character, and U+FFFD for each that stands alone."""
    return (
        text if is_whole(text) else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    )


def mended_json(value: Any) -> Any:
    """The JSON value with every string in it mended."""
    return json.loads(mended(json.dumps(value, ensure_ascii=False)))
