"""One answer that is being written: its tokens, its text, and when it ends."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from tokenizers.decoders import DecodeStream

from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import Part, Prompt, Started, Stop, Text, Thought
from assistants_api.domain.usage import Usage
from assistants_api.engine.calls import Found
from assistants_api.engine.drafts import Drafts
from assistants_api.engine.kv import KvBlock
from assistants_api.engine.messages import Refused, Submit
from assistants_api.engine.model import Model
from assistants_api.engine.sampler import Draw, logprobs, uniform, weigh
from assistants_api.engine.text import Aside, Speech

_TAIL = 6  # prompt tokens that the decoder must have seen to join the first piece rightly


class Row:
    """A submitted turn. `ids` is everything the model reads: prompt, start of answer, generated tokens."""

    def __init__(self, submit: Submit, model: Model) -> None:
        prompt = submit.prompt
        rendered = model.template.render(prompt)
        asked = model.ids(rendered.text)
        begun = model.ids(rendered.start + rendered.opening)
        self.turn = submit.turn
        self.text = rendered.text + rendered.start
        self.asked = len(asked)
        self.ids = asked + begun
        self._drafts = Drafts(self.ids)
        self._is_forced = False  # what was guessed last
        self.limit = _limit(prompt, self.asked, len(begun), model.window)
        self.cached = 0
        self.known: int | None = None  # tokens that were known when it might first wait for more
        self.filled = 0
        self.staging: KvBlock | None = None
        self.arrived = time.monotonic()
        self.said_at: float | None = None
        self.is_started = False
        self.end: str | None = None
        self._model = model
        self._seed = submit.seed
        self._sampling = prompt.sampling
        self.weighs = _weighs(prompt, model)
        self.top_logprobs = prompt.sampling.top_logprobs
        self._said = Counter(begun)
        self._noted: JsonObject | None = None
        self._logprobs: list[tuple[int, int, JsonObject]] = []  # and where the token's text begins and ends
        self._begun = len(begun)
        self._unreported = self._begun if rendered.opening else 0
        self._fresh: list[int] = []
        self._stream = _stream(model, self.ids[-_TAIL:])
        self._parallel = prompt.parallel_tool_calls and not isinstance(prompt.tool_choice, Mapping)
        self._form = model.grammars.constraint(prompt, rendered.opening, begun) if model.grammars else None
        self._tools = [] if prompt.tool_choice == "none" else list(prompt.tools)
        self._speech = Speech(
            model.template.family,
            [tool["function"]["name"] for tool in self._tools],
            (*prompt.sampling.stop, *model.template.stops),
            parallel=self._parallel,
            reasons=model.template.reasons and not rendered.start,
            in_reasoning=rendered.in_reasoning,
            stem=submit.stem or None,
        )
        self._has_form = self._form is not None and not rendered.opening
        self._is_held = bool(rendered.opening)  # to the functions' schemas, while a call is written
        self._speech.feed(rendered.opening)
        self._heard = len(rendered.opening)  # characters
        self._shown = 0
        self._unheard: list[int] = []  # tokens that may be half of a character
        for token in submit.tokens:
            self._parts(self._say(token))
        self._fresh.clear()
        self._unreported = 0 if submit.tokens else self._unreported

    @property
    def spent(self) -> int:
        """Tokens of the answer so far, its given start included."""
        return len(self.ids) - self.asked

    @property
    def room(self) -> int:
        """Tokens that the answer may still get."""
        return self.limit - self.spent

    @property
    def unread(self) -> int:
        """Tokens that the model has not read yet."""
        return len(self.ids) - self.filled

    @property
    def draw(self) -> Draw:
        """How the next token is chosen."""
        sampling = self._sampling
        if sampling.temperature <= 0:
            return Draw(0, 1, 0)
        random = uniform(self._seed, len(self.ids))
        top_k = self._model.top_k if sampling.top_k is None else sampling.top_k
        min_p = self._model.min_p if sampling.min_p is None else sampling.min_p
        return Draw(sampling.temperature, sampling.top_p, random, top_k, min_p)

    def allowed(self) -> bytes | None:
        """A bit for each token, set where it may come next; None when any may."""
        return self._form.allowed() if self._form else None

    def guess(self, most: int) -> list[int]:
        """Up to `most` tokens that may come next: those that the form leaves, else what was said before."""
        forced = self._form.forced()[:most] if self._form else []
        self._is_forced = bool(forced)
        return forced or self._drafts.propose(most)

    def judge(self, proposed: int, right: int) -> None:
        """So many of the guessed tokens were right."""
        if not self._is_forced:  # the same letters cut otherwise say nothing about how the answer repeats
            self._drafts.judge(proposed, right)

    def weigh(self, logits: torch.Tensor) -> None:
        """Changes the row's `logits` `[vocabulary]` in place, as its penalties and its bias ask."""
        by = self._sampling
        weigh(logits, self._said, by.frequency_penalty, by.presence_penalty, by.logit_bias)

    def note(self, logits: torch.Tensor, token: int) -> None:
        """How likely the model itself finds `token`, and its likeliest ones, for those who asked."""
        assert self.top_logprobs is not None, "only rows that ask are told"
        piece = self._model.pieces.shown
        own, best = logprobs(logits, token, self.top_logprobs)
        top = [{**piece(other), "logprob": log} for other, log in best]
        self._noted = {**piece(token), "logprob": own, "top_logprobs": top}

    def start(self) -> Part:
        """The turn is taken up."""
        self.is_started = True
        return Started(self.asked, self.text, self.cached)

    def say(self, token: int) -> list[Part]:
        """The model's next token: the parts that it settles, and `Stop` when it is the last."""
        return self._parts(self._say(token))

    def finish(self) -> list[Part]:
        """The parts of a turn that has ended before it said anything more."""
        if not self.is_over():
            return []
        return self._parts(self._ending() if self.spent > self._begun else ())

    def failure(self, error: Exception) -> Refused:
        """What is told when the model failed on this turn."""
        return Refused(self.turn, f"The model failed on this turn: {error}", "server_error")

    def is_over(self) -> bool:
        """Whether nothing may be generated any more."""
        if self.end is None and self.spent >= self.limit:
            self.end = "length"
        return self.end is not None

    def fresh(self) -> tuple[int, ...]:
        """The tokens since this was last asked."""
        tokens = tuple(self._fresh)
        self._fresh.clear()
        return tokens

    def _say(self, token: int) -> list[Found | Aside]:
        self.ids.append(token)
        if self._form:
            self._form.take(token)
        self._fresh.append(token)
        self._said[token] += 1
        self._unreported += 1
        noted, self._noted = self._noted, None
        if token in self._model.end_ids:
            self.end = "stop"
            return self._ending()
        is_silent = token in self._model.silent_ids
        piece = "" if is_silent else self._stream.step(token)
        if piece:
            self._unheard.clear()
        if not is_silent:
            if not piece:
                self._unheard.append(token)
            if noted is not None:
                self._logprobs.append((self._heard, self._heard + len(piece), noted))
        found = self._hear(piece)
        self._hold()
        if self._speech.is_done:
            self.end = "stop"
        return [*found, *self._ending()] if self.is_over() else found

    def _hear(self, piece: str) -> list[Found | Aside]:
        self._heard += len(piece)
        return self._speech.feed(piece) if piece else []

    def _hold(self) -> None:
        """Holds a call that the model has opened to the functions' names and schemas."""
        opened = self._speech.opened
        if opened is None or (self._has_form and opened.startswith("{")):
            # What has no marker may be the answer, and the form of the answer knows both.
            self._is_held = False
        elif opened and not self._is_held and self._model.grammars:
            self._is_held = True
            held = self._model.grammars.call(self._tools, opened, parallel=self._parallel)
            self._form = held or self._form

    def _ending(self) -> list[Found | Aside]:
        found = [*self._hear(self._last_piece()), *self._speech.finish()]
        if self._speech.has_called and self.end == "stop":
            self.end = "tool_calls"
        return found

    def _last_piece(self) -> str:
        """What waits for the other half of a character though it is whole: it ends in a U+FFFD of its own."""
        shown = self._model.pieces.shown
        data = bytes(byte for token in self._unheard for byte in shown(token)["bytes"])
        self._unheard.clear()
        text = data.decode("utf-8", "ignore")
        return text if "\ufffd" in text else ""

    def _parts(self, found: Sequence[Found | Aside]) -> list[Part]:
        parts: list[Part] = []
        for one in found:
            if isinstance(one, str):
                parts.append(Text(one, self._unreported, self._noted_in(one)))
                self._unreported = 0
            elif isinstance(one, Aside):
                parts.append(Thought(one.text, self._unreported))
                self._unreported = 0
            else:
                parts.append(one)
        if self.end is not None:
            parts.append(Stop(self.end, Usage(self.asked, min(self.spent, self.limit))))
        return parts

    def _noted_in(self, text: str) -> tuple[JsonObject, ...]:
        """What was noted of the tokens of the text that is shown next."""
        self._shown += len(text)
        start = self._speech.skipped
        end = start + self._shown
        ready = [noted for noted in self._logprobs if noted[0] < end]
        del self._logprobs[: len(ready)]
        return tuple(entry for first, last, entry in ready if first >= start or last > start)


class _FastStream:
    """Text of tokens as they come; half characters wait for their other half."""

    def __init__(self, tokenizer: Any, seen: list[int]) -> None:
        self._tokenizer = tokenizer.backend_tokenizer
        self._stream = DecodeStream(ids=seen, skip_special_tokens=False)
        before = self._tokenizer.decode(seen, skip_special_tokens=False)
        # It takes a whole U+FFFD at the end for half a character, and gives all before it out again.
        self._again = before if before.endswith("\ufffd") else ""

    def step(self, token: int) -> str:
        piece = self._stream.step(self._tokenizer, token) or ""
        if piece and self._again:
            piece, self._again = piece.removeprefix(self._again), ""
        return piece


class _SlowStream:
    """The same for tokenizers that are written in Python."""

    def __init__(self, tokenizer: Any, seen: list[int]) -> None:
        self._tokenizer = tokenizer
        self._ids = list(seen)
        self._shown = len(self._decoded())

    def _decoded(self) -> str:
        return str(self._tokenizer.decode(self._ids, skip_special_tokens=False))

    def step(self, token: int) -> str:
        self._ids.append(token)
        text = self._decoded()
        if text.endswith("\ufffd"):
            return ""
        piece, self._shown = text[self._shown :], len(text)
        return piece


def _stream(model: Model, seen: list[int]) -> _FastStream | _SlowStream:
    kind = _FastStream if model.tokenizer.is_fast else _SlowStream
    return kind(model.tokenizer, seen)


def _weighs(prompt: Prompt, model: Model) -> bool:
    """Whether the turn changes logits; refuses a bias for what is no token of this model."""
    by = prompt.sampling
    size = model.config.vocab_size
    for token, _ in by.logit_bias:
        if not 0 <= token < size:
            raise EngineFailed(
                f"Invalid 'logit_bias': {token} is no token of this model, which has {size}.",
                code="invalid_prompt",
            )
    return bool(by.frequency_penalty or by.presence_penalty or by.logit_bias)


def _limit(prompt: Prompt, asked: int, begun: int, window: int) -> int:
    """How many tokens the answer may have, its given start included."""
    room = window - asked
    if room - begun < 1:
        raise ContextOverflow(
            f"This model's maximum context length is {window} tokens. However, your messages resulted in"
            f" {asked + begun} tokens."
        )
    wanted = prompt.sampling.max_tokens
    return room if wanted is None else min(wanted, room)
