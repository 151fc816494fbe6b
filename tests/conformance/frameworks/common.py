"""What every framework is given: the server, a function, and a file of numbers."""

import json
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path

QUESTION = "weather please"
HANDBOOK = b"Staff get 25 days of holiday a year."
SALES = b"region,sum\nnorth,3\nsouth,5\n"

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
base_url = sys.argv[1] if len(sys.argv) > 1 else ""
os.environ |= {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": base_url, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def get_weather(city: str) -> str:
    """The weather of a city."""
    return "3 degrees"


def written(name: str, data: bytes) -> str:
    """The path of a file with these bytes."""
    path = Path(tempfile.mkdtemp(), name)
    path.write_bytes(data)
    return str(path)


def say(result: dict[str, object]) -> None:
    """Prints what was found, after whatever the framework printed."""
    print()
    print(json.dumps(result, default=str))
