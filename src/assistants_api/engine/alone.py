"""One answer at a time, for models whose state a `KvBlock` cannot hold: recurrent or with an encoder.

transformers' own `generate` keeps the state and makes the steps; which token comes next is chosen as for
every other row. It runs in a thread of its own and is ended between two layers when nobody waits any more.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from assistants_api.engine.batch import chosen
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.measures import Measures
from assistants_api.engine.messages import Delta, Refused
from assistants_api.engine.model import Model
from assistants_api.engine.rows import Row
from assistants_api.engine.threads import Threads
from assistants_api.engine.weights import CannotLoadModel

# How long a step waits for a token before it looks whether the model still goes from layer to layer.
_LOOK_AGAIN = 1.0


class _Gone(Exception):
    """Nobody waits for this answer any more."""


class Alone:
    """The face of a `Scheduler` over `generate`: rows wait in order, and one is written."""

    def __init__(self, model: Model, config: EngineConfig) -> None:
        self._model = model
        self._config = config
        self._net = model.net
        self._has_encoder = bool(getattr(model.config, "is_encoder_decoder", False))
        self._clear_settings()
        self._check()
        self._waiting: deque[Row] = deque()
        self._row: Row | None = None
        self._gone = threading.Event()
        self._told: queue.SimpleQueue[Delta | Refused | None] = queue.SimpleQueue()
        self._passed = self._seen = 0  # layers
        self._began = 0.0
        self._steps = self._generated = self._read = 0
        self._measures = Measures()
        self._step_time = 0.0
        self._threads = Threads.of(model, config)

    @property
    def is_idle(self) -> bool:
        """Nothing to do until the next turn is submitted."""
        return not self._waiting and self._row is None

    @property
    def is_reading(self) -> bool:
        """Nothing that was said waits for a step: there is one row, and all that it says is told at once."""
        return False

    def submit(self, row: Row) -> None:
        """A new turn, at the end of the queue."""
        self._waiting.append(row)

    def cancel(self, turn: int) -> None:
        """The turn says nothing from here on; one that is being written ends with its present layer."""
        for row in [row for row in self._waiting if row.turn == turn]:
            self._waiting.remove(row)
        if self._row is not None and self._row.turn == turn:
            self._gone.set()

    def details(self) -> dict[str, Any]:
        """Numbers for `describe`."""
        return {
            "active_rows": int(self._row is not None),
            "waiting_rows": len(self._waiting),
            "steps": self._steps,
            "step_seconds": round(self._step_time, 5),
            "tokens_per_second": round(1 / self._step_time, 1) if self._step_time else 0.0,
            "generated_tokens": self._generated,
            "read_tokens": self._read,
            "reused_tokens": 0,
            "threads": self._threads.now,
            "measures": self._measures.told(),
        }

    def step(self) -> list[Delta | Refused]:
        """Takes up the next row, or waits for the present row's next token.

        A prompt may take minutes to read: a step ends without a token where layers were passed meanwhile.
        """
        if self._row is None:
            return [self._take_up(self._waiting.popleft())] if self._waiting else []
        while True:
            try:
                told = self._told.get(timeout=_LOOK_AGAIN)
                break
            except queue.Empty:
                seen, self._seen = self._seen, self._passed
                if self._seen > seen:
                    return []
        began, self._began = self._began, time.monotonic()
        if told is None:
            self._row = None
            return []
        self._steps += 1
        self._step_time += 0.1 * (self._began - began - self._step_time)
        return [] if self._gone.is_set() else [told]

    def _take_up(self, row: Row) -> Delta:
        if row.is_over():
            return Delta(row.turn, (), (row.start(), *row.finish()))
        self._row = row
        self._measures.queue_wait.note(time.monotonic() - row.arrived)
        self._gone.clear()
        self._began = time.monotonic()
        threading.Thread(target=self._write, args=(row,), daemon=True).start()
        return Delta(row.turn, (), (row.start(),))

    def _write(self, row: Row) -> None:
        """The row's answer, token by token, then None: always, whatever happens."""
        try:
            with self._watched():
                self._generate(row.ids, row.asked, row.limit - row.spent, _Chooser(self, row), _Ended(row))
            if row.end is None:
                raise RuntimeError("generate ended by itself")
        except _Gone:
            pass
        except Exception as error:
            self._told.put(row.failure(error))
        finally:
            self._told.put(None)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Counts the layers that are passed; the next one is not where nobody waits any more."""
        lists = [part for part in self._net.modules() if isinstance(part, torch.nn.ModuleList)]
        handles = [layer.register_forward_pre_hook(self._pass) for layers in lists for layer in layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _pass(self, *_: Any) -> None:
        self._passed += 1
        if self._gone.is_set():
            raise _Gone

    def _note(self, row: Row) -> None:
        self._generated += 1
        self._measures.batch_rows.note(1)
        if row.said_at is None:
            self._read += len(row.ids)
        before, row.said_at = row.said_at, self._measures.token(row.arrived, row.said_at)
        if before is not None:
            self._threads.stepped(1, row.said_at - before)

    def next_token(self, row: Row, logits: torch.Tensor) -> int:
        """Chooses and says the row's next token, by `logits` `[1, vocabulary]`."""
        if self._gone.is_set():
            raise _Gone
        token = chosen(logits, [row])[0]
        if token is None:
            raise ArithmeticError("the model's numbers are not finite")
        self._note(row)
        parts = row.say(token)
        if parts:
            self._told.put(Delta(row.turn, row.fresh(), tuple(parts)))
        return token

    def _generate(
        self, ids: list[int], asked: int, most: int, chooser: LogitsProcessor, ended: StoppingCriteria
    ) -> None:
        device = self._model.device
        given: dict[str, Any] = {}
        if self._has_encoder:
            begun = [self._net.generation_config.decoder_start_token_id, *ids[asked:]]
            given["decoder_input_ids"] = torch.tensor([begun], device=device)
            ids = [*ids[:asked], *self._ending()]
        tokens = torch.tensor([ids], device=device)
        self._net.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=most,
            do_sample=False,
            logits_processor=LogitsProcessorList([chooser]),
            stopping_criteria=StoppingCriteriaList([ended]),
            **given,
        )

    def _ending(self) -> list[int]:
        """What the tokenizer puts behind every text that an encoder reads."""
        end = self._model.tokenizer.eos_token_id
        empty: list[int] = self._model.tokenizer("")["input_ids"]
        return empty[-1:] if empty[-1:] == [end] else []

    def _clear_settings(self) -> None:
        """`generate` is to add nothing of its own to what a turn asks for."""
        own = self._net.generation_config
        start = getattr(own, "decoder_start_token_id", None)
        if self._has_encoder and start is None:
            start = getattr(self._model.config, "decoder_start_token_id", None)
        if self._has_encoder and start is None:
            start = own.pad_token_id if own.bos_token_id is None else own.bos_token_id
        pad = own.pad_token_id
        ends = sorted(self._model.end_ids)
        self._net.generation_config = GenerationConfig(
            bos_token_id=own.bos_token_id,
            eos_token_id=ends or None,
            pad_token_id=ends[0] if pad is None and ends else pad,
            decoder_start_token_id=start,
            forced_bos_token_id=getattr(own, "forced_bos_token_id", None),
            num_beams=1,
            do_sample=False,
        )

    def _check(self) -> None:
        """Two tokens must come out, of finite numbers."""
        ids = [token % self._model.config.vocab_size for token in range(3, 11)]
        proof = _Proof()
        try:
            self._generate(ids, len(ids), 2, proof, _Never())
        except Exception as error:
            words = " ".join(str(error).split())[:300]
            raise CannotLoadModel(
                f"This architecture cannot be stepped by generate either: {words}"
            ) from error
        if not proof.is_finite:
            raise CannotLoadModel("What this model says is not finite.")


class _Chooser(LogitsProcessor):
    """Leaves `generate` the one token that was chosen for the row."""

    def __init__(self, alone: Alone, row: Row) -> None:
        self._alone = alone
        self._row = row

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        token = self._alone.next_token(self._row, scores)
        only = torch.full_like(scores, float("-inf"))
        only[0, token] = 0.0
        return only


class _Ended(StoppingCriteria):
    """The row says when it has ended."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._row.end is not None, device=input_ids.device)


class _Proof(LogitsProcessor):
    """Looks whether numbers are finite."""

    def __init__(self) -> None:
        self.is_finite = True

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.is_finite = self.is_finite and bool(torch.isfinite(torch.logsumexp(scores.float(), -1)).all())
        return scores


class _Never(StoppingCriteria):
    """Ends nothing."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
