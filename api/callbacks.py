"""What payment providers tell us."""

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from parking.flows.context import ParkingContext
from parking.flows.payments.settlement import receive_notice
from parking.kit.errors import ParkingError
from parking.payments.port import NoticeRefusedError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class CallbackEndpoint:
    """Verifies a notice against its raw bytes, and acts on it once."""

    def __init__(self, context: ParkingContext) -> None:
        self._context = context

    async def answer(self, request: Request) -> Response:
        """Answer 204 once the notice is stored; anything else makes the provider repeat it."""
        name: str = request.path_params["provider"]
        provider = self._context.providers.get(name)
        if provider is None:
            return _problem(404, "PROVIDER_UNKNOWN")
        try:
            notice = provider.verify_notice(dict(request.headers), await read_body(request))
        except BodyRefusedError as error:
            return JSONResponse({"code": error.code}, error.status, REFUSED_HEADERS)
        except NoticeRefusedError as error:
            _log.warning("notice.refused", provider=name, reason=error.reason)
            return _problem(401, error.code)
        try:
            await receive_notice(self._context, name, notice)
        except ParkingError as error:
            if error.retryable:
                return _problem(503, error.code)
            # Verified and impossible, such as another amount: repeating it cannot help.
            _log.error("notice.impossible", provider=name, code=error.code, notice=notice.notice_id)
            return _problem(422, error.code)
        return Response(status_code=204)


def _problem(status: int, code: str) -> Response:
    return JSONResponse({"code": code}, status)
