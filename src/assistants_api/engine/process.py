"""The model's own process: loads it, then steps until the server process goes away.

Three threads: this one steps; one reads the pipe, renders and counts prompts; one says every second that
the process is alive and how long the present step has taken.
"""

import logging
import os
import queue
import sys
import threading
import time
from typing import Any, BinaryIO

from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.engine import machine, messages
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.messages import (
    Beat,
    Cancel,
    CannotLoad,
    Count,
    Counted,
    Deltas,
    Ready,
    Refused,
    Submit,
)
from assistants_api.engine.outbox import Outbox

log = logging.getLogger(__name__)


class Pipe:
    """Whole messages over the two ends that the server process gave us."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._lock = threading.Lock()

    def read(self) -> Any:
        """The next message; ends the process when there will be none."""
        header = self._source.read(messages.HEADER)
        body = self._source.read(messages.size_of(header)) if len(header) == messages.HEADER else b""
        if not body:
            os._exit(0)
        return messages.unpacked(body)

    def write(self, message: object) -> None:
        """Sends a message; ends the process when nobody reads any more."""
        try:
            with self._lock:
                self._sink.write(messages.packed(message))
                self._sink.flush()
        except (BrokenPipeError, ValueError):
            os._exit(0)


class Server:
    """Answers turns with one model until the pipe closes."""

    def __init__(self, pipe: Pipe, model: Any, scheduler: Any) -> None:
        self._pipe = pipe
        self._model = model
        self._scheduler = scheduler
        self._outbox = Outbox(pipe.write)
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._step_began: float | None = None

    def run(self) -> None:
        """Steps for ever."""
        warm = [self._model.grammars.warm] if self._model.grammars else []
        for work in (self._listen, self._beat, *warm):
            threading.Thread(target=work, daemon=True).start()
        while True:
            self._take()
            self._step_began = time.monotonic()
            told = self._scheduler.step()
            self._step_began = None
            self._outbox.put(told)

    def _take(self) -> None:
        """Everything that has arrived; waits when there is nothing else to do."""
        if self._scheduler.is_idle or self._scheduler.is_reading:
            self._outbox.flush()
        while self._scheduler.is_idle or not self._inbox.empty():
            match self._inbox.get():
                case Cancel(turn):
                    self._scheduler.cancel(turn)
                    self._outbox.forget(turn)
                case row:
                    self._outbox.flush()  # the step that reads it may be long
                    self._scheduler.submit(row)

    def _listen(self) -> None:
        from assistants_api.engine.rows import Row

        while True:
            message = self._pipe.read()
            match message:
                case Submit(turn):
                    try:
                        self._inbox.put(Row(message, self._model))
                    except Exception as error:
                        self._pipe.write(Deltas((_refused(turn, error),)))
                case Cancel():
                    self._inbox.put(message)
                case Count(question, prompt):
                    self._pipe.write(self._counted(question, prompt))

    def _counted(self, question: int, prompt: Any) -> Counted:
        try:
            rendered = self._model.template.render(prompt)
            begun = self._model.ids(rendered.start + rendered.opening)
            return Counted(question, len(self._model.ids(rendered.text)) + len(begun))
        except Exception as error:
            return Counted(question, 0, _refused(question, error))

    def _beat(self) -> None:
        while True:
            began = self._step_began
            in_step = 0.0 if began is None else time.monotonic() - began
            self._pipe.write(Beat(in_step, self._scheduler.details()))
            time.sleep(1)


def _refused(turn: int, error: Exception) -> Refused:
    match error:
        case ContextOverflow():
            return Refused(turn, error.message, "invalid_prompt", is_overflow=True)
        case EngineFailed():
            return Refused(turn, error.message, error.code or "server_error")
    log.warning("a prompt could not be prepared", exc_info=error)
    return Refused(turn, f"The prompt could not be prepared: {error}", "server_error")


def serve(pipe: Pipe, config: EngineConfig) -> None:
    """Loads the model, says so or says why not, and serves."""
    began = time.monotonic()
    try:
        import torch
        import transformers

        from assistants_api.engine.alone import Alone
        from assistants_api.engine.model import Model
        from assistants_api.engine.scheduler import Scheduler
        from assistants_api.engine.weights import CannotLoadModel

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        torch.set_num_threads(config.threads or machine.cores())
        torch.set_grad_enabled(False)
    except ImportError as error:
        pipe.write(CannotLoad(f"The model libraries are not installed: {error}"))
        return
    try:
        model = Model(config)
        if config.threads is None and model.is_small:
            torch.set_num_threads(1)  # handing such small products around costs more than it saves
        if model.alone_because is not None:
            log.warning("%s answers one turn at a time. %s", config.served_name, model.alone_because)
        scheduler: Any = (Scheduler if model.alone_because is None else Alone)(model, config)
    except CannotLoadModel as error:
        pipe.write(CannotLoad(str(error)))
        return
    except Exception as error:
        log.warning("the model cannot be loaded", exc_info=error)
        words = " ".join(str(error).split())[:500]
        pipe.write(CannotLoad(f"The model {config.model} cannot be loaded: {words}"))
        return
    details = {
        "device": str(model.device),
        "dtype": model.precision,
        "adapter": None if config.adapter is None else config.adapter.name,
        "parameters": model.parameters,
        "packed_layers": model.packed_layers,
        "compiled": model.is_compiled,
        "fused": model.is_fused,
        "architecture": type(model.net).__name__,
        "one_at_a_time": model.alone_because,
        **model.template.describe(),
        "threads": torch.get_num_threads(),
        "load_seconds": round(time.monotonic() - began, 2),
    }
    pipe.write(Ready(model.window, details))
    Server(pipe, model, scheduler).run()


def main() -> None:
    """Started by `TransformersEngine`: the first message on the pipe is the configuration."""
    machine.tie_to_parent(int(sys.argv[1]))
    logging.basicConfig(level=logging.WARNING, format="engine: %(levelname)s %(message)s")
    # Libraries may print: our messages keep the real standard output to themselves.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    pipe = Pipe(os.fdopen(os.dup(0), "rb"), sink)
    serve(pipe, pipe.read())


if __name__ == "__main__":
    main()
