"""Calls that this side made and the other has not answered yet."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from gate_bridge.wire.actions import read_payload
from gate_bridge.wire.errors import CallRefusedError, CallUnansweredError, RateLimitedError
from gate_bridge.wire.fields import WireModel
from gate_bridge.wire.frames import CallFailure, CallResult, encode_call, encode_frame

ResultT = TypeVar("ResultT", bound=WireModel)

Send = Callable[[str | bytes], Awaitable[None]]


class PendingCall:
    """One call that was sent."""

    def __init__(self, answer: "asyncio.Future[dict[str, Any]]", action: str) -> None:
        self._answer = answer
        self._action = action

    async def result(self, model: type[ResultT], *, timeout_s: float) -> ResultT:
        """Wait for the answer.

        Raises:
            CallRefusedError: the peer answered with a failure.
            CallUnansweredError: no answer came in `timeout_s`, or the connection ended.
            PayloadInvalidError: the answer is not a `model`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                payload = await self._answer
        except TimeoutError:
            raise CallUnansweredError(f"{self._action}: no answer in {timeout_s:g} s") from None
        return read_payload(model, payload)


class OutgoingCalls:
    """Numbers the calls of one connection and pairs the answers with them.

    Args:
        send: Writes one message to the connection.
        prefix: One letter in front of the numbers, so that a trace shows who called.
        in_flight_max: Unanswered calls at one time.
    """

    def __init__(self, send: Send, prefix: str, in_flight_max: int) -> None:
        self._send = send
        self._prefix = prefix
        self._in_flight_max = in_flight_max
        self._numbers = 0
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def send(self, payload: WireModel) -> PendingCall:
        """Send a call whose action is the payload's type, and return without waiting for it."""
        action = type(payload).__name__
        call_id, answer = self._register()
        return await self._sent(
            encode_call(call_id, action, payload.to_json()), call_id, answer, action
        )

    async def send_frame(self, payload: WireModel, image: bytes) -> PendingCall:
        """Send a call that carries a picture."""
        call_id, answer = self._register()
        message = encode_frame(call_id, payload.to_json(), image)
        return await self._sent(message, call_id, answer, "Frame")

    def resolve(self, answer: CallResult | CallFailure) -> bool:
        """Hand an answer to its caller; return False when nobody waits for it (any more)."""
        future = self._waiting.pop(answer.id, None)
        if future is None or future.done():
            return False
        if isinstance(answer, CallResult):
            future.set_result(answer.payload)
        else:
            future.set_exception(CallRefusedError(answer.code, answer.description, answer.details))
        return True

    def abandon(self) -> None:
        """End every wait: the connection is gone and the outcomes are unknown."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(CallUnansweredError("the connection ended"))
        self._waiting.clear()

    def _register(self) -> "tuple[str, asyncio.Future[dict[str, Any]]]":
        if len(self._waiting) >= self._in_flight_max:
            raise RateLimitedError("calls_in_flight", self._in_flight_max)
        self._numbers += 1
        call_id = f"{self._prefix}{self._numbers}"
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = answer
        # An answer that nobody waits for must not be reported as a lost exception.
        answer.add_done_callback(lambda done: self._finished(call_id, done))
        return call_id, answer

    def _finished(self, call_id: str, done: "asyncio.Future[dict[str, Any]]") -> None:
        self._waiting.pop(call_id, None)
        if not done.cancelled():
            done.exception()

    async def _sent(
        self,
        message: str | bytes,
        call_id: str,
        answer: "asyncio.Future[dict[str, Any]]",
        action: str,
    ) -> PendingCall:
        try:
            await self._send(message)
        except BaseException:
            self._waiting.pop(call_id, None)
            raise
        return PendingCall(answer, action)
