"""What the bundled model can do, asked of a running server through the official SDK: the drawn evaluation and the hand-written exam.

python -m benchmarks.skills [--items 25]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conformance.serving import serving


def main() -> None:
    """Start a server, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=25, help="drawn items per skill and language")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as served:
        for step in (("training.evaluate", "--items", str(arguments.items)), ("training.exam",)):
            subprocess.run((sys.executable, "-m", *step, "--base-url", served.base_url), check=True)


if __name__ == "__main__":
    main()
