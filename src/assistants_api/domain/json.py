"""Names for JSON values that pass through the domain as the API spells them."""

from collections.abc import Mapping
from typing import Any

JsonObject = Mapping[str, Any]
Metadata = Mapping[str, str]
