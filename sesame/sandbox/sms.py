"""A stand-in for an SMS gateway that takes the signed webhook: docs/sms-webhook.md."""

import hmac
from collections import deque
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sms import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from parking.kit.clock import Clock
from sesame.sandbox.loopback import read_body, refuse_remote

BODY_BYTES_MAX: Final = 16 * 1024
KEPT_MAX: Final = 1000
TIMESTAMP_WINDOW: Final = timedelta(minutes=5)


class _Message(BaseModel):
    """The body of the webhook."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID
    to: Annotated[str, Field(pattern=r"^\+[1-9]\d{6,14}$")]
    text: Annotated[str, Field(min_length=1, max_length=1600)]


class SmsStandIn:
    """Verifies and keeps messages; `GET /_messages?to=…` shows them, the newest last."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret.encode()
        self._clock = clock
        self._kept: deque[_Message] = deque(maxlen=KEPT_MAX)
        self.app = Starlette(
            routes=[
                Route("/messages", self._take, methods=["POST"]),
                Route("/_messages", self._show, methods=["GET"]),
            ]
        )

    async def _take(self, request: Request) -> Response:
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None:
            return JSONResponse({"code": "body_too_large"}, 413)
        if not self._is_signed(request, body):
            return JSONResponse({"code": "signature_refused"}, 401)
        try:
            message = _Message.model_validate_json(body)
        except ValidationError as error:
            fields = [".".join(str(part) for part in one["loc"]) for one in error.errors()]
            return JSONResponse({"code": "invalid_request", "fields": fields}, 400)
        if str(message.id) != request.headers.get(ID_HEADER):
            return JSONResponse({"code": "invalid_request", "fields": ["id"]}, 400)
        if all(kept.id != message.id for kept in self._kept):
            self._kept.append(message)
        return JSONResponse({}, 202)

    def _is_signed(self, request: Request, body: bytes) -> bool:
        # Computed here from the document, so that the sender's own function is tested too.
        timestamp = request.headers.get(TIMESTAMP_HEADER, "")
        message_id = request.headers.get(ID_HEADER, "")
        signed = f"{timestamp}.{message_id}.".encode() + body
        expected = f"v1={hmac.new(self._secret, signed, 'sha256').hexdigest()}"
        given = request.headers.get(SIGNATURE_HEADER, "")
        if not hmac.compare_digest(expected.encode(), given.encode()):
            return False
        if not timestamp.isascii() or not timestamp.isdigit():
            return False
        age_s = abs(self._clock.now().timestamp() - int(timestamp))
        return age_s <= TIMESTAMP_WINDOW.total_seconds()

    async def _show(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        to = request.query_params.get("to")
        shown = [one.model_dump(mode="json") for one in self._kept if to in (None, one.to)]
        return JSONResponse({"messages": shown})


def create_sms_stand_in(secret: str, clock: Clock) -> Starlette:
    """Return the application of a stand-in that shares `secret` with the sender."""
    return SmsStandIn(secret, clock).app
