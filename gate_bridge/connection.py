"""One connection of one lane's agent: greets it, calls it, and ends."""

import asyncio
from uuid import UUID

import structlog
from websockets.asyncio.connection import Connection

from gate_bridge.agent_calls import AgentCalls, call_of
from gate_bridge.call_errors import wire_error
from gate_bridge.connection_tools import ConnectionTools
from gate_bridge.id_times import check_current
from gate_bridge.lane import ConnectedLane
from gate_bridge.retry import call_once
from gate_bridge.wire import actions
from gate_bridge.wire.calls import PendingCall
from gate_bridge.wire.closing import GateCloseCode
from gate_bridge.wire.errors import (
    CallUnansweredError,
    NotReadyError,
    PayloadInvalidError,
    WireError,
)
from gate_bridge.wire.fields import without_controls
from gate_bridge.wire.frames import Call, FrameMessage
from gate_bridge.wire.limits import (
    DISPLAY_LINE_CHARACTERS_MAX,
    DISPLAY_LINES_MAX,
)
from gate_bridge.wire.link import Link, LinkClosedError
from parking.flows import lane_types
from parking.gates.shown import ShownCertificate
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_DISPLAY_TTL_MS = 60_000
_CONNECT_TIMEOUT_S = 5.0


class GateConnection:
    """The bridge's end of one connection: its greeting, what it is told, and its end."""

    def __init__(
        self,
        socket: Connection,
        lane: lane_types.Lane,
        tools: ConnectionTools,
        shown: ShownCertificate | None = None,
    ) -> None:
        self._tools = tools
        self._shown = shown
        self._limits = tools.limits
        self._lane = lane
        self._socket = socket
        self._link = Link(socket, tools.limits, "b")
        self._connected: ConnectedLane | None = None
        self._superseded = False
        self.session_epoch = 0

    @property
    def lane_id(self) -> UUID:
        """Return the lane."""
        return self._lane.lane_id

    @property
    def lane(self) -> lane_types.Lane:
        """Return the lane as it proved itself."""
        return self._lane

    @property
    def is_current(self) -> bool:
        """Return whether no newer connection of the lane has taken this one's place."""
        return not self._superseded

    async def show_sign(self, *, is_full: bool) -> None:
        """Let the lane's display say whether there is room."""
        if self._connected is not None and not self._superseded:
            await self._connected.show_sign(is_full=is_full)

    @property
    def reply_timeout_s(self) -> float:
        """Return how long the agent may take for an answer."""
        return self._limits.reply_timeout_s

    async def serve(self) -> None:
        """Serve the connection until it ends."""
        try:
            greeting = await self._await_hello()
            connected = None if greeting is None else await self._greet(*greeting)
            if connected is not None:
                calls = AgentCalls(self, self._link, connected, self._tools, self._shown)
                with self._tools.liveness.over(self._link):
                    await calls.serve()
        except LinkClosedError as error:
            _log.info("gate_disconnected", code=error.close_code, lane_id=str(self.lane_id))
        finally:
            self._end()

    def supersede(self) -> None:
        """Close: a newer connection of the lane exists, so nothing may be sent on this one."""
        self._fence(GateCloseCode.SUPERSEDED, "a newer connection of this lane exists")

    def refuse_certificate(self) -> None:
        """Close: the lane's certificate was revoked or has expired."""
        self._fence(GateCloseCode.IDENTITY_REFUSED, "the certificate is no longer accepted")

    def _fence(self, code: GateCloseCode, reason: str) -> None:
        if self._superseded:
            return
        self._superseded = True
        if self._connected is not None:
            self._connected.close()
        self._tools.spawn(self._link.close(code, reason))

    async def send_open(self, command: lane_types.OpenCommand) -> PendingCall:
        """Put an order on the wire, under this connection's epoch."""
        if self._superseded:
            raise CallUnansweredError("a newer connection of this lane exists")
        return await self._link.calls.send(
            actions.OpenBarrier(
                command_id=command.command_id,
                presentation_id=command.presentation_id,
                session_epoch=self.session_epoch,
                issued_at=command.issued_at,
                ttl_ms=command.ttl_ms,
            )
        )

    async def send_display(
        self, presentation_id: UUID | None, text: lane_types.DisplayText
    ) -> None:
        """Show a text on the lane's display."""
        await self._link.calls.send(
            actions.Display(
                presentation_id=presentation_id,
                # Names of places go into the text: what the wire refuses must not cost the answer.
                lines=[
                    without_controls(line[:DISPLAY_LINE_CHARACTERS_MAX])
                    for line in text.lines[:DISPLAY_LINES_MAX]
                ],
                qr=text.qr,
                ttl_ms=_DISPLAY_TTL_MS,
            )
        )

    async def _await_hello(self) -> tuple[str, actions.Hello] | None:
        try:
            async with asyncio.timeout(self._limits.hello_timeout_s):
                while True:
                    message = await self._link.receive()
                    try:
                        return _hello(message)
                    except WireError as error:
                        await self._link.refuse(call_of(message).id, error)
        except TimeoutError:
            await self._link.close(
                GateCloseCode.HELLO_MISSING, f"no Hello in {self._limits.hello_timeout_s:g} s"
            )
            return None

    async def _greet(self, call_id: str, hello: actions.Hello) -> ConnectedLane | None:
        if hello.lane_id != self.lane_id:
            error = PayloadInvalidError("lane_id", "expected the lane of the path")
            await self._link.refuse(call_id, error)
            await self._link.close(GateCloseCode.LANE_MISMATCH, error.description)
            return None
        try:
            async with self._tools.greetings.turn():
                connection = await call_once(
                    lambda: self._tools.lane_tools.service.connect(self._lane, self._tools.bridge),
                    _CONNECT_TIMEOUT_S,
                )
        except Exception as error:  # noqa: BLE001 - whatever failed, the agent comes again
            await self._link.refuse(call_id, wire_error(error, "Hello", self.lane_id))
            lasting = isinstance(error, ParkingError) and not error.retryable
            code = GateCloseCode.IDENTITY_REFUSED if lasting else GateCloseCode.TRY_AGAIN_LATER
            await self._link.close(code, "the lane cannot be taken")
            return None
        self.session_epoch = connection.session_epoch
        connected = self._take_lane(hello, connection.last_seq)
        self._tools.fleet.connected(self._lane, self.session_epoch, hello.agent_version)
        await self._link.reply(
            call_id,
            actions.HelloResult(
                session_epoch=connection.session_epoch,
                server_time=self._tools.clock.now(),
                heartbeat_interval_s=self._limits.heartbeat_interval_s,
                last_seq=connection.last_seq,
                frame_bytes_max=self._limits.image_bytes_max,
            ),
        )
        if hello.presentation is not None:
            connected.resume(hello.presentation)
        return connected

    def _take_lane(self, hello: actions.Hello, last_seq: int) -> ConnectedLane:
        connected = self._connected = ConnectedLane(
            self._lane,
            self,
            self._tools.lane_tools,
            last_seq=last_seq,
            live_seq_min=hello.next_seq,
            clock=self._tools.clock,
            spawn=self._tools.spawn,
        )
        if not self._tools.registry.add(self):
            # The lane's one listener is the newer connection's: this one would end with it.
            return connected
        pokes = self._tools.pokes
        pokes.listen(self.lane_id, self._on_poke)
        pokes.follow(self.lane_id)
        pokes.announce(self.lane_id, self.session_epoch)
        _log.info("gate_connected", epoch=self.session_epoch, lane_id=str(self.lane_id))
        return connected

    def _on_poke(self, newer_epoch: int | None) -> None:
        if newer_epoch is not None:
            if newer_epoch > self.session_epoch:
                self.supersede()
        elif self._connected is not None:
            self._connected.poke()
            self._tools.look_at_signs()

    def _end(self) -> None:
        if self._connected is not None:
            self._connected.close()
        self._tools.registry.remove(self)
        self._tools.fleet.ended(self.lane_id, self.session_epoch, self._socket.close_code)
        self._tools.pokes.forget(self.lane_id, self._on_poke)
        self._tools.pokes.follow(self.lane_id)


def _hello(message: Call | FrameMessage) -> tuple[str, actions.Hello]:
    if isinstance(message, FrameMessage) or message.action != "Hello":
        raise NotReadyError("action: expected Hello first", {"field": "action"})
    hello = actions.read_payload(actions.Hello, message.payload)
    if hello.presentation is not None:
        check_current(hello.presentation)
    return message.id, hello
