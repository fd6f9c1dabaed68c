"""Who may open a connection: everything that is answered before the upgrade.

A listener has one kind of identity: client certificates where it speaks TLS, device tokens where it
does not.
"""

import http
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar
from uuid import UUID

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from gate_bridge.http_answers import json_answer
from gate_bridge.identity_port import GateIdentity
from gate_bridge.port import LaneService
from gate_bridge.probes import Probes
from gate_bridge.retry import call_once
from gate_bridge.turns import TooManyWaitError, Turns
from gate_bridge.wire.limits import PATH_PREFIX, SUBPROTOCOLS
from parking.flows.lane_types import Lane
from parking.gates.errors import CertificateRefusedError
from parking.gates.shown import ShownCertificate, read_shown
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_SCHEME = "bearer"
_TOKEN_CHARACTERS_MAX = 512
_AUTHENTICATE_TIMEOUT_S = 5.0
_RETRY_AFTER_S = 1
# At random within it: a try that comes too early costs about as much as one that succeeds.
_CROWDED_RETRY_AFTER_S = 10


class RefusedRequestError(ParkingError):
    """A request that does not become a connection."""

    code: ClassVar[str] = "REQUEST_REFUSED"

    def __init__(self, status: http.HTTPStatus, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.status = status
        self.field = field
        self.expected = expected
        self.retry_after_s = _RETRY_AFTER_S


class GateSocket(ServerConnection):
    """A connection that remembers what it was admitted for.

    Attributes:
        shown: The certificate of the gate; None on a listener of device tokens.
    """

    lane: Lane | None = None
    shown: ShownCertificate | None = None


class Admission:
    """Checks path, version and identity.

    Args:
        turns: For calls to the domain: a storm of connections leaves room for those that stand.
        identity: Knows certificates; None where agents show device tokens.
    """

    def __init__(
        self,
        service: LaneService,
        probes: Probes,
        turns: Turns,
        identity: GateIdentity | None = None,
    ) -> None:
        self._service = service
        self._probes = probes
        self._turns = turns
        self._identity = identity

    async def process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        """Answer over HTTP, or return None for the upgrade to go on."""
        path = request.path.partition("?")[0]
        # A listener of gates is no place for figures of the fleet: see `BridgeOptions.probe_port`.
        probed = None if self._identity else await self._probes.answer(path)
        if probed is not None:
            return probed
        try:
            lane_id = _lane_id(path)
            _require_version(request.headers)
            if not isinstance(connection, GateSocket):
                raise TypeError("expected a connection of this listener")
            if self._identity is None:
                token = _token(request.headers)
                connection.lane = await self._by_token(lane_id, token)
            else:
                connection.shown = _shown(connection, lane_id)
                connection.lane = await self._by_certificate(connection.shown, self._identity)
        except RefusedRequestError as error:
            return _refusal(error)
        return None

    async def _by_token(self, lane_id: UUID, token: str) -> Lane:
        return await self._asked(lane_id, lambda: self._service.authenticate(lane_id, token))

    async def _by_certificate(self, shown: ShownCertificate, identity: GateIdentity) -> Lane:
        return await self._asked(shown.lane_id, lambda: identity.admit(shown))

    async def _asked(self, lane_id: UUID, call: Callable[[], Awaitable[Lane]]) -> Lane:
        try:
            async with self._turns.turn():
                return await call_once(call, _AUTHENTICATE_TIMEOUT_S)
        except CertificateRefusedError as error:
            raise _certificate_refusal(lane_id, error.reason) from error
        except ParkingError as error:
            raise _as_refusal(error) from error
        except Exception as error:
            # A defect or a lost database: the agent is told to come again, not to give up.
            _log.exception("authenticate_failed", lane_id=str(lane_id))
            raise RefusedRequestError(
                http.HTTPStatus.SERVICE_UNAVAILABLE, "service", "to be ready; try again"
            ) from error


def newest_common(offered: Sequence[str], spoken: Sequence[str] = SUBPROTOCOLS) -> str | None:
    """Return the newest version of the wire that both ends speak; None for none.

    Args:
        offered: By the agent, in any order.
        spoken: Here, the newest first.
    """
    return next((version for version in spoken if version in offered), None)


def choose_version(
    connection: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    """Tell the library which of the offered versions a connection speaks."""
    _ = connection
    version = newest_common(offered)
    return None if version is None else Subprotocol(version)


def _require_version(headers: Headers) -> None:
    listed = ",".join(headers.get_all("Sec-WebSocket-Protocol"))
    if newest_common([name.strip() for name in listed.split(",")]) is None:
        raise RefusedRequestError(
            http.HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Protocol", ", or ".join(SUBPROTOCOLS)
        )


def _shown(connection: ServerConnection, lane_id: UUID) -> ShownCertificate:
    """Return the gate's certificate, which is for the lane of the path and for no other."""
    tls: ssl.SSLObject | None = connection.transport.get_extra_info("ssl_object")
    der = None if tls is None else tls.getpeercert(binary_form=True)
    try:
        shown = read_shown(der or b"")
    except CertificateRefusedError as error:
        raise _certificate_refusal(lane_id, error.reason) from error
    if shown.lane_id != lane_id:
        raise _certificate_refusal(lane_id, "other_lane")
    return shown


def _certificate_refusal(lane_id: UUID, reason: str) -> RefusedRequestError:
    _log.warning("gate_certificate_refused", lane_id=str(lane_id), reason=reason)
    # One answer for all: whoever holds another gate's certificate learns nothing about this lane.
    return RefusedRequestError(
        http.HTTPStatus.FORBIDDEN,
        "certificate",
        "a valid client certificate of the lane whose id is in the path",
    )


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
    if isinstance(error, TooManyWaitError):
        refused = RefusedRequestError(
            http.HTTPStatus.SERVICE_UNAVAILABLE, "service", "fewer lanes to connect; try again"
        )
        refused.retry_after_s = _CROWDED_RETRY_AFTER_S
        return refused
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
    body: dict[str, object] = {
        "error": {"field": error.field, "expected": error.expected, "message": str(error)}
    }
    if error.status is http.HTTPStatus.BAD_REQUEST:
        body["versions"] = list(SUBPROTOCOLS)
    response = json_answer(error.status, body)
    if error.status is http.HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="gates"'
    if error.status is http.HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
