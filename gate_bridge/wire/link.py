"""One WebSocket as messages of the gate wire; the same for both ends."""

import asyncio
import time
from typing import ClassVar, Final

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from gate_bridge.wire.calls import OutgoingCalls
from gate_bridge.wire.closing import GateCloseCode
from gate_bridge.wire.errors import CallUnansweredError, WireError
from gate_bridge.wire.fields import WireModel
from gate_bridge.wire.frames import (
    Call,
    CallFailure,
    FrameMessage,
    decode_frame,
    decode_text,
    encode_failure,
    encode_result,
)
from gate_bridge.wire.limits import WireLimits
from parking.kit.errors import ParkingError

_CLOSE_REASON_CHARACTERS_MAX = 100
# A connection that made its writers wait lets them go on at a quarter of its limit, which is 32 KiB
# at an agent: below that none waits.
_UNCROWDED_BYTES: Final = 8 * 1024


class LinkClosedError(ParkingError):
    """The connection ended."""

    code: ClassVar[str] = "LINK_CLOSED"

    def __init__(self, close_code: int | None, reason: str = "") -> None:
        super().__init__(f"closed with {close_code}")
        self.close_code = close_code
        self.reason = reason


class Link:
    """Messages in and out, with the limits of this end.

    Args:
        prefix: First letter of the ids of this end's calls.

    Attributes:
        heard_s: When the peer sent the last message, by the steady clock.
    """

    def __init__(self, socket: Connection, limits: WireLimits, prefix: str) -> None:
        self._socket = socket
        self._limits = limits
        self._malformed = 0
        self.heard_s = time.monotonic()
        self.calls = OutgoingCalls(self._write, prefix, limits.calls_in_flight_max)

    async def receive(self) -> Call | FrameMessage:
        """Return the peer's next call; answers go to their callers, malformed input is refused.

        Raises:
            LinkClosedError: the connection ended.
        """
        while True:
            try:
                data = await self._socket.recv()
            except ConnectionClosed as error:
                self.calls.abandon()
                told = error.rcvd
                raise (
                    LinkClosedError(None)
                    if told is None
                    else LinkClosedError(told.code, told.reason)
                ) from error
            self.heard_s = time.monotonic()
            try:
                call = await self._decoded(data)
            except WireError as error:
                await self._malformed_input(error)
                continue
            if call is not None:
                return call

    async def reply(self, call_id: str, result: WireModel) -> None:
        """Answer a call; a connection that is gone needs no answer."""
        await self._write_if_open(encode_result(call_id, result.to_json()))

    async def refuse(self, call_id: str, error: WireError) -> None:
        """Answer a call with a failure."""
        failure = CallFailure(call_id, error.code, error.description, dict(error.details))
        await self._write_if_open(encode_failure(failure))

    async def pong(self) -> None:
        """Send a ping, and wait for its pong.

        Raises:
            LinkClosedError: the connection ended.
        """
        try:
            answer = await self._socket.ping()
            await answer
        except ConnectionClosed as error:
            raise LinkClosedError(None) from error

    async def close(self, code: GateCloseCode | int, reason: str) -> None:
        """Close; the reason is for people."""
        self.calls.abandon()
        await self._socket.close(int(code), reason[:_CLOSE_REASON_CHARACTERS_MAX])

    async def _decoded(self, data: str | bytes) -> Call | FrameMessage | None:
        if isinstance(data, bytes):
            return decode_frame(data)
        # UTF-8 may take up to four bytes a character; counting is only needed near the limit.
        size = len(data) if len(data) > self._limits.text_bytes_max else len(data.encode())
        if size > self._limits.text_bytes_max:
            await self.close(
                GateCloseCode.TOO_BIG, f"text: at most {self._limits.text_bytes_max} bytes"
            )
            return None
        message = decode_text(data)
        if isinstance(message, Call):
            return message
        self.calls.resolve(message)
        return None

    async def _malformed_input(self, error: WireError) -> None:
        self._malformed += 1
        await self.refuse(error.call_id, error)
        if self._malformed >= self._limits.malformed_max:
            await self.close(GateCloseCode.MALFORMED, "too many malformed messages")

    async def _write_if_open(self, message: str) -> None:
        try:
            await self._write(message)
        except CallUnansweredError:
            return

    async def _write(self, message: str | bytes) -> None:
        try:
            if self._is_uncrowded(message):
                # It does not wait for the peer, so that no timer has to watch it.
                await self._socket.send(message)
                return
            async with asyncio.timeout(self._limits.reply_timeout_s):
                await self._socket.send(message)
        except (ConnectionClosed, TimeoutError) as error:
            raise CallUnansweredError("the connection does not take messages") from error

    def _is_uncrowded(self, message: str | bytes) -> bool:
        socket = self._socket
        return (
            socket.state is State.OPEN
            # In UTF-8 a character has up to four bytes.
            and socket.transport.get_write_buffer_size() + 4 * len(message) < _UNCROWDED_BYTES
        )
