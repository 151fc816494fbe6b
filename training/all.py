"""Everything, from data to published weights: `python -m training.all`."""

import subprocess
import sys

STEPS = (
    ("training.prepare", "--samples", "90000"),
    ("training.train", "--minutes", "22"),
    ("training.prepare", "--samples", "45000", "--draw", "2", "--keep-tokenizer"),
    ("training.train", "--minutes", "12", "--resume", "--publish"),
    ("training.evaluate",),
)


def main() -> None:
    """Run the steps in order; stop at the first that fails."""
    for step in STEPS:
        print("==", *step, flush=True)
        subprocess.run([sys.executable, "-m", *step], check=True)


if __name__ == "__main__":
    main()
