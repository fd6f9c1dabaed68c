"""What every request is given, and every answer, whatever answers: one layer, for each costs."""

import time
from collections.abc import Mapping, Sequence

from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from api.correlation import HEADER_BYTES, correlation_id
from api.headers import SecurityHeaders
from api.lingering import TOO_LARGE, linger
from api.metrics import Metrics


class Surround:
    """Names each request in the log, counts its answer and completes the answer's headers.

    Answers are counted under their route; the path itself would never end.

    Args:
        app: What answers.
        metrics: Where answers are counted.
        routes: All there are.
        headers: Those that every answer carries.
        direct: What answers some paths all by itself, without being looked for.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        routes: Sequence[Route],
        headers: SecurityHeaders,
        direct: Mapping[str, ASGIApp],
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes
        self._headers = headers
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = correlation_id(scope)
        started = time.perf_counter()
        status = 500

        async def complete(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                own = [each for each in message.get("headers", ()) if each[0] != HEADER_BYTES]
                own += self._headers.beside(own)
                own.append((HEADER_BYTES, found.encode()))
                message = {**message, "headers": own}
            elif status == TOO_LARGE and not message.get("more_body"):
                await send({**message, "more_body": True})
                await linger(receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        path = scope["path"]
        app = self._direct.get(path)
        route = self._route(scope) if app is None else path
        bound = bind_contextvars(correlation_id=found)
        try:
            await (app or self._app)(scope, receive, complete)
        finally:
            reset_contextvars(**bound)
            self._metrics.count(route, status, time.perf_counter() - started)

    def _route(self, scope: Scope) -> str:
        for route in self._routes:
            if route.matches(scope)[0] is not Match.NONE:
                return route.path
        return "other"
