"""What Twilio tells of text messages that it took."""

from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from parking.drivers import twilio_status
from parking.flows.context import ParkingContext

PATH: Final = "/callbacks/twilio/status"
BODY_BYTES_MAX: Final = 16 * 1024
FIELDS_MAX: Final = 60

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class TextStatusEndpoint:
    """Verifies who tells it, and notes what became of one message.

    Args:
        context: The domain's surroundings.
        auth_token: Of the Twilio account; None where its callbacks are not taken.
    """

    def __init__(self, context: ParkingContext, auth_token: str | None) -> None:
        self._context = context
        self._auth_token = auth_token

    async def answer(self, request: Request) -> Response:
        """Answer 204 once it is noted, or is nothing to us."""
        if self._auth_token is None:
            return JSONResponse({"code": "NOT_FOUND"}, 404)
        try:
            body = await read_body(request, BODY_BYTES_MAX)
            fields = dict(
                parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
            )
        except BodyRefusedError as error:
            return JSONResponse({"code": error.code}, error.status, REFUSED_HEADERS)
        except ValueError:
            return JSONResponse({"code": "INVALID_INPUT"}, 400)
        # The address under the signature is the one that we gave, whatever a proxy made of it.
        url = f"{self._context.public_url}{PATH}?{request.url.query}"
        given = request.headers.get(twilio_status.SIGNATURE_HEADER, "")
        if not twilio_status.is_signed(self._auth_token, url, fields, given):
            _log.warning("text_status.refused", reason="signature")
            return JSONResponse({"code": "SIGNATURE"}, 403)
        try:
            driver_id = UUID(request.query_params["driver"])
            delivery_id = UUID(request.query_params["delivery"])
        except (KeyError, ValueError):
            return JSONResponse({"code": "INVALID_INPUT"}, 400)
        async with self._context.database.begin() as unit:
            await twilio_status.take_status(unit, driver_id, delivery_id, fields)
        return Response(status_code=204)
