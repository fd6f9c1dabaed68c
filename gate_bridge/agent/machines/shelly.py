"""A Shelly relay of the second generation or later, over its JSON-RPC.

The pulse ends inside the device: `toggle_after` is armed with the same request that switches on,
so that no lost connection leaves the relay on. https://shelly-api-docs.shelly.cloud/gen2
"""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import orjson

from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.machines.device_http import (
    PULSE_TIMEOUT_S,
    DeviceAddress,
    DeviceAnswer,
    DeviceCall,
    DeviceConnection,
)
from gate_bridge.agent.machines.http_relay import connected
from gate_bridge.agent.machines.relay import InputListener, Permit
from gate_bridge.drivers.device_options import DeviceOptions

OUTPUTS_MAX = 16
PULSE_S = 1.0
PULSE_S_MIN = 0.2
PULSE_S_MAX = 10.0
LOOK_S = 0.2
LOOK_S_MIN = 0.05
LOOK_S_MAX = 2.0
USERNAME = "admin"


class ShellyRelay:
    """One output of a Shelly, with all of its inputs.

    Args:
        output: The switch that opens.
        close_output: The switch that closes; None where the barrier closes by itself.
        pulse_s: How long the contact stays closed.
        look_s: Pause between two looks at the inputs.
        has_inputs: Whether the inputs are wired.
    """

    def __init__(
        self,
        address: DeviceAddress,
        output: int = 0,
        *,
        close_output: int | None = None,
        pulse_s: float = PULSE_S,
        look_s: float = LOOK_S,
        has_inputs: bool = True,
    ) -> None:
        self._address = address
        self._output = output
        self._close_output = close_output
        self._pulse_s = pulse_s
        self._look_s = look_s
        self.can_lower = close_output is not None
        self.has_inputs = has_inputs

    async def pulse(self, permit: Permit) -> None:
        """Pulse once; where the answer is lost, look whether the relay is on.

        Raises:
            PulseUnknownError: nobody can say whether it was pulsed.
            BarrierError: it was certainly not pulsed.
        """
        permit.check()
        try:
            async with connected(self._address) as connection:
                if await self._is_on(connection, self._output):
                    raise BarrierError("the relay is on already: something holds the arm open")
                timeout_s = min(permit.left_s(), PULSE_TIMEOUT_S)
                call = self._switch(self._output)
                answer = await connection.order(call, permit.check, timeout_s)
                _result(answer, PulseUnknownError)
        except PulseUnknownError as error:
            await self._find_out(error)

    async def lower(self) -> None:
        """Pulse the closing output.

        Raises:
            BarrierError: it was not told, or nobody knows.
        """
        if self._close_output is None:
            return
        async with connected(self._address) as connection:
            await self._is_on(connection, self._close_output)
            call = self._switch(self._close_output)
            _result(await connection.order(call, lambda: None, PULSE_TIMEOUT_S))

    async def watch(self, tell: InputListener) -> None:
        """Tell of every input at every look, until cancelled.

        Raises:
            BarrierError: the relay does not answer.
        """
        if not self.has_inputs:
            return
        async with connected(self._address) as connection:
            while True:
                status = _result(await connection.ask(_rpc("Shelly.GetStatus")))
                for number, is_on in _inputs(status):
                    tell(number, is_on)
                await asyncio.sleep(self._look_s)

    async def close(self) -> None:
        """Let go of nothing: every errand has a connection of its own."""

    async def _is_on(self, connection: DeviceConnection, output: int) -> bool:
        status = _result(await connection.ask(_rpc("Switch.GetStatus", {"id": output})))
        is_on = status.get("output")
        if not isinstance(is_on, bool):
            raise BarrierError("the relay does not say whether it is on")
        return is_on

    async def _find_out(self, error: PulseUnknownError) -> None:
        """Take the pulse as done where the relay is on now; never pulse again to find out."""
        try:
            async with connected(self._address) as connection:
                is_on = await self._is_on(connection, self._output)
        except BarrierError as silence:
            raise error from silence
        if not is_on:
            # Off may also mean that the pulse is over.
            raise error

    def _switch(self, output: int) -> DeviceCall:
        params = {"id": output, "on": True, "toggle_after": self._pulse_s}
        return _rpc("Switch.Set", params)


def shelly(address: DeviceAddress, options: DeviceOptions) -> ShellyRelay:
    """Return the relay that a site file describes.

    Raises:
        InvalidInputError: naming the option.
    """
    options.only("output", "close_output", "pulse_s", "look_s", "inputs")
    has_close = options.number("close_output", 0, OUTPUTS_MAX) is not None
    return ShellyRelay(
        DeviceAddress(
            url=address.url,
            username=(address.username or USERNAME) if address.password else "",
            password=address.password,
        ),
        options.integer("output", 0, OUTPUTS_MAX, 0),
        close_output=options.integer("close_output", 0, OUTPUTS_MAX, 0) if has_close else None,
        pulse_s=options.number("pulse_s", PULSE_S_MIN, PULSE_S_MAX) or PULSE_S,
        look_s=options.number("look_s", LOOK_S_MIN, LOOK_S_MAX) or LOOK_S,
        has_inputs=options.flag("inputs", default=True),
    )


def _rpc(method: str, params: Mapping[str, object] | None = None) -> DeviceCall:
    body = {"id": 1, "src": "sesame", "method": method, "params": params or {}}
    return DeviceCall(
        method="POST", path="/rpc", body=orjson.dumps(body), content_type="application/json"
    )


def _result(
    answer: DeviceAnswer, unreadable: type[BarrierError] = BarrierError
) -> Mapping[str, Any]:
    """Return the result of a call.

    Raises:
        BarrierError: the device refused the call; `unreadable` where nobody can read its answer.
    """
    try:
        content: Any = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise unreadable("the relay's answer is not JSON") from error
    match content:
        case {"error": {"message": str(message)}}:
            raise BarrierError(f"the relay refused: {message[:200]}")
        case {"result": result} if isinstance(result, dict):
            return cast("dict[str, Any]", result)
        case _:
            raise unreadable("the relay's answer has no result")


def _inputs(status: Mapping[str, Any]) -> list[tuple[int, bool]]:
    """Return the inputs that are on or off; a button's input has no state."""
    found: list[tuple[int, bool]] = []
    for name, value in status.items():
        match name.split(":"), value:
            case ["input", number], {"state": bool(state)} if number.isdecimal():
                found.append((int(number), state))
            case _:
                pass
    return found
