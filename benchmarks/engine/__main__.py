"""The engine against its peers: same weights, same precision, same prompts, in turns on one machine.

    python -m benchmarks.engine [--models bundled,100m] [--streams 1,4,8,16,32] [--rounds 3] [--new 96]
                                [--prompt 300] [--llama-python PYTHON] [--skip NAME,...]
                                [--only decode,steps,beside,unlike,turns,neighbour,form,drawn,guesses,http]

Peers: transformers' `generate` (all streams in one batch of equal lengths: its best case), its continuous batching,
`transformers serve` over HTTP, and llama.cpp (by a Python that has llama-cpp-python and gguf: `--llama-python`). A peer
that is absent is left out, with a word. Models: the bundled one, and Llama shapes of random weights (`100m`, `600m`);
in all of them the tokens that end an answer are never likeliest, so that every answer has the same length.
All are saved in bfloat16, as published ones are. Everybody computes in bfloat16 where the processor multiplies it in
hardware, else (and with the bundled one) in full precision; llama.cpp then takes weights in F16, which is quicker for it.

Our engine guesses no tokens ahead here (`ASSISTANTS_DRAFT_TOKENS=0`): what random weights say repeats itself, which no
real answer does so well. What guesses bring is a part of its own, on conversations that the bundled model was made for.

Each cell is the median of the rounds; in a round every peer has its turn. What is printed as a ratio is ours ÷ theirs in
tokens per second over the whole request, prompt included. The part `steps` leaves the prompts out: each round asks for
answers of two lengths behind prompts of one length (`--prompt`, 300 tokens), and counts what lies between.
"""

import argparse
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.engine.contenders import contend
from benchmarks.engine.models import prepare
from benchmarks.engine.parts import ALONE, compare, guesses, steps, whole
from benchmarks.engine.processes import contenders, servers


def main() -> None:
    """Prints a table per model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="bundled,100m")
    parser.add_argument("--streams", default="1,4,8,16,32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--new", type=int, default=96, help="tokens per answer")
    parser.add_argument(
        "--prompt", type=int, default=300, help="tokens before each answer in the part `steps`"
    )
    parser.add_argument("--llama-python", help="a Python with llama-cpp-python and gguf")
    parser.add_argument("--skip", default="", help="contenders to leave out, a comma list")
    parser.add_argument(
        "--only",
        default="decode,steps,beside,unlike,turns,neighbour,form,drawn,guesses,http",
        help="parts, a comma list",
    )
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        contend(options.contender, options.folder)
        return
    options.streams = [int(each) for each in options.streams.split(",")]
    options.skip = [each.strip() for each in options.skip.split(",")]
    options.only = options.only.split(",")
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="engine-") as scratch:
        for name in options.models.split(","):
            folder = prepare(name, Path(scratch))
            with contenders(folder, options, console) as peers:
                if "decode" in options.only:
                    compare(peers, options, console, f"{name}: bare engines", "ours", whole)
                if "steps" in options.only:
                    title = f"{name}: bare engines, decoding alone behind {options.prompt} tokens"
                    compare(peers, options, console, title, "ours", steps)
                for part in options.only:
                    if part in ALONE:
                        ALONE[part](peers["ours"], options, console, name)
                if "guesses" in options.only and name == "bundled":
                    guesses(options, console, folder.parent / "peers.log")
                if "http" in options.only:
                    with servers(folder, options, console) as over:
                        everybody = {"ours": peers["ours"], **over}
                        compare(everybody, options, console, f"{name}: over HTTP", "ours over HTTP", whole)


if __name__ == "__main__":
    main()
