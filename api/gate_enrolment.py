"""Where a gate agent fetches its first certificate with a one-time token."""

from typing import Annotated, Final
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from parking.drivers.errors import TooManyRequestsError
from parking.flows import gate_identity
from parking.flows.context import ParkingContext
from parking.gates.errors import EnrolmentRefusedError
from parking.gates.requests import REQUEST_BYTES_MAX
from parking.gates.rules import TOKEN_CHARACTERS_MAX
from parking.kit.errors import InvalidInputError, ParkingError

PATH: Final = "/gates/enrol"
BODY_BYTES_MAX: Final = 16 * 1024

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class _Enrolment(BaseModel):
    """What an agent sends.

    Attributes:
        request: PKCS#10 in PEM.
    """

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    lane_id: UUID
    token: Annotated[str, Field(min_length=1, max_length=TOKEN_CHARACTERS_MAX)]
    request: Annotated[str, Field(min_length=1, max_length=REQUEST_BYTES_MAX)]


class GateEnrolmentEndpoint:
    """Answers with a certificate, or with a refusal that never says what a token lacks."""

    def __init__(self, context: ParkingContext) -> None:
        self._context = context

    async def answer(self, request: Request) -> Response:
        """Answer one agent."""
        try:
            body = await read_body(request, BODY_BYTES_MAX)
            wanted = _read(body)
            issued = await gate_identity.enrol(
                self._context,
                wanted.lane_id,
                wanted.token,
                wanted.request.encode(),
                request.client.host if request.client else "",
            )
        except BodyRefusedError as error:
            return JSONResponse(_body(error), error.status, REFUSED_HEADERS)
        except ParkingError as error:
            _log.warning("gate_enrolment.refused", code=error.code)
            return _refusal(error)
        return JSONResponse(
            {
                "certificate": issued.certificate,
                "authority": issued.authority,
                "not_after": issued.not_after.isoformat(),
            }
        )


def _read(body: bytes) -> _Enrolment:
    try:
        return _Enrolment.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidInputError(field, f"as documented: {first['msg']}") from None


def _refusal(error: ParkingError) -> Response:
    match error:
        case EnrolmentRefusedError():
            return JSONResponse(_body(error), 403)
        case TooManyRequestsError():
            headers = {"Retry-After": str(error.retry_after_s)}
            return JSONResponse(_body(error), 429, headers)
        case InvalidInputError():
            return JSONResponse({**_body(error), "field": error.field}, 400)
        case ParkingError(retryable=True):
            return JSONResponse(_body(error), 503, {"Retry-After": "5"})
        case _:
            return JSONResponse(_body(error), 400)


def _body(error: ParkingError) -> dict[str, str]:
    return {"code": error.code, "message": str(error)}
