"""What Prometheus may scrape of a bridge."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gate_bridge.wire.actions import AgentEvent, Observation

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_BUCKETS_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0)


class BridgeMetrics:
    """The counters of one bridge process."""

    def __init__(self, connections: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        Gauge(
            "sesame_gate_connections", "Lanes connected to this bridge.", registry=self.registry
        ).set_function(connections)
        self.greeted = Counter(
            "sesame_gate_greeted_total", "Connections that were greeted.", registry=self.registry
        )
        self.heartbeats = Counter(
            "sesame_gate_heartbeats_total", "Heartbeats of agents.", registry=self.registry
        )
        self.event_lag = Histogram(
            "sesame_gate_event_lag_seconds",
            "From what happened at a lane to its commit, by event.",
            ("action",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.untold = Gauge(
            "sesame_gate_untold_lanes",
            "Lanes whose health could not be told to the database.",
            registry=self.registry,
        )

        self.handshakes_refused = Counter(
            "sesame_gate_handshakes_refused_total",
            "Connections closed before their TLS handshake: too many were under way.",
            registry=self.registry,
        )
        self.handshakes = Gauge(
            "sesame_gate_handshakes", "TLS handshakes under way.", registry=self.registry
        )

    def committed(self, event: AgentEvent, now: datetime) -> None:
        """Count an event that was just committed."""
        at = event.captured_at if isinstance(event, Observation) else event.occurred_at
        lag = self.event_lag.labels(type(event).__name__)
        lag.observe(max(0.0, (now - at).total_seconds()))

    def text(self) -> bytes:
        """Return the answer to a scrape."""
        return generate_latest(self.registry)
