"""What Prometheus may scrape."""

from typing import Final

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

_BUCKETS_S: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "sesame_api_requests_total",
            "Answers by route and status.",
            ("route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "sesame_api_request_seconds",
            "Time to answer, by route.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._answers: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self.sockets = Gauge("sesame_api_sockets", "Open WebSockets.", registry=self.registry)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        found = self._answers.get((route, status))
        if found is None:
            # Routes and statuses are few; to find a counter by its labels takes longer than it.
            found = self.requests.labels(route, str(status)), self.seconds.labels(route)
            self._answers[route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    async def serve(self, request: Request) -> Response:
        """Answer a scrape: ours, and what the process counts for the domain."""
        _ = request
        body = generate_latest(self.registry) + generate_latest(REGISTRY)
        return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})
