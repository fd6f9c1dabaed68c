"""Who may open a connection: everything that is answered before the upgrade."""

import http
from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import orjson
import structlog
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from gate_bridge.metrics import CONTENT_TYPE, BridgeMetrics
from gate_bridge.port import LaneService
from gate_bridge.retry import call_once
from gate_bridge.valkey import Valkey
from gate_bridge.wire.limits import PATH_PREFIX, SUBPROTOCOL
from parking.flows.lane_types import Lane
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_SCHEME = "bearer"
_TOKEN_CHARACTERS_MAX = 512
_AUTHENTICATE_TIMEOUT_S = 5.0
_READY_TIMEOUT_S = 2.0


class RefusedRequestError(ParkingError):
    """A request that does not become a connection."""

    code: ClassVar[str] = "REQUEST_REFUSED"

    def __init__(self, status: http.HTTPStatus, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.status = status
        self.field = field
        self.expected = expected


class GateSocket(ServerConnection):
    """A connection that remembers the lane it was admitted for."""

    lane: Lane | None = None


class Admission:
    """Checks path, subprotocol and device token, and answers the health probes."""

    def __init__(self, service: LaneService, valkey: Valkey, metrics: BridgeMetrics) -> None:
        self._service = service
        self._metrics = metrics
        self._valkey = valkey

    async def process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        """Answer over HTTP, or return None for the upgrade to go on."""
        path = request.path.partition("?")[0]
        if path == "/healthz":
            return _json(http.HTTPStatus.OK, {"status": "ok"})
        if path == "/readyz":
            return await self._readiness()
        if path == "/metrics":
            return _answer(http.HTTPStatus.OK, CONTENT_TYPE, self._metrics.text())
        try:
            lane = await self._admit(path, request.headers)
        except RefusedRequestError as error:
            return _refusal(error)
        if isinstance(connection, GateSocket):
            connection.lane = lane
        return None

    async def _admit(self, path: str, headers: Headers) -> Lane:
        lane_id = _lane_id(path)
        offered = ",".join(headers.get_all("Sec-WebSocket-Protocol"))
        if SUBPROTOCOL not in [name.strip() for name in offered.split(",")]:
            raise RefusedRequestError(
                http.HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Protocol", SUBPROTOCOL
            )
        token = _token(headers)
        try:
            return await call_once(
                lambda: self._service.authenticate(lane_id, token), _AUTHENTICATE_TIMEOUT_S
            )
        except ParkingError as error:
            raise _as_refusal(error) from error
        except Exception as error:
            # A defect or a lost database: the agent is told to come again, not to give up.
            _log.exception("authenticate_failed", lane_id=str(lane_id))
            raise RefusedRequestError(
                http.HTTPStatus.SERVICE_UNAVAILABLE, "service", "to be ready; try again"
            ) from error

    async def _readiness(self) -> Response:
        try:
            database = await call_once(self._service.ready, _READY_TIMEOUT_S)
        except Exception:  # noqa: BLE001 - a probe reports every failure as "not ready"
            database = False
        valkey = await self._valkey.ping()
        ready = database and valkey
        status = http.HTTPStatus.OK if ready else http.HTTPStatus.SERVICE_UNAVAILABLE
        return _json(status, {"ready": ready, "database": database, "valkey": valkey})


def _lane_id(path: str) -> UUID:
    if not path.startswith(PATH_PREFIX):
        raise RefusedRequestError(http.HTTPStatus.NOT_FOUND, "path", f"{PATH_PREFIX}<lane id>")
    try:
        return UUID(path.removeprefix(PATH_PREFIX))
    except ValueError as error:
        raise RefusedRequestError(http.HTTPStatus.NOT_FOUND, "lane_id", "a UUID") from error


def _token(headers: Headers) -> str:
    values = headers.get_all("Authorization")
    scheme, _, token = (values[0] if len(values) == 1 else "").partition(" ")
    token = token.strip()
    if scheme.lower() != _SCHEME or not 1 <= len(token) <= _TOKEN_CHARACTERS_MAX:
        raise RefusedRequestError(
            http.HTTPStatus.UNAUTHORIZED, "Authorization", "Bearer and the lane's device token"
        )
    return token


def _as_refusal(error: ParkingError) -> RefusedRequestError:
    if error.retryable:
        return RefusedRequestError(
            http.HTTPStatus.SERVICE_UNAVAILABLE, "service", "to be ready; try again"
        )
    # An unknown lane and a wrong token are not told apart: lane ids are no secret to collect.
    return RefusedRequestError(
        http.HTTPStatus.UNAUTHORIZED,
        "Authorization",
        "the device token of the lane whose id is in the path",
    )


def _refusal(error: RefusedRequestError) -> Response:
    body = {"error": {"field": error.field, "expected": error.expected, "message": str(error)}}
    response = _json(error.status, body)
    if error.status is http.HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="gates"'
    if error.status is http.HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "1"
    return response


def _json(status: http.HTTPStatus, body: Mapping[str, object]) -> Response:
    return _answer(status, "application/json", orjson.dumps(body))


def _answer(status: http.HTTPStatus, content_type: str, content: bytes) -> Response:
    headers = Headers(
        {
            "Content-Type": content_type,
            "Content-Length": str(len(content)),
            "Connection": "close",
            "Cache-Control": "no-store",
        }
    )
    return Response(status.value, status.phrase, headers, content)
