"""What a failed call is answered with: the domain's refusals in the wire's codes."""

import secrets
from uuid import UUID

import structlog

from gate_bridge.wire.errors import (
    InternalWireError,
    NotReadyError,
    PayloadInvalidError,
    WireError,
)
from parking.kit.errors import InvalidInputError, ParkingError
from parking.lanes.errors import PresentationForeignError, PresentationUnknownError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def wire_error(error: Exception, action: str, lane_id: UUID) -> WireError:
    """Return the answer to a call that failed; a defect goes to the log with its id."""
    match error:
        case WireError():
            return error
        case InvalidInputError():
            return PayloadInvalidError(error.field, f"expected {error.expected}")
        case PresentationUnknownError() | PresentationForeignError():
            return PayloadInvalidError("presentation_id", "expected one of this lane")
        case ParkingError(retryable=True):
            return NotReadyError("the service is not ready; try again", {"code": error.code})
        case ParkingError():
            _log.warning("gate_call_refused", action=action, code=error.code, lane_id=str(lane_id))
            return PayloadInvalidError("payload", f"refused: {error.code}")
        case _:
            correlation_id = secrets.token_hex(8)
            _log.error(
                "gate_call_failed",
                action=action,
                correlation_id=correlation_id,
                exc_info=error,
                lane_id=str(lane_id),
            )
            return InternalWireError(correlation_id)
