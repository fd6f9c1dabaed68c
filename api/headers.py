"""Headers that every answer carries."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DEFAULTS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_TRANSPORT_SECURITY: Final = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """Adds the headers that a route did not set itself.

    Args:
        app: What answers.
        is_https: Whether phones reach us by https; browsers are then told to keep to it.
    """

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        headers = dict(_DEFAULTS)
        if is_https:
            headers["strict-transport-security"] = _TRANSPORT_SECURITY
        # As bytes, for they are compared with those of every answer.
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and complete its answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                names = {name for name, _ in own}
                added = [each for each in self._headers if each[0] not in names]
                message = {**message, "headers": own + added}
            await send(message)

        await self._app(scope, receive, complete)
