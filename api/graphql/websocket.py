"""graphql-transport-ws, to the letter of its protocol where the library leaves off."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any, Final, cast

import orjson
import strawberry
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.types.execution import PreExecutionError
from strawberry.types.unset import UNSET, UnsetType

from api.config import (
    CONNECTION_INIT_TIMEOUT_S,
    PING_INTERVAL_S,
    SUBSCRIPTIONS_PER_SOCKET_MAX,
)
from api.limits import word_error
from api.request import RequestContext, bearer_token
from api.socket_places import TRY_AGAIN_LATER, PlacesTakenError, SocketPlaces
from parking.kit.tasks import end_tasks
from parking.kit.token_errors import TokenRefusedError

UNAUTHORIZED: Final = 4401
_MESSAGE_KEY: Final = "type"


class TextSocket(ASGIWebSocketAdapter):
    """Sends JSON as text frames: the protocol knows no binary ones."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send one message.

        Raises:
            WebSocketDisconnected: the client is gone.
        """
        try:
            await self.ws.send_text(orjson.dumps(message).decode())
        except (WebSocketDisconnect, RuntimeError) as error:
            # Starlette raises RuntimeError when the socket was closed by us before.
            raise WebSocketDisconnected from error


class Handler(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """One socket."""

    _background: list[asyncio.Task[None]]

    async def handle(self) -> None:
        """Serve the socket until it closes, leaving no task behind."""
        self._background = []
        try:
            await super().handle()
        finally:
            await end_tasks(*self._background)

    async def handle_message(self, message: Any) -> None:  # noqa: ANN401 - what a client sent
        """Refuse what is no message of the protocol with 4400; otherwise act on it."""
        if not _is_message(message):
            await self.handle_invalid_message("expected a message of graphql-transport-ws")
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: Any) -> None:  # noqa: ANN401 - see above
        """Let the client in; from then on ping it, and close when its token expires."""
        was_in = self.connection_acknowledged
        try:
            await super().handle_connection_init(message)
        except PlacesTakenError as error:
            await self.websocket.close(TRY_AGAIN_LATER, str(error))
        if self.connection_acknowledged and not was_in:
            self._background = [
                asyncio.create_task(self._ping()),
                asyncio.create_task(self._close_at_expiry()),
            ]

    async def handle_ping(self, message: Any) -> None:  # noqa: ANN401 - see above
        """Answer with the ping's own payload."""
        payload = {"payload": message["payload"]} if "payload" in message else {}
        await self.send_message(cast("Any", {"type": "pong", **payload}))

    async def run_operation(self, operation: Operation[RequestContext, None]) -> None:
        """Run one operation with a context of its own: its driver is checked anew."""
        context = self.context.for_operation()
        try:
            results = await self.schema.stream(
                operation.query,
                variable_values=operation.variables,
                context_value=context,
                operation_name=operation.operation_name,
            )
            async with aclosing(results):
                await self._send_result_stream(operation, results)
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except WebSocketDisconnected:
            return
        except Exception as error:  # noqa: BLE001 - one operation must not end the whole socket
            # The parser's cache raises syntax errors here; `word_error` logs what is a defect.
            failure = (
                error
                if isinstance(error, GraphQLError)
                else GraphQLError(str(error), original_error=error)
            )
            with suppress(WebSocketDisconnected):
                await operation.send_initial_errors([word_error(failure, context.correlation_id)])

    async def _handle_pre_execution_error(
        self, operation: Operation[RequestContext, None], result: PreExecutionError
    ) -> None:
        # The library closes the whole socket for a syntax error; the protocol answers `error`.
        await operation.send_initial_errors(result.errors or [])

    async def _ping(self) -> None:
        with suppress(WebSocketDisconnected):
            while True:
                await asyncio.sleep(PING_INTERVAL_S)
                await self.send_message({"type": "ping"})

    async def _close_at_expiry(self) -> None:
        identity = await self.context.driver()
        left = identity.expires_at - self.context.parking.clock.now()
        await asyncio.sleep(max(0.0, left.total_seconds()))
        with suppress(WebSocketDisconnected, RuntimeError):
            await self.websocket.close(UNAUTHORIZED, "the access token has expired")


class SubscriptionEndpoint(GraphQL[RequestContext, None]):
    """Serves WebSockets with one schema."""

    websocket_adapter_class = TextSocket  # pyright: ignore[reportAssignmentType] - as the library
    graphql_transport_ws_handler_class = Handler

    def __init__(
        self, schema: strawberry.Schema, open_context: Callable[[WebSocket], RequestContext]
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=CONNECTION_INIT_TIMEOUT_S),
            max_subscriptions_per_connection=SUBSCRIPTIONS_PER_SOCKET_MAX,
            # A page of any site may connect: the token is in `connection_init`, never in a cookie.
            allowed_origins=["*"],
        )
        self._open_context = open_context
        self.places = SocketPlaces()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket; where there is no place for it, it is closed with 1013."""
        client = websocket.client
        try:
            with self.places.hold(client.host if client else "") as place:
                websocket.state.place = place
                await self.run(websocket)
        except PlacesTakenError as error:
            await websocket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
            await websocket.close(TRY_AGAIN_LATER, str(error))

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> RequestContext:
        """Return the socket's surroundings."""
        _ = response
        context = self._open_context(cast("WebSocket", request))
        context.place = request.state.place
        return context

    async def on_ws_connect(self, context: RequestContext) -> UnsetType | dict[str, object] | None:
        """Let in whoever is signed in.

        Raises:
            ConnectionRejectionError: nobody is; the socket closes with 4403.
            PlacesTakenError: the driver has enough sockets; it closes with 1013.
        """
        params = context.connection_params or {}
        token = bearer_token(params.get("Authorization") or params.get("authorization"))
        context.token = token or context.token
        try:
            driver_id = await context.driver_id()
        except TokenRefusedError as error:
            raise ConnectionRejectionError from error
        if context.place is not None:
            context.place.acknowledge(driver_id)
        return UNSET

    def decode_json(self, data: str | bytes) -> object:
        """Read a message."""
        return orjson.loads(data)


def _is_message(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    fields = cast("dict[str, object]", message)
    if not isinstance(fields.get(_MESSAGE_KEY), str):
        return False
    return fields[_MESSAGE_KEY] != "subscribe" or _is_subscribe(fields)


def _is_subscribe(fields: dict[str, object]) -> bool:
    payload = fields.get("payload")
    if not isinstance(fields.get("id"), str) or not fields["id"] or not isinstance(payload, dict):
        return False
    asked = cast("dict[str, object]", payload)
    return (
        isinstance(asked.get("query"), str)
        and isinstance(asked.get("variables"), (dict, type(None)))
        and isinstance(asked.get("operationName"), (str, type(None)))
    )
