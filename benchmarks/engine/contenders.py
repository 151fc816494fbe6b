"""The contenders. Each lives in a process of its own, which reads a job per line and writes what it measured."""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from benchmarks.engine.models import computes_in_full, conversations, question


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

    def measure(self, questions: list[str], new: int, form: Any = None, temperature: float = 0.0) -> Measured:
        """All questions at once."""

        async def everything() -> list[Answer]:
            asked = (self._ask(each, new, form, temperature) for each in questions)
            return list(await asyncio.gather(*asked))

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
        """A thread of growing length, whose last message is short: for each turn its tokens, those from kept state,
        seconds to the first token.
        """
        from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, Started, Text

        async def everything() -> list[tuple[int, int, float]]:
            messages: list[ChatMessage] = []
            found = []
            for turn in range(number):
                messages.append(
                    ChatMessage("user", question(size // number if turn < number - 1 else 64, turn))
                )
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

    def talk(self, seed: int, streams: int, *, in_form: bool = False) -> tuple[float, int, int, int]:
        """Real conversations, so many at once: seconds, tokens, tokens guessed, guesses that were right."""
        prompts = conversations(seed, in_form=in_form)

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

    async def _ask(self, text: str, new: int, form: Any, temperature: float = 0.0) -> Answer:
        from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, Stop, Text

        sampling = Sampling(temperature=temperature, max_tokens=new)
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
        implementation = "sdpa" if type(self) is Generate else "paged|sdpa"
        self._net: Any = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=torch.float32 if computes_in_full(folder) else torch.bfloat16,
            attn_implementation=implementation,
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
