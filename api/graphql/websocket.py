"""graphql-transport-ws, to the letter of its protocol."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Final, cast

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.config import (
    CONNECTION_INIT_TIMEOUT_S,
    PING_INTERVAL_S,
    PINGS_MAX,
    SUBSCRIPTIONS_PER_SOCKET_MAX,
)
from api.draining import Drain
from api.graphql.asked import Asked, read_asked
from api.graphql.ended_sign_ins import EndedSignIns
from api.graphql.engine import Engine
from api.graphql.refused import DocumentRefusedError, RequestRefusedError
from api.graphql.wording import told_errors
from api.request import RequestContext, bearer_token
from api.socket_places import TRY_AGAIN_LATER, PlacesTakenError, SocketPlace, SocketPlaces
from api.subscriptions.standing import standing
from parking.kit.errors import UnavailableError
from parking.kit.tasks import end_tasks
from parking.kit.token_errors import TokenRefusedError
from parking.kit.tokens import DriverIdentity

PROTOCOL: Final = "graphql-transport-ws"
SERVICE_RESTART: Final = 1012
BAD_MESSAGE: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
OTHER_PROTOCOL: Final = 4406
NO_GREETING: Final = 4408
ID_IN_USE: Final = 4409
TOO_MANY: Final = 4429
RESTARTING: Final = "the server restarts: connect again"
_ACKNOWLEDGED: Final = '{"type":"connection_ack"}'
_PING: Final = '{"type":"ping"}'


class SocketGoneError(Exception):
    """The client is gone, or the socket was closed by us."""


class GraphQLSocket:
    """One socket: greeted, it runs operations beside each other until it closes."""

    def __init__(
        self,
        websocket: WebSocket,
        context: RequestContext,
        engine: Engine,
        ended: EndedSignIns,
    ) -> None:
        self._websocket = websocket
        self._context = context
        self._engine = engine
        self._ended = ended
        self._identity: DriverIdentity | None = None
        self._is_greeted = False
        self._is_in = False
        self._pings = 0
        self._operations: dict[str, asyncio.Task[None]] = {}
        # Timers, not tasks: thousands of sockets wait for nothing most of the time.
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._by_timers: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Serve the socket until it closes, leaving no task behind."""
        self._later("greeting", CONNECTION_INIT_TIMEOUT_S, self._close_unless_greeted)
        try:
            while (message := await self._receive()) is not None:
                await self._take(message)
                # A frame that waits for the next one would keep it, with the whole document.
                del message
        except SocketGoneError:
            pass
        finally:
            try:
                await end_tasks(*self._by_timers, *self._operations.values())
            finally:
                for timer in self._timers.values():
                    timer.cancel()
                # They have us: only the collector would free a socket that has them.
                self._timers.clear()
                self._operations.clear()
                if self._identity is not None:
                    await self._ended.leave(self._identity, self._close_ended)

    async def close(self, code: int, reason: str) -> None:
        """Close the socket, unless it is closed."""
        # Starlette raises RuntimeError when the socket was closed before.
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close(code, reason)

    async def _receive(self) -> Mapping[str, object] | None:
        """Return the next message of the protocol; None once the socket is to end."""
        frame = await self._websocket.receive()
        if frame["type"] == "websocket.disconnect":
            return None
        message: object = None
        with suppress(orjson.JSONDecodeError):
            message = orjson.loads(frame.get("text") or b"")
        if isinstance(message, dict):
            return cast("dict[str, object]", message)
        return {}

    async def _take(self, message: Mapping[str, object]) -> None:
        match message.get("type"):
            case "connection_init":
                await self._greet(message)
            case "ping" | "pong":
                await self._take_ping(message)
            case "subscribe":
                await self._subscribe(message)
            case "complete" if isinstance(message.get("id"), str):
                self._complete(cast("str", message["id"]))
            case _:
                await self.close(BAD_MESSAGE, "expected a message of graphql-transport-ws")

    async def _take_ping(self, message: Mapping[str, object]) -> None:
        """Answer a ping, unless too many came, or pongs that nobody asked for."""
        self._pings += 1
        if self._pings > PINGS_MAX:
            await self.close(TOO_MANY, "Too many pings")
        elif message["type"] == "ping":
            payload = {"payload": message["payload"]} if "payload" in message else {}
            await self._send({"type": "pong", **payload})

    async def _greet(self, message: Mapping[str, object]) -> None:
        """Let the client in; from then on ping it, and close when its token expires."""
        payload = message.get("payload")
        if payload is not None and not isinstance(payload, dict):
            await self.close(BAD_MESSAGE, "payload: expected an object")
            return
        if self._is_greeted:
            await self.close(TOO_MANY, "Too many initialisation requests")
            return
        self._is_greeted = True
        try:
            await self._let_in(cast("dict[str, object]", payload or {}))
        except TokenRefusedError:
            await self.close(FORBIDDEN, "Forbidden")
        except PlacesTakenError as error:
            await self.close(TRY_AGAIN_LATER, str(error))
        except UnavailableError:
            await self.close(TRY_AGAIN_LATER, "something that is needed does not answer")

    async def _let_in(self, payload: Mapping[str, object]) -> None:
        token = bearer_token(payload.get("Authorization") or payload.get("authorization"))
        self._context.present(token)
        identity = self._context.identity()
        if identity.sign_in_id not in await standing(self._context).ask(identity):
            raise TokenRefusedError
        self._context.know(identity)
        if self._context.place is not None:
            self._context.place.acknowledge(identity.driver_id)
        await self._send_text(_ACKNOWLEDGED)
        self._is_in = True
        left = identity.expires_at - self._context.parking.clock.now()
        self._later("expiry", max(0.0, left.total_seconds()), self._close_expired)
        self._later("ping", PING_INTERVAL_S, self._ping)

        self._ended.join(self._context.parking, identity, self._close_ended)
        self._identity = identity

    async def _subscribe(self, message: Mapping[str, object]) -> None:
        """Run an operation beside the others."""
        if not self._is_in:
            await self.close(UNAUTHORIZED, "Unauthorized")
            return
        operation_id, payload = message.get("id"), message.get("payload")
        if not isinstance(operation_id, str) or not operation_id or not isinstance(payload, dict):
            await self.close(BAD_MESSAGE, "expected an id and a payload")
            return
        if operation_id in self._operations:
            await self.close(ID_IN_USE, f"Subscriber for {operation_id} already exists")
            return
        try:
            asked = read_asked(cast("dict[str, object]", payload))
        except RequestRefusedError as error:
            await self.close(BAD_MESSAGE, str(error))
            return
        if len(self._operations) >= SUBSCRIPTIONS_PER_SOCKET_MAX:
            told = f"expected at most {SUBSCRIPTIONS_PER_SOCKET_MAX} operations at once"
            await self._tell(operation_id, RequestRefusedError(429, "TOO_MANY_OPERATIONS", told))
            return
        self._operations[operation_id] = asyncio.create_task(self._run(operation_id, asked))

    def _complete(self, operation_id: str) -> None:
        operation = self._operations.pop(operation_id, None)
        if operation is not None:
            operation.cancel()

    async def _run(self, operation_id: str, asked: Asked) -> None:
        """Run one operation with a context of its own: its driver is checked anew."""
        context = self._context.for_operation()
        head = f'{{"id":{orjson.dumps(operation_id).decode()},"type":"next","payload":'
        try:
            try:
                prepared = await self._engine.admit(asked, context)
                del asked
                async with aclosing(self._engine.stream(prepared, context)) as answers:
                    async for answer in answers:
                        await self._send_text(f"{head}{answer}}}")
                        del answer
            except SocketGoneError:
                raise
            except Exception as error:  # noqa: BLE001 - one operation must not end the whole socket
                self._forget(operation_id)
                await self._tell(operation_id, error)
            else:
                self._forget(operation_id)
                await self._send({"id": operation_id, "type": "complete"})
        except SocketGoneError:
            self._forget(operation_id)

    def _forget(self, operation_id: str) -> None:
        # Before its last message: the client may use the id again at once.
        if self._operations.get(operation_id) is asyncio.current_task():
            del self._operations[operation_id]

    async def _tell(self, operation_id: str, error: Exception) -> None:
        errors = told_errors(_errors_of(error), self._context.correlation_id)
        await self._send({"id": operation_id, "type": "error", "payload": errors})

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._send_text(orjson.dumps(message).decode())

    async def _send_text(self, text: str) -> None:
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as error:
            # Starlette raises RuntimeError when the socket was closed by us before.
            raise SocketGoneError from error

    def _later(
        self, name: str, seconds: float, act: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(seconds, self._act, name, act)

    def _act(self, name: str, act: Callable[[], Coroutine[None, None, None]]) -> None:
        del self._timers[name]
        task = asyncio.create_task(act())
        self._by_timers.add(task)
        task.add_done_callback(self._by_timers.discard)

    async def _close_unless_greeted(self) -> None:
        if not self._is_greeted:
            await self.close(NO_GREETING, "Connection initialisation timeout")

    async def _ping(self) -> None:
        self._pings = 0
        with suppress(SocketGoneError):
            await self._send_text(_PING)
            self._later("ping", PING_INTERVAL_S, self._ping)

    async def _close_expired(self) -> None:
        await self.close(UNAUTHORIZED, "the access token has expired")

    async def _close_ended(self) -> None:
        await self.close(UNAUTHORIZED, "the sign-in has ended")


class SocketEndpoint:
    """Serves WebSockets with one schema.

    A page of any site may connect: the token is in `connection_init`, never in a cookie.
    """

    def __init__(
        self,
        engine: Engine,
        open_context: Callable[[WebSocket], RequestContext],
        drain: Drain,
    ) -> None:
        self._drain = drain
        self._engine = engine
        self._open_context = open_context
        self._ended = EndedSignIns()
        self.places = SocketPlaces()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket; where there is no place for it, it is closed with 1013."""
        client = websocket.client
        try:
            with self.places.hold(client.host if client else "") as place:
                await self._serve(websocket, place)
        except PlacesTakenError as error:
            await websocket.accept(PROTOCOL)
            await websocket.close(TRY_AGAIN_LATER, str(error))

    async def _serve(self, websocket: WebSocket, place: SocketPlace) -> None:
        offered: list[str] = websocket.scope["subprotocols"]
        if PROTOCOL not in offered:
            # With one that it offered: else a client ends the handshake and never reads why.
            await websocket.accept(offered[0] if offered else None)
            await websocket.close(OTHER_PROTOCOL, "Subprotocol not acceptable")
            return
        # Before it is accepted: then the server forgets the headers.
        context = self._open_context(websocket)
        context.place = place
        await websocket.accept(PROTOCOL)
        if self._drain.has_begun:
            await websocket.close(SERVICE_RESTART, RESTARTING)
            return
        socket = GraphQLSocket(websocket, context, self._engine, self._ended)
        self._drain.join(socket, partial(socket.close, SERVICE_RESTART, RESTARTING))
        try:
            await socket.serve()
        finally:
            self._drain.leave(socket)


def _errors_of(error: Exception) -> Sequence[GraphQLError]:
    if isinstance(error, DocumentRefusedError):
        return error.errors
    if isinstance(error, RequestRefusedError):
        return [error.as_error()]
    return [GraphQLError(str(error), original_error=error)]
