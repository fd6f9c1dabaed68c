"""Each kind of relay, with a stand-in for its device that checks what the real one would."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from gate_bridge.agent.errors import PulseUnknownError
from gate_bridge.agent.machines.dahua_barrier import DahuaBarrier
from gate_bridge.agent.machines.device_http import DeviceAddress
from gate_bridge.agent.machines.fake_relay import FakeRelay
from gate_bridge.agent.machines.hikvision_barrier import HikvisionBarrier
from gate_bridge.agent.machines.modbus import ModbusBoard, ModbusRelay
from gate_bridge.agent.machines.relay import Relay
from gate_bridge.agent.machines.shelly import ShellyRelay
from tests.factories.http_device import DeviceRequest, HttpDevice, open_device
from tests.factories.modbus_board import READ_COILS, ModbusBoardDouble, open_board

USERNAME, PASSWORD = "admin", "correct horse"


@dataclass
class RelayStage:
    """A relay and the device behind it.

    Attributes:
        pulses: How often the device raised the arm.
        lose_answer: Makes the device act on the next order, and not answer.
        while_probed: Has something happen while the device answers the harmless question.
        can_read_back: Whether the device shows afterwards that it was pulsed.
    """

    name: str
    relay: Relay
    pulses: Callable[[], int]
    lose_answer: Callable[[], None]
    while_probed: Callable[[Callable[[], None]], None]
    can_read_back: bool = False


class HttpLogic:
    """What a device behind HTTP does, whatever its words are."""

    def __init__(self) -> None:
        self.pulses = 0
        self.lowered = 0
        self.is_silent = False
        self.on_probe: Callable[[], None] = lambda: None
        self.outputs = {0: False}
        self.inputs = {0: False, 1: True}
        self.timers: list[object] = []

    def pulse(self, answer: bytes) -> tuple[int, bytes] | None:
        self.pulses += 1
        return None if self.is_silent else (200, answer)

    def shelly(self, request: DeviceRequest) -> tuple[int, bytes] | None:
        assert (request.method, request.path) == ("POST", "/rpc")
        call = orjson.loads(request.body)
        match call["method"]:
            case "Switch.GetStatus":
                self.on_probe()
                return _rpc(call, {"id": 0, "output": self.outputs[call["params"]["id"]]})
            case "Shelly.GetStatus":
                inputs = {
                    f"input:{key}": {"id": key, "state": on} for key, on in self.inputs.items()
                }
                return _rpc(call, {"sys": {}, "input:7": {"id": 7, "state": None}, **inputs})
            case "Switch.Set":
                params = call["params"]
                assert params["on"] is True
                self.timers.append(params["toggle_after"])
                self.outputs[params["id"]] = True
                return self.pulse(_rpc(call, {"was_on": False})[1])
            case _:
                return 200, orjson.dumps({"id": 1, "error": {"code": 404, "message": "No handler"}})

    def hikvision(self, request: DeviceRequest) -> tuple[int, bytes] | None:
        if (request.method, request.path) == ("GET", "/ISAPI/System/deviceInfo"):
            self.on_probe()
            return 200, b"<DeviceInfo/>"
        assert (request.method, request.path) == ("PUT", "/ISAPI/Parking/channels/1/barrierGate")
        if request.body == gate_body("close"):
            self.lowered += 1
            return 200, b"<ResponseStatus><statusCode>1</statusCode></ResponseStatus>"
        assert request.body == gate_body("open")
        return self.pulse(b"<ResponseStatus><statusCode>1</statusCode></ResponseStatus>")

    def dahua(self, request: DeviceRequest) -> tuple[int, bytes] | None:
        assert request.method == "GET"
        path, _, query = request.path.partition("?")
        words = dict(pair.split("=", 1) for pair in query.split("&"))
        if path == "/cgi-bin/magicBox.cgi":
            self.on_probe()
            return 200, b"name=camera"
        assert path == "/cgi-bin/trafficSnap.cgi"
        assert (words["action"], words["channel"]) == ("openStrobe", "1")
        return self.pulse(b"OK\r\n")


def gate_body(mode: str) -> bytes:
    declaration = b'<?xml version="1.0" encoding="UTF-8"?>'
    return declaration + f"<BarrierGate><ctrlMode>{mode}</ctrlMode></BarrierGate>".encode()


def _rpc(call: dict[str, Any], result: object) -> tuple[int, bytes]:
    return 200, orjson.dumps({"id": call["id"], "src": "shelly", "result": result})


RelayMaker = Callable[[DeviceAddress], Relay]
HTTP_KINDS: dict[str, tuple[str, RelayMaker]] = {
    "shelly": ("SHA-256", lambda address: ShellyRelay(address, pulse_s=0.5, look_s=0.01)),
    "hikvision": ("MD5", lambda address: HikvisionBarrier(address, can_lower=True)),
    "dahua": ("MD5", DahuaBarrier),
}


@asynccontextmanager
async def http_stage(kind: str) -> AsyncGenerator[tuple[RelayStage, HttpDevice, HttpLogic]]:
    """Open a relay behind HTTP and Digest."""
    algorithm, make = HTTP_KINDS[kind]
    logic = HttpLogic()
    device = HttpDevice(getattr(logic, kind), USERNAME, PASSWORD, algorithm)
    async with open_device(device):
        relay = make(DeviceAddress(url=device.url, username=USERNAME, password=PASSWORD))
        stage = RelayStage(
            kind,
            relay,
            lambda: logic.pulses,
            lambda: setattr(logic, "is_silent", True),
            lambda action: setattr(logic, "on_probe", action),
            can_read_back=kind == "shelly",
        )
        yield stage, device, logic
        await relay.close()


@asynccontextmanager
async def modbus_stage() -> AsyncGenerator[tuple[RelayStage, ModbusBoardDouble]]:
    """Open a Modbus board."""
    board = ModbusBoardDouble()
    async with open_board(board):
        relay = ModbusRelay(
            ModbusBoard(host="127.0.0.1", port=board.port, pulse_s=0.02, inputs=4, look_s=0.01)
        )

        def lose_answer() -> None:
            board.dies_after = (0, True)

        def while_probed(action: Callable[[], None]) -> None:
            class Functions(list[int]):
                def append(self, item: int) -> None:
                    super().append(item)
                    if item == READ_COILS:
                        action()

            board.functions = Functions()

        yield (
            RelayStage(
                "modbus", relay, lambda: board.history.count((0, True)), lose_answer, while_probed
            ),
            board,
        )
        await relay.close()


@asynccontextmanager
async def fake_stage() -> AsyncGenerator[RelayStage]:
    """Open the relay without a device."""
    relay = FakeRelay()

    def lose_answer() -> None:
        relay.failure, relay.is_lost_after = PulseUnknownError("silent"), True

    def while_probed(action: Callable[[], None]) -> None:
        relay.on_probe = action

    yield RelayStage("fake", relay, lambda: len(relay.pulses), lose_answer, while_probed)


@asynccontextmanager
async def open_stage(kind: str) -> AsyncGenerator[RelayStage]:
    """Open a relay of any kind."""
    if kind == "fake":
        async with fake_stage() as stage:
            yield stage
    elif kind == "modbus":
        async with modbus_stage() as (stage, _):
            yield stage
    else:
        async with http_stage(kind) as (stage, _, _):
            yield stage
