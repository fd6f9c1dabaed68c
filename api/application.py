"""Requests and sockets part at the door."""

from typing import Any, Final

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from api.graphql.websocket import SocketEndpoint

SOCKETS_PATH: Final = "/graphql"


class Application(Starlette):
    """Serves requests through its middleware, and sockets without.

    The middleware is for answers, which a socket has none of: thousands of sockets would each hold
    a frame of every layer for as long as they are open.
    """

    def __init__(self, sockets: SocketEndpoint, **options: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(**options)
        self.sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one socket."""
        if scope["type"] == "websocket" and scope["path"] == SOCKETS_PATH:
            await self.sockets.serve(WebSocket(scope, receive, send))
        else:
            await super().__call__(scope, receive, send)
