"""Everything, from data to weights and their tables: `python -m training.all`."""

import subprocess
import sys

STEPS = (
    ("training.prepare", "--samples", "3000"),
    ("training.train", "--minutes", "240"),
    ("training.evaluate",),
    ("training.exam",),
)


def main() -> None:
    """Run the steps in order; stop at the first that fails."""
    for step in STEPS:
        print("==", *step, flush=True)
        subprocess.run([sys.executable, "-m", *step], check=True)


if __name__ == "__main__":
    main()
