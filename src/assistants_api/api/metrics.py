"""What is counted, in a registry of the application's own: HTTP, the queue, the engine, upstream servers."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from assistants_api.api.counts import Counting
from assistants_api.domain.errors import Unavailable
from assistants_api.domain.job import JobKind
from assistants_api.domain.prompt import EngineFacts
from assistants_api.domain.run import ACTIVE

CIRCUITS = ("closed", "half-open", "open", "unknown")


class Metrics:
    """Requests by route and status, their duration, and those open right now."""

    def __init__(self, models: Callable[[], Sequence[EngineFacts]]) -> None:
        """`models` describes the engine of each served model, the default one first."""
        self.registry = CollectorRegistry()
        self.registry.register(EngineCollector(models))
        self.registry.register(UpstreamCollector(lambda: models()[0].details.get("upstreams", [])))
        self.requests = Counter(
            "assistants_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "assistants_http_request_seconds",
            "Time until the response began.",
            ["method", "route"],
            registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )
        self.open = Gauge("assistants_http_open_requests", "Requests being answered.", registry=self.registry)
        self.waiting = Gauge(
            "assistants_jobs_waiting", "Jobs that wait for a worker.", ["kind"], registry=self.registry
        )
        self.oldest = Gauge(
            "assistants_jobs_oldest_seconds",
            "How long the oldest job has waited for a worker.",
            ["kind"],
            registry=self.registry,
        )
        self.runs = Gauge("assistants_runs", "Runs that are not final.", ["status"], registry=self.registry)

    async def read(self, counting: Counting) -> None:
        """Read what only the database knows; without it, those numbers are left out."""
        for gauge in (self.waiting, self.oldest, self.runs):
            gauge.clear()
        try:
            counts = await counting.read()
        except Unavailable:
            return
        for kind in JobKind:
            self.waiting.labels(kind).set(counts.waiting.get(kind, 0))
            self.oldest.labels(kind).set(counts.ages.get(kind, 0))
        for status in ACTIVE:
            self.runs.labels(status).set(counts.runs.get(status, 0))


_GAUGES = {
    "active_rows": ("assistants_engine_active_rows", "Answers that the model writes now."),
    "waiting_rows": ("assistants_engine_waiting_rows", "Answers that wait for a place in the batch."),
    "kv_bytes": ("assistants_engine_kv_bytes", "Memory of the attention state of running answers."),
    "parked_bytes": ("assistants_engine_parked_bytes", "Memory of the attention state kept for next turns."),
    "tokens_per_second": ("assistants_engine_tokens_per_second", "Tokens per second over all answers."),
}
_COUNTERS = {
    "generated_tokens": ("assistants_engine_generated_tokens", "Tokens that the model wrote."),
    "read_tokens": ("assistants_engine_read_tokens", "Prompt tokens that the model read."),
    "reused_tokens": ("assistants_engine_reused_tokens", "Prompt tokens whose state was there already."),
    "drafted_tokens": ("assistants_engine_drafted_tokens", "Tokens of answers that were guessed ahead."),
    "accepted_tokens": ("assistants_engine_accepted_tokens", "Guessed tokens that were right."),
    "paused_rows": ("assistants_engine_paused_rows", "Times that an answer gave its memory to older ones."),
    "restarts": ("assistants_engine_restarts", "Times that the model's process was started again."),
}
_HISTOGRAMS = {
    "queue_wait_seconds": "Time from a turn's arrival until it has a place in the batch.",
    "first_token_seconds": "Time from a turn's arrival to its first token.",
    "between_tokens_seconds": "Time between two tokens of one answer.",
    "batch_rows": "Answers that a decode step carried.",
}


class EngineCollector(Collector):
    """What the model's process told of itself last, at most a second ago."""

    def __init__(self, describe: Callable[[], Sequence[EngineFacts]]) -> None:
        """`describe` gives the facts of each served model."""
        self._describe = describe

    def collect(self) -> Iterator[Metric]:
        """Only what this kind of engine measures; everything begins at 0 when a model's process is new."""
        models = self._describe()
        for kind, known in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
            for key, (name, help) in known.items():
                family = kind(name, help, labels=["model"])
                for facts in models:
                    if key in facts.details:
                        family.add_metric([facts.model], facts.details[key])
                if family.samples:
                    yield family
        for key, help in _HISTOGRAMS.items():
            histogram = HistogramMetricFamily(f"assistants_engine_{key}", help, labels=["model"])
            for facts in models:
                if measure := facts.details.get("measures", {}).get(key):
                    buckets = [(str(bound), count) for bound, count in measure["buckets"]]
                    histogram.add_metric(
                        [facts.model], [*buckets, ("+Inf", measure["count"])], measure["sum"]
                    )
            if histogram.samples:
                yield histogram


class UpstreamCollector(Collector):
    """The states of upstream servers, read from what the engine says of itself when metrics are asked for."""

    def __init__(self, describe: Callable[[], list[dict[str, Any]]]) -> None:
        """`describe` gives a dictionary for each server; an empty list where there is none."""
        self._describe = describe

    def collect(self) -> Iterator[Metric]:
        """Each server's circuit, open and waiting turns, and what it was asked and failed."""
        servers = self._describe()
        if not servers:
            return
        circuit = GaugeMetricFamily(
            "assistants_upstream_circuit",
            "1 for the state that the server's circuit breaker is in.",
            labels=["upstream", "model", "state"],
        )
        turns = GaugeMetricFamily(
            "assistants_upstream_open_turns",
            "Answers that the server writes now.",
            labels=["upstream", "model"],
        )
        asked = CounterMetricFamily(
            "assistants_upstream_turns",
            "Answers that the server was asked for.",
            labels=["upstream", "model"],
        )
        failed = CounterMetricFamily(
            "assistants_upstream_failures",
            "Times that the server failed a turn or a health check.",
            labels=["upstream", "model"],
        )
        for server in servers:
            labels = [server["url"], server["model"]]
            for state in CIRCUITS:
                circuit.add_metric([*labels, state], float(server["circuit"] == state))
            turns.add_metric(labels, server["open_turns"])
            asked.add_metric(labels, server["turns"])
            failed.add_metric(labels, server["failures"])
        yield from (circuit, turns, asked, failed)
