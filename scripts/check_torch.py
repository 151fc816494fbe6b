"""Stops an installation in which a CUDA build of torch came although the CPU build was asked for."""

import sys
from importlib.metadata import distributions


def main() -> int:
    """0 when the installed torch is the one that was wanted."""
    if "--cpu-wanted" not in sys.argv:
        return 0
    names = {(each.metadata["Name"] or "").lower() for each in distributions()}
    cuda = sorted(name for name in names if name.startswith("nvidia-") or name == "triton")
    version = next((each.version for each in distributions() if each.metadata["Name"] == "torch"), None)
    if version is None:
        print("torch is not installed.", file=sys.stderr)
        return 1
    if cuda or ("+" in version and not version.endswith("+cpu")):
        print(
            f"A CUDA build of torch ({version}) is installed although the CPU build was asked for.\n"
            "Run `make clean` and try again, or accept it with `make install TORCH=cuda`.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
