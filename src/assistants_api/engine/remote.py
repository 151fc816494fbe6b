"""An engine elsewhere: any server that speaks `/v1/chat/completions`, streamed.

It cannot continue a partial answer. Token counts before a call are estimates (four characters each).
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.prompt import EngineFacts, Part, Prompt, Started, Stop, Text, Thought
from assistants_api.engine import upstream

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a server is tried; all times in seconds.

    `silent_after` is the longest wait for the next piece of an answer. A server that asks for more than
    `longest_pause` between tries is not tried again.
    """

    tries: int = 3
    first_pause: float = 0.5
    longest_pause: float = 10.0
    silent_after: float = 300.0
    probe_every: float = 10.0


class _Transient(Exception):
    """Worth another try, after `pause` seconds if the server named them."""

    def __init__(self, failure: EngineFailed, pause: float | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.pause = pause


class RemoteEngine:
    """Passes prompts on and streams answers back."""

    def __init__(
        self,
        url: str,
        *,
        model: str,
        api_key: str | None = None,
        context_window: int = 32768,
        patience: Patience | None = None,
    ) -> None:
        """`url` may or may not end in `/v1`; `context_window` holds unless the server names a smaller one."""
        self._url = _base(url)
        self._model = model
        self._patience = patience or Patience()
        self._state = "stopped"
        self._reason: str | None = None
        self._window = context_window
        self._open = 0
        self._asked = 0
        self._probe: asyncio.Task[None] | None = None
        key = {"authorization": f"Bearer {api_key}"} if api_key else {}
        silent_after = self._patience.silent_after
        self._client = httpx.AsyncClient(
            base_url=self._url,
            headers={"accept": "text/event-stream, application/json", **key},
            timeout=httpx.Timeout(silent_after, connect=10.0, pool=silent_after),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def start(self) -> None:
        """Asks the server for its models, once it can be reached."""
        if self._probe is None:
            self._state = "loading"
            self._probe = asyncio.create_task(self._watch(), name="upstream-probe")

    async def close(self) -> None:
        """Closes every connection; open turns fail."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
        self._state = "stopped"
        await self._client.aclose()

    async def count(self, prompt: Prompt) -> int:
        """About how many tokens the prompt has."""
        return upstream.estimate(prompt)

    def describe(self) -> EngineFacts:
        """What is known about the server."""
        return EngineFacts(
            name="remote",
            model=self._model,
            state=self._state,
            context_window=self._window,
            reason=self._reason,
            has_vision=True,
            has_structured_output=True,
            can_continue=False,
            details={
                "url": self._url,
                "open_turns": self._open,
                "turns": self._asked,
                "count": "estimated, 4 characters per token",
            },
        )

    async def turn(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """One streamed answer. Retries before the first piece only; closing it closes the connection."""
        if prompt.answer_start:
            raise EngineFailed("This engine cannot continue an answer that was cut.")
        self._open += 1
        self._asked += 1
        try:
            pause = self._patience.first_pause
            for left in range(self._patience.tries - 1, -1, -1):
                try:
                    async with aclosing(self._answer(prompt)) as parts:
                        async for part in parts:
                            yield part
                    return
                except _Transient as problem:
                    if left == 0 or (problem.pause or 0) > self._patience.longest_pause:
                        raise problem.failure from problem
                    log.info("the upstream server is asked again: %s", problem)
                    await asyncio.sleep(problem.pause if problem.pause is not None else pause)
                    pause *= 2
        finally:
            self._open -= 1

    async def _answer(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        answer = upstream.Answer()
        is_started = False
        try:
            body = upstream.request(prompt, self._model)
            async with self._client.stream("POST", "chat/completions", json=body) as response:
                await _check(response)
                self._is_up()
                async with aclosing(_chunks(response)) as chunks:
                    async for chunk in chunks:
                        text = answer.take(chunk)
                        if not is_started:
                            is_started = True
                            yield Started(upstream.estimate(prompt))
                        if thought := answer.fresh_thought():
                            yield Thought(thought, upstream.estimate_text(thought))
                        if text:
                            yield Text(text, upstream.estimate_text(text), answer.logprobs())
        except httpx.HTTPError as error:
            failure = EngineFailed(f"The connection to the upstream server failed: {_words(error)}")
            if is_started:
                raise failure from error
            raise _Transient(failure) from error
        if answer.reason is None:
            raise EngineFailed("The upstream server ended in the middle of its answer.")
        for call in answer.calls:
            yield call
        yield Stop(answer.stop_reason(), answer.spent(prompt))

    async def _watch(self) -> None:
        """Asks for the models until the server answers."""
        while True:
            try:
                response = await self._client.get("models", timeout=10.0)
                if response.status_code in (401, 403):
                    self._state, self._reason = "failed", "The upstream server refuses our key."
                    return
                self._is_up()
                self._learn(response)
                return
            except httpx.HTTPError as error:
                self._state = "failed"
                self._reason = f"The upstream server cannot be reached: {_words(error)}"
                await asyncio.sleep(self._patience.probe_every)

    def _is_up(self) -> None:
        self._state, self._reason = "ready", None

    def _learn(self, response: httpx.Response) -> None:
        """Some servers tell how long a context their models have."""
        try:
            models = response.json().get("data", [])
            ours = next(model for model in models if model.get("id") == self._model)
        except (ValueError, AttributeError, TypeError, StopIteration):
            return
        window = ours.get("max_model_len") or ours.get("context_window") or ours.get("context_length")
        if isinstance(window, int) and 0 < window < self._window:
            self._window = window


def _base(url: str) -> str:
    plain = url.rstrip("/").removesuffix("/chat/completions")
    return plain if plain.endswith("/v1") else f"{plain}/v1"


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _check(response: httpx.Response) -> None:
    """Raises for a refusal: `_Transient` where another try may do better."""
    status = response.status_code
    if status == 200:
        return
    raw = await response.aread()
    try:
        body: Any = json.loads(raw)
    except ValueError:
        body = None
    failure = upstream.failure(status, body)
    is_overflow = failure.code == "invalid_prompt"
    if (status in (408, 429) or status >= 500) and not is_overflow:
        raise _Transient(failure, _retry_after(response))
    raise failure


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


async def _chunks(response: httpx.Response) -> AsyncGenerator[Any, None]:
    """The JSON chunks of an event stream; a server that does not stream gives one."""
    if "json" in response.headers.get("content-type", ""):
        yield _unstreamed(_read(await response.aread()))
        return
    async for data in _events(response):
        if data.strip() == "[DONE]":
            return
        yield _read(data)


async def _events(response: httpx.Response) -> AsyncIterator[str]:
    """The data of each event; an event may have several data lines."""
    lines: list[str] = []
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _read(data: str | bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise EngineFailed("The upstream server sent something that is not JSON.") from error


def _unstreamed(whole: Any) -> Any:
    """A whole completion in the shape of a chunk."""
    if isinstance(whole, dict):
        for choice in whole.get("choices") or ():
            choice["delta"] = choice.get("message") or {}
    return whole
