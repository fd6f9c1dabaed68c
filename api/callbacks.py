"""What payment providers tell us."""

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from parking.flows.context import ParkingContext
from parking.flows.payments.notices import receive_notice
from parking.kit.errors import ParkingError
from parking.payments.port import NoticeOutcome, NoticeRefusedError, NoticeReply

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class CallbackEndpoint:
    """Verifies a notice against its raw bytes, and acts on it once."""

    def __init__(self, context: ParkingContext) -> None:
        self._context = context

    async def answer(self, request: Request) -> Response:
        """Answer as the provider expects: taken, refused, or to be repeated."""
        name: str = request.path_params["provider"]
        provider = self._context.providers.get(name)
        if provider is None:
            return _problem(404, "PROVIDER_UNKNOWN")
        try:
            notices = provider.verify_notices(dict(request.headers), await read_body(request))
        except BodyRefusedError as error:
            return JSONResponse({"code": error.code}, error.status, REFUSED_HEADERS)
        except NoticeRefusedError as error:
            _log.warning("notice.refused", provider=name, reason=error.reason)
            return _reply(provider.notice_reply(NoticeOutcome.REFUSED))
        for notice in notices:
            try:
                await receive_notice(self._context, name, notice)
            except ParkingError as error:
                if error.retryable:
                    return _reply(provider.notice_reply(NoticeOutcome.BUSY))
                # Verified and impossible, such as another amount: repeating it cannot help.
                _log.error(
                    "notice.impossible", provider=name, code=error.code, notice=notice.notice_id
                )
                return _reply(provider.notice_reply(NoticeOutcome.IMPOSSIBLE))
        return _reply(provider.notice_reply(NoticeOutcome.TAKEN))


def _reply(reply: NoticeReply) -> Response:
    return Response(reply.body, reply.status, media_type=reply.media_type)


def _problem(status: int, code: str) -> Response:
    return JSONResponse({"code": code}, status)
