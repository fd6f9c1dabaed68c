"""What a supervisor asks a bridge process: whether it runs, whether it is ready, its figures."""

import http
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from gate_bridge.http_answers import answer, json_answer
from gate_bridge.metrics import CONTENT_TYPE, BridgeMetrics
from gate_bridge.port import LaneService
from gate_bridge.retry import call_once
from gate_bridge.valkey import Valkey

READY_TIMEOUT_S: Final = 2.0


class Probes:
    """Answers the paths that are no lane's."""

    def __init__(self, service: LaneService, valkey: Valkey, metrics: BridgeMetrics) -> None:
        self._service = service
        self._valkey = valkey
        self._metrics = metrics

    async def answer(self, path: str) -> Response | None:
        """Return the answer to a probe; None for any other path."""
        match path:
            case "/healthz":
                return json_answer(http.HTTPStatus.OK, {"status": "ok"})
            case "/readyz":
                return await self._readiness()
            case "/metrics":
                return answer(http.HTTPStatus.OK, CONTENT_TYPE, self._metrics.text())
            case _:
                return None

    async def process_request(self, connection: ServerConnection, request: Request) -> Response:
        """Answer on a listener for probes alone: nothing becomes a connection there."""
        _ = connection
        found = await self.answer(request.path.partition("?")[0])
        missing = {"error": {"field": "path", "expected": "/healthz, /readyz or /metrics"}}
        return found or json_answer(http.HTTPStatus.NOT_FOUND, missing)

    async def _readiness(self) -> Response:
        try:
            database = await call_once(self._service.ready, READY_TIMEOUT_S)
        except Exception:  # noqa: BLE001 - a probe reports every failure as "not ready"
            database = False
        valkey = await self._valkey.ping()
        ready = database and valkey
        status = http.HTTPStatus.OK if ready else http.HTTPStatus.SERVICE_UNAVAILABLE
        return json_answer(status, {"ready": ready, "database": database, "valkey": valkey})
