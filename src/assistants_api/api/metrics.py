"""What is counted, in a registry of the application's own: HTTP, and upstream servers."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CIRCUITS = ("closed", "half-open", "open", "unknown")


class Metrics:
    """Requests by route and status, their duration, and those open right now."""

    def __init__(self, upstreams: Callable[[], list[dict[str, Any]]] = list) -> None:
        """`upstreams` describes the servers of a remote engine."""
        self.registry = CollectorRegistry()
        self.registry.register(UpstreamCollector(upstreams))
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
