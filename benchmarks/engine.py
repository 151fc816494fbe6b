"""The engine against its peers: same weights, same precision, same prompts, in turns on one machine.

    python -m benchmarks.engine [--models bundled,100m] [--streams 1,4,8,16,32] [--rounds 3] [--new 96]
                                [--llama-python PYTHON] [--skip NAME,...] [--only decode,steps,beside,unlike,turns,form,guesses,http]

Peers: transformers' `generate` (all streams in one batch of equal lengths: its best case), its continuous batching,
`transformers serve` over HTTP, and llama.cpp (by a Python that has llama-cpp-python and gguf: `--llama-python`). A peer
that is absent is left out, with a word. Models: the bundled one, and Llama shapes of random weights (`100m`, `600m`);
in all of them the tokens that end an answer are never likeliest, so that every answer has the same length.

Our engine guesses no tokens ahead here (`ASSISTANTS_DRAFT_TOKENS=0`): what random weights say repeats itself, which no
real answer does so well. What guesses bring is a part of its own, on conversations that the bundled model was made for.

Each cell is the median of the rounds; in a round every peer has its turn. What is printed as a ratio is ours ÷ theirs in
tokens per second over the whole request, prompt included. The part `steps` leaves the prompts out: each round asks for
whole answers and for one token behind prompts of the same length (`--prompt`, 300 tokens), and counts what lies between.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

SHAPES: dict[str, dict[str, int]] = {
    "100m": {
        "hidden_size": 768,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_key_value_heads": 4,
        "vocab_size": 32000,
    },
    "600m": {
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "vocab_size": 151936,
    },
}
SPOKEN = (
    "function call, functions never seen",
    "tells the output",
    "grounded answer with its marker",
    "extraction by a schema",
    "Python call",
    "glossary, other wordings",
)
WORDS = "the quick brown fox jumps over the lazy dog while it rains in the harbour "
HERE = Path(__file__).resolve().parent


@dataclass
class Answer:
    """When the tokens of one answer came, in seconds from its request; the first two are all that some tell."""

    tokens: int
    at: list[float] = field(default_factory=list)


@dataclass
class Measured:
    """One round of one contender: `seconds` from the first request to the last token."""

    seconds: float
    answers: list[Answer]

    @property
    def rate(self) -> float:
        """Tokens per second of all answers together."""
        return sum(answer.tokens for answer in self.answers) / self.seconds


def prepare(name: str, folder: Path) -> Path:
    """A folder with the model of this name, whose answers do not end by themselves."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from assistants_api.engine.config import BUNDLED_MODEL

    tokenizer: Any = AutoTokenizer.from_pretrained(str(BUNDLED_MODEL))
    known = len(tokenizer)
    net: Any
    if name == "bundled":
        net = AutoModelForCausalLM.from_pretrained(str(BUNDLED_MODEL), dtype=torch.float32)
    else:
        torch.manual_seed(1)
        shape = SHAPES[name]
        config = LlamaConfig(
            **shape, head_dim=64, max_position_embeddings=8192, tie_word_embeddings=True, eos_token_id=2
        )
        net = LlamaForCausalLM(config).to(torch.bfloat16)
    ends = {tokenizer.eos_token_id, *tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    with torch.no_grad():
        weight = net.get_input_embeddings().weight
        weight[sorted(ends)] = 0
        weight[known:] = 0
    net.generation_config.do_sample = False
    net.generation_config.min_p = None
    net.generation_config.temperature = None
    target = folder / name
    net.save_pretrained(str(target))
    tokenizer.save_pretrained(str(target))
    return target


def question(tokens: int, number: int) -> str:
    """About so many tokens, different from the first word on for each number."""
    return f"{number} " + WORDS * max(1, tokens // 28)


# ----------------------------------------------------------------------------------------------------------------
# Contenders. Each lives in a process of its own, which reads a job per line and writes what it measured.


class Ours:
    """The bare engine: its own process, our messages, no server."""

    is_compiled = is_dedicated = False
    draft_tokens = 0

    def __init__(self, folder: Path) -> None:
        from assistants_api.engine.config import EngineConfig
        from assistants_api.engine.local import TransformersEngine

        self._loop = asyncio.new_event_loop()
        config = EngineConfig(
            model=folder,
            max_rows=64,
            is_compiled=self.is_compiled,
            dedicated=self.is_dedicated,
            draft_tokens=self.draft_tokens,
        )
        self._engine = TransformersEngine(config)
        self._loop.run_until_complete(self._engine.start())
        self._loop.run_until_complete(self._ask("warm up", 4, None))

    def measure(self, questions: list[str], new: int, form: Any = None) -> Measured:
        """All questions at once."""

        async def everything() -> list[Answer]:
            return list(await asyncio.gather(*(self._ask(each, new, form) for each in questions)))

        began = time.perf_counter()
        answers = self._loop.run_until_complete(everything())
        return Measured(time.perf_counter() - began, answers)

    def beside(self, questions: list[str], new: int, long: str) -> tuple[list[float], list[float], float]:
        """Gaps between tokens of running answers before, and while, a long prompt is read; its first token."""

        async def everything() -> tuple[list[float], list[float], float]:
            running = [asyncio.create_task(self._stamps(each, new)) for each in questions]
            await asyncio.sleep(2.0)
            asked = time.perf_counter()
            # A model of random weights may say nothing but halves of characters; then its end is all we see.
            first = (*(await self._ask(long, 8, None)).at, time.perf_counter() - asked)[0] + asked
            stamps = await asyncio.gather(*running)
            before, during = [], []
            for times in stamps:
                for last, now in pairwise(times):
                    if now < asked:
                        before.append(now - last)
                    elif last < first:
                        during.append(now - last)
            return before, during, first - asked

        return self._loop.run_until_complete(everything())

    def turns(self, size: int, number: int) -> list[tuple[int, int, float]]:
        """A thread of growing length: for each turn its tokens, those from kept state, seconds to the first token."""
        from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, Started, Text

        async def everything() -> list[tuple[int, int, float]]:
            messages: list[ChatMessage] = []
            found = []
            for turn in range(number):
                messages.append(ChatMessage("user", question(size // number, turn)))
                sampling = Sampling(temperature=0.0, max_tokens=1)
                prompt = Prompt("bench", "m", tuple(messages), sampling=sampling)
                began, first, said = time.perf_counter(), 0.0, ""
                tokens = cached = 0
                async for part in self._engine.turn(prompt):
                    if isinstance(part, Started):
                        tokens, cached = part.prompt_tokens, part.cached_tokens
                    if isinstance(part, Text):
                        first = first or time.perf_counter() - began
                        said += part.text
                messages.append(ChatMessage("assistant", said))
                found.append((tokens, cached, first or time.perf_counter() - began))
            return found

        return self._loop.run_until_complete(everything())

    def unlike(self, questions: list[str], new: int, long: str) -> tuple[list[float], list[float]]:
        """Gaps between tokens of some answers alone, and beside one that has a long prompt behind it."""

        async def gaps() -> list[float]:
            stamps = await asyncio.gather(*(self._stamps(each, new) for each in questions))
            return [now - last for times in stamps for last, now in pairwise(times)]

        async def everything() -> tuple[list[float], list[float]]:
            alone = await gaps()
            await self._ask(long, 1, None)  # so that its prompt need not be read again
            running = asyncio.create_task(self._ask(long, 4 * new, None))
            await asyncio.sleep(1.0)
            beside = await gaps()
            await running
            return alone, beside

        return self._loop.run_until_complete(everything())

    def talk(self, seed: int, streams: int) -> tuple[float, int, int, int]:
        """Real conversations, so many at once: seconds, tokens, tokens guessed, guesses that were right."""
        prompts = conversations(seed)

        async def everything() -> int:
            gate = asyncio.Semaphore(streams)

            async def one(prompt: Any) -> int:
                from assistants_api.domain.prompt import Stop

                async with gate:
                    parts = [part async for part in self._engine.turn(prompt)]
                return sum(part.usage.completion_tokens for part in parts if isinstance(part, Stop))

            return sum(await asyncio.gather(*map(one, prompts)))

        before = self._guesses()
        began = time.perf_counter()
        tokens = self._loop.run_until_complete(everything())
        seconds = time.perf_counter() - began
        guessed, right = (now - then for now, then in zip(self._guesses(), before, strict=True))
        return seconds, tokens, guessed, right

    def _guesses(self) -> tuple[int, int]:
        """Tokens that were guessed so far, and those that were right, as the engine tells once a second."""
        self._loop.run_until_complete(asyncio.sleep(1.5))
        details = self._engine.describe().details
        return details["drafted_tokens"], details["accepted_tokens"]

    async def _stamps(self, text: str, new: int) -> list[float]:
        began = time.perf_counter()
        return [began + at for at in (await self._ask(text, new, None)).at]

    async def _ask(self, text: str, new: int, form: Any) -> Answer:
        from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, Stop, Text

        sampling = Sampling(temperature=0.0, max_tokens=new)
        prompt = Prompt(
            "bench",
            "m",
            (ChatMessage("user", text),),
            sampling=sampling,
            response_format=form or "auto",
        )
        began = time.perf_counter()
        answer = Answer(0)
        async for part in self._engine.turn(prompt):
            if isinstance(part, Text):
                answer.at.append(time.perf_counter() - began)
            if isinstance(part, Stop):
                answer.tokens = part.usage.completion_tokens
        return answer


class OursCompiled(Ours):
    """The same with the decode step compiled."""

    is_compiled = True


class OursDedicated(Ours):
    """The same with threads that spin while they wait, as the peers' do."""

    is_dedicated = True


class OursGuessing(Ours):
    """The same as it is served: tokens that were said before are guessed ahead."""

    draft_tokens = 8


class _Transformers:
    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        torch.set_grad_enabled(False)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
        dtype = torch.float32 if folder.name == "bundled" else torch.bfloat16
        implementation = "sdpa" if type(self) is Generate else "paged|sdpa"
        self._net: Any = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=dtype, attn_implementation=implementation
        ).eval()

    def _ids(self, text: str) -> list[int]:
        message = [{"role": "user", "content": text}]
        rendered = self._tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
        ids: list[int] = self._tokenizer(rendered, add_special_tokens=False)["input_ids"]
        return ids


class Generate(_Transformers):
    """`generate` over one batch."""

    def measure(self, questions: list[str], new: int, form: Any = None) -> Measured:
        import torch

        prompts = [self._ids(each) for each in questions]
        size = min(len(each) for each in prompts)
        ids = torch.tensor([each[-size:] for each in prompts])
        began = time.perf_counter()
        out = self._net.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, min_new_tokens=new, do_sample=False
        )
        seconds = time.perf_counter() - began
        return Measured(seconds, [Answer(out.shape[1] - size) for _ in questions])


class Continuous(_Transformers):
    """transformers' continuous batching, by a manager that stays."""

    def __init__(self, folder: Path) -> None:
        from transformers import GenerationConfig

        super().__init__(folder)
        settings = GenerationConfig(max_new_tokens=8192, do_sample=False, eos_token_id=-1, pad_token_id=0)
        self._manager: Any = self._net.init_continuous_batching(generation_config=settings)
        self._manager.start()

    def measure(self, questions: list[str], new: int, form: Any = None) -> Measured:
        began = time.perf_counter()
        for each in questions:
            self._manager.add_request(self._ids(each), max_new_tokens=new)
        answers: list[Answer] = []
        while len(answers) < len(questions):
            told = self._manager.get_result(timeout=120)
            if told is None or told.error:
                raise RuntimeError("no answer" if told is None else told.error)
            if told.is_finished():
                answers.append(Answer(len(told.generated_tokens)))
        return Measured(time.perf_counter() - began, answers)


class Http:
    """Any server that speaks chat completions, over loopback."""

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model

    def measure(self, questions: list[str], new: int, form: Any = None) -> Measured:
        async def one(client: httpx.AsyncClient, text: str) -> Answer:
            body = {
                "model": self._model,
                "messages": [{"role": "user", "content": text}],
                "max_tokens": new,
                "temperature": 0,
                "stream": True,
            }
            began = time.perf_counter()
            answer = Answer(new)
            async with client.stream("POST", f"{self._url}/chat/completions", json=body) as response:
                response.raise_for_status()
                async for line in response.aiter_lines():
                    if line.startswith("data:") and '"content":"' in line.replace('": "', '":"'):
                        answer.at.append(time.perf_counter() - began)
            return answer

        async def everything() -> list[Answer]:
            async with httpx.AsyncClient(timeout=600) as client:
                return list(await asyncio.gather(*(one(client, each) for each in questions)))

        began = time.perf_counter()
        answers = asyncio.run(everything())
        return Measured(time.perf_counter() - began, answers)


LOCAL: dict[str, Any] = {
    "ours": Ours,
    "ours compiled": OursCompiled,
    "ours dedicated": OursDedicated,
    "ours guessing": OursGuessing,
    "generate": Generate,
    "continuous batching": Continuous,
}


def contend(name: str, folder: Path) -> None:
    """The child's side: a job a line."""
    sink = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print
    contender = LOCAL[name](folder)
    print("ready", file=sink, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        verb = job.pop("verb")
        try:
            result = getattr(contender, verb)(**job)
        except Exception as error:
            result = {"failed": f"{type(error).__name__}: {error}"[:300]}
        if isinstance(result, Measured):
            answers = [[answer.tokens, answer.at] for answer in result.answers]
            result = {"seconds": result.seconds, "answers": answers}
        print(json.dumps(result), file=sink, flush=True)


class Child:
    """A contender's process, as the parent sees it."""

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"it did not start; see {log}")

    def do(self, verb: str, **job: Any) -> Any:
        """What the contender answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"verb": verb, **job}) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline() or '{"failed": "it died"}')
        if isinstance(told, dict) and "failed" in told:
            raise RuntimeError(told["failed"])
        return told

    def measure(self, questions: list[str], new: int, form: Any = None) -> Measured:
        """One round."""
        told = self.do("measure", questions=questions, new=new, form=form)
        return Measured(told["seconds"], [Answer(tokens, at) for tokens, at in told["answers"]])

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


def wanted(options: argparse.Namespace) -> list[str]:
    """The contenders on this machine that the chosen parts need."""
    parts = set(options.only)
    if parts & {"decode", "steps"}:
        return [name for name in LOCAL if name != "ours guessing"]
    return ["ours"] if parts - {"guesses"} else []


@contextmanager
def contenders(folder: Path, options: argparse.Namespace, console: Console) -> Iterator[dict[str, Any]]:
    """Everybody that can be started here."""
    log = folder.parent / "peers.log"
    children: list[Any] = []
    found: dict[str, Any] = {}
    rendered = [sys.executable, "-m", "benchmarks.engine", "--contender"]
    commands = {name: [*rendered, name, "--folder", str(folder)] for name in wanted(options)}
    if len(commands) > 1 and options.llama_python:
        gguf = folder.parent / f"{folder.name}.gguf"
        commands["llama.cpp"] = [options.llama_python, str(HERE / "llama_peer.py"), str(folder), str(gguf)]
    elif len(commands) > 1:
        console.print("llama.cpp is left out: no --llama-python")
    try:
        for name, command in commands.items():
            if name in options.skip:
                continue
            try:
                found[name] = child = Child(command, log)
                children.append(child)
            except (OSError, RuntimeError) as error:
                console.print(f"{name} is left out: {error}")
        yield found
    finally:
        for child in children:
            child.close()


@contextmanager
def servers(folder: Path, options: argparse.Namespace, console: Console) -> Iterator[dict[str, Any]]:
    """Our server, and transformers' own, over HTTP."""
    from tests.conformance.serving import free_port, serving

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home:
        with serving(
            Path(home),
            model=str(folder),
            engine="transformers",
            max_batch="64",
            max_concurrent_runs="64",
            draft_tokens="0",
        ) as served:
            found["ours over HTTP"] = Http(served.base_url, "m")
            port = free_port()
            command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder)]
            process = None
            if "transformers serve" not in options.skip:
                dtype = "float32" if folder.name == "bundled" else "bfloat16"
                with (folder.parent / "peers.log").open("ab") as log:
                    process = subprocess.Popen(
                        [*command, "--port", str(port), "--continuous-batching", "--dtype", dtype],
                        stdout=log,
                        stderr=log,
                    )
                url = f"http://127.0.0.1:{port}"
                if _answers(f"{url}/health", process):
                    found["transformers serve"] = Http(f"{url}/v1", str(folder))
                else:
                    console.print("transformers serve is left out: it did not start; see peers.log")
            try:
                yield found
            finally:
                if process is not None:
                    process.kill()
                    process.wait()


def _answers(url: str, process: subprocess.Popen[bytes], patience: float = 120.0) -> bool:
    until = time.monotonic() + patience
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    return False


def whole(peer: Any, options: argparse.Namespace, streams: int, turn: int) -> float:
    """Tokens per second from the requests to their last token, behind short prompts."""
    measured: Measured = peer.measure(
        [question(64, 1000 * turn + number) for number in range(streams)], options.new
    )
    return measured.rate


def steps(peer: Any, options: argparse.Namespace, streams: int, turn: int) -> float:
    """Tokens per second from the first token of the answers to the last, behind prompts of `--prompt` tokens."""
    asked = [
        [question(options.prompt, 20_000 + 1000 * turn + 500 * part + number) for number in range(streams)]
        for part in (0, 1)
    ]
    first, all_of_it = peer.measure(asked[0], 1), peer.measure(asked[1], options.new)
    return streams * (options.new - 1) / max(1e-9, all_of_it.seconds - first.seconds)


def compare(
    peers: dict[str, Any],
    options: argparse.Namespace,
    console: Console,
    title: str,
    first: str,
    rate: Callable[[Any, argparse.Namespace, int, int], float],
) -> None:
    """Tokens per second at each number of streams, and ours ÷ theirs."""
    rates: dict[tuple[str, int], list[float]] = {}
    gone: dict[str, str] = {}
    for turn in range(options.rounds + 1):
        for streams in options.streams:
            for name, peer in peers.items():
                if name in gone:
                    continue
                try:
                    measured = rate(peer, options, streams, turn)
                except Exception as error:
                    gone[name] = f"{type(error).__name__}: {error}"[:200]
                    continue
                if turn:  # the first round warms up
                    rates.setdefault((name, streams), []).append(measured)
    table = Table(title=title)
    table.add_column("tokens per second")
    for streams in options.streams:
        table.add_column(f"{streams} streams", justify="right")
    for name in peers:
        row = []
        for streams in options.streams:
            cell = statistics.median(rates.get((name, streams), [0.0]))
            ours = statistics.median(rates.get((first, streams), [0.0]))
            ratio = f"  ÷ {ours / cell:.2f}" if name != first and cell else ""
            row.append(f"{cell:.0f}{ratio}" if cell else "–")
        table.add_row(name, *row)
    console.print(table)
    for name, why in gone.items():
        console.print(f"{name} gave up: {why}")


def quantile(values: list[float], share: float) -> float:
    """The value at this share of the sorted ones."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def special(peers: dict[str, Any], options: argparse.Namespace, console: Console, name: str) -> None:
    """What only our engine is asked: a long prompt beside streams, turns of a thread, answers in a form."""
    if "ours" not in peers:
        return
    ours = peers["ours"]
    long = 3500 if name == "bundled" else 4000
    if "beside" in options.only:
        for turn in range(2):  # the first one warms up
            questions = [question(64, 7000 + 10 * turn + number) for number in range(8)]
            asked = {"questions": questions, "new": 600, "long": question(long, 7999 + turn)}
            before, during, first = ours.do("beside", **asked)
        quiet, loud = quantile(before, 0.95) * 1000, quantile(during, 0.95) * 1000
        console.print(
            f"{name}: between two tokens of 8 streams, p95: {quiet:.1f} ms undisturbed, {loud:.1f} ms beside a"
            f" prompt of about {long} tokens (× {loud / quiet if quiet else 0:.2f}); its first token after {first:.2f} s"
        )
    if "unlike" in options.only:
        questions = [question(64, 7100 + number) for number in range(8)]
        alone, beside = ours.do("unlike", questions=questions, new=options.new, long=question(long, 7998))
        quiet, loud = statistics.median(alone) * 1000, statistics.median(beside) * 1000
        console.print(
            f"{name}: between two tokens of 8 streams, median: {quiet:.1f} ms alone, {loud:.1f} ms beside an answer"
            f" behind {long} tokens (× {loud / quiet if quiet else 0:.2f})"
        )
    if "turns" in options.only:
        found = ours.do("turns", size=3000, number=20)
        tokens, cached, warm = found[-1]
        told = ours.measure([question(tokens - 100, 8123)], 1)
        cold = (*told.answers[0].at, told.seconds)[0]
        console.print(
            f"{name}: turn 20 of a thread, {tokens} tokens, {cached} of them kept: first token after"
            f" {warm * 1000:.0f} ms, {100 * warm / cold:.1f} % of the same prompt cold ({cold * 1000:.0f} ms);"
            f" turn 1 {found[0][2] * 1000:.0f} ms"
        )
    if "form" in options.only:
        # One that cannot end before the others do.
        schema = {"type": "array", "items": {"type": "string"}, "minItems": 1000}
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        free, held = [], []
        for turn in range(options.rounds + 1):
            asked = [[question(64, 9000 + 100 * turn + 8 * kind + n) for n in range(8)] for kind in (0, 1)]
            pair = ours.measure(asked[0], options.new), ours.measure(asked[1], options.new, form)
            if turn:
                free.append(pair[0].rate)
                held.append(pair[1].rate)
        rate = statistics.median(held) / statistics.median(free)
        console.print(f"{name}: 8 streams, all in a JSON schema: {100 * rate:.1f} % of the speed without one")


def conversations(seed: int) -> list[Any]:
    """Prompts of the kinds that the bundled model was made for, from what it was never trained on."""
    from training.draw import Draw
    from training.evaluate import SKILLS, item_of

    from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, ToolCall

    prompts = []
    for number, name in enumerate(SPOKEN):
        rng = Draw(seed + number, held=True)
        for item in (item_of(SKILLS[name], SKILLS[name].maker(rng)) for _ in range(6)):
            messages = []
            for said in item.messages:
                calls = tuple(
                    ToolCall(call["id"], call["function"]["name"], json.dumps(call["function"]["arguments"]))
                    for call in said.get("tool_calls", ())
                )
                text = said.get("content") or ""
                messages.append(ChatMessage(said["role"], text, calls, said.get("tool_call_id")))
            sampling = Sampling(temperature=0.0, max_tokens=120)
            prompts.append(
                Prompt("bench", "m", tuple(messages), tools=tuple(item.tools or ()), sampling=sampling)
            )
    return prompts


def guesses(options: argparse.Namespace, console: Console, log: Path) -> None:
    """What guessing tokens ahead brings, in real conversations of the bundled model."""
    from assistants_api.engine.config import BUNDLED_MODEL

    command = [sys.executable, "-m", "benchmarks.engine", "--folder", str(BUNDLED_MODEL), "--contender"]
    children = {name: Child([*command, name], log) for name in ("ours", "ours guessing")}
    try:
        for streams in options.streams:
            rounds: dict[str, list[Any]] = {name: [] for name in children}
            for turn in range(options.rounds + 1):
                for name, child in children.items():
                    told = child.do("talk", seed=100 * turn, streams=streams)
                    if turn:  # the first round warms up
                        rounds[name].append(told)
            plain, quick = (
                statistics.median(seconds / tokens for seconds, tokens, *_ in told)
                for told in rounds.values()
            )
            tokens, guessed, right = (sum(told[n] for told in rounds["ours guessing"]) for n in (1, 2, 3))
            console.print(
                f"bundled: conversations, {streams} at once: {plain / quick:.2f} times as fast with guesses; of"
                f" {tokens} tokens {guessed} were guessed, {right} rightly"
            )
    finally:
        for child in children.values():
            child.close()


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
        "--only", default="decode,steps,beside,unlike,turns,form,guesses,http", help="parts, a comma list"
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
                special(peers, options, console, name)
                if "guesses" in options.only and name == "bundled":
                    guesses(options, console, folder.parent / "peers.log")
                if "http" in options.only:
                    with servers(folder, options, console) as over:
                        everybody = {"ours": peers["ours"], **over}
                        compare(everybody, options, console, f"{name}: over HTTP", "ours over HTTP", whole)


if __name__ == "__main__":
    main()
