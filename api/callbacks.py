"""What payment providers tell us."""

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from parking.flows.context import ParkingContext
from parking.flows.payments.notices import receive_notice
from parking.kit.errors import ParkingError
from parking.payments.port import Notice, NoticeOutcome, NoticeRefusedError, NoticeReply

_WORST_FIRST = (NoticeOutcome.BUSY, NoticeOutcome.IMPOSSIBLE)

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
            # The name is whatever somebody put into the address.
            _log.warning("notice.refused", provider=None, reason="PROVIDER_UNKNOWN")
            return _problem(404, "PROVIDER_UNKNOWN")
        try:
            body = await read_body(request, provider.traits.notice_bytes_max)
            notices = provider.verify_notices(dict(request.headers), body)
        except BodyRefusedError as error:
            _log.warning("notice.refused", provider=name, reason=error.code)
            return JSONResponse({"code": error.code}, error.status, REFUSED_HEADERS)
        except NoticeRefusedError as error:
            _log.warning("notice.refused", provider=name, reason=error.reason)
            return _reply(provider.notice_reply(NoticeOutcome.REFUSED))
        # All of them, whatever becomes of one: the provider may never send the others again.
        outcomes = {await self._take(name, notice) for notice in notices}
        worst = next((one for one in _WORST_FIRST if one in outcomes), NoticeOutcome.TAKEN)
        return _reply(provider.notice_reply(worst))

    async def _take(self, name: str, notice: Notice) -> NoticeOutcome:
        try:
            await receive_notice(self._context, name, notice)
        except ParkingError as error:
            if error.retryable:
                _log.warning("notice.busy", provider=name, code=error.code, notice=notice.notice_id)
                return NoticeOutcome.BUSY
            # Verified and impossible, such as another amount: repeating it cannot help.
            _log.error("notice.impossible", provider=name, code=error.code, notice=notice.notice_id)
            return NoticeOutcome.IMPOSSIBLE
        except Exception:  # noqa: BLE001 - of a loop over all that one body tells
            # A defect of ours: the others are followed all the same.
            _log.exception("notice.failed", provider=name, notice=notice.notice_id)
            return NoticeOutcome.BUSY
        return NoticeOutcome.TAKEN


def _reply(reply: NoticeReply) -> Response:
    return Response(reply.body, reply.status, media_type=reply.media_type)


def _problem(status: int, code: str) -> Response:
    return JSONResponse({"code": code}, status)
