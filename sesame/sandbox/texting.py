"""What the stand-ins of SMS services have in common: what came, and what they are to answer."""

import json
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sesame.sandbox.loopback import read_body, refuse_remote

BODY_BYTES_MAX: Final = 16 * 1024
KEPT_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class KeptText:
    """One message that was taken."""

    to: str
    content: dict[str, str]


class TextBook:
    """`GET /_messages?to=…` shows what came; `POST /_control {"failures": [...]}` sets answers."""

    def __init__(self) -> None:
        self.failures: deque[dict[str, Any]] = deque(maxlen=KEPT_MAX)
        self.kept: deque[KeptText] = deque(maxlen=KEPT_MAX)
        self.routes = [
            Route("/_messages", self._show, methods=["GET"]),
            Route("/_control", self._control, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        to = request.query_params.get("to")
        shown = [{"to": one.to, **one.content} for one in self.kept if to in (None, one.to)]
        return JSONResponse({"messages": shown})

    async def _control(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None:
            return JSONResponse({"code": "body_too_large"}, 413)
        try:
            self.failures.extend(json.loads(body)["failures"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"code": "invalid_request"}, 400)
        return JSONResponse({})
