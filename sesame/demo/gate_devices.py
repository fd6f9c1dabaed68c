"""What stands at a gate of the demo that has devices of its own: a relay, its loops, a camera."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gate_bridge.agent.site.listener_server import ServedAt, serve_devices
from gate_bridge.loops import stop_task
from sesame.http_connection import BoundedConnection

# Longer than the relay is asked in, on a busy machine too.
MOVE_S: Final = 0.8
POST_TIMEOUT_S: Final = 10.0
CONFIDENCE: Final = 97
_LOOP, _EXIT_LOOP = 0, 1
_ALERT: Final = """<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="2.0" xmlns="http://www.hikvision.com/ver20/XMLSchema">
<channelID>1</channelID><dateTime>{at}</dateTime>
<eventType>ANPR</eventType><eventState>active</eventState>
<ANPR><licensePlate>{plate}</licensePlate><line>1</line><direction>forward</direction>
<confidenceLevel>{confidence}</confidenceLevel></ANPR><UUID>{read_id}</UUID>
</EventNotificationAlert>"""


class GateDevices:
    """A simulated Shelly with the loops before and behind the arm; a car drives when it rises.

    Attributes:
        pulses: How often the relay closed.
        url: Of the relay, while it is served.
    """

    def __init__(self) -> None:
        self.pulses = 0
        self.url = ""
        self._closed_until_s = 0.0
        self._inputs = {_LOOP: False, _EXIT_LOOP: False}
        self._driving: asyncio.Task[None] | None = None

    @property
    def is_arm_up(self) -> bool:
        """Return whether the arm is up: while its relay is closed or a car is under it."""
        return time.monotonic() < self._closed_until_s or any(self._inputs.values())

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[None]:
        """Let the relay be reached for the length of the block."""
        async with serve_devices(self, ServedAt(port=0), BoundedConnection) as port:
            self.url = f"http://127.0.0.1:{port}"
            try:
                yield
            finally:
                if self._driving is not None:
                    await stop_task(self._driving)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of the gate agent."""
        call = orjson.loads(await Request(scope, receive).body())
        told = {"id": call["id"], "src": "shelly", "result": self._result(call)}
        await Response(orjson.dumps(told), media_type="application/json")(scope, receive, send)

    def car(self, *, is_there: bool) -> None:
        """Let a car stand before the arm, or back out."""
        self._inputs[_LOOP] = is_there

    def _result(self, call: Mapping[str, Any]) -> dict[str, Any]:
        match call["method"]:
            case "Switch.Set":
                was_on = self._is_closed()
                self._pulse(call["params"])
                return {"was_on": was_on}
            case "Switch.GetStatus":
                return {"id": 0, "output": self._is_closed()}
            case _:
                return {
                    f"input:{number}": {"id": number, "state": is_on}
                    for number, is_on in self._inputs.items()
                }

    def _is_closed(self) -> bool:
        return time.monotonic() < self._closed_until_s

    def _pulse(self, params: Mapping[str, Any]) -> None:
        self.pulses += 1
        self._closed_until_s = time.monotonic() + float(params["toggle_after"])
        if self._inputs[_LOOP]:
            self._driving = asyncio.create_task(self._drive())

    async def _drive(self) -> None:
        for number, is_on in ((_EXIT_LOOP, True), (_LOOP, False), (_EXIT_LOOP, False)):
            await asyncio.sleep(MOVE_S)
            self._inputs[number] = is_on


async def post_read(url: str, plate: str, at: datetime) -> None:
    """Send what a Hikvision camera sends of a car.

    Raises:
        httpx.HTTPError: it was not taken.
    """
    body = _ALERT.format(
        at=at.isoformat(timespec="seconds"), plate=plate, confidence=CONFIDENCE, read_id=uuid4()
    )
    async with httpx.AsyncClient(timeout=POST_TIMEOUT_S, trust_env=False) as camera:
        sent = await camera.post(url, content=body, headers={"content-type": "application/xml"})
        sent.raise_for_status()
