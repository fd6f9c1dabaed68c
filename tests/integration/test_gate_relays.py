"""Relays and barriers over real sockets: what each kind of device does wrong, and what follows."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.machines import device_http, modbus
from gate_bridge.agent.machines.device_http import DeviceAddress
from gate_bridge.agent.machines.modbus import ModbusBoard, ModbusRelay
from gate_bridge.agent.machines.relay import Permit
from gate_bridge.agent.machines.relays import RelaySettings, open_relay
from gate_bridge.agent.machines.shelly import ShellyRelay
from parking.kit.errors import InvalidInputError
from tests.contract.relay_stages import PASSWORD, USERNAME, http_stage
from tests.factories.http_device import HttpDevice, open_device
from tests.factories.modbus_board import WRITE_COIL, ModbusBoardDouble, open_board

PERMIT = Permit(UUID(int=1), 104.0, lambda: 100.0, lambda: None)
LOOKS_MAX = 400


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(LOOKS_MAX):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never happened")


def relay_at(port: int, **options: object) -> ModbusRelay:
    board: dict[str, object] = {"host": "127.0.0.1", "port": port, "pulse_s": 0.02, "look_s": 0.01}
    return ModbusRelay(ModbusBoard(**board | options))  # pyright: ignore[reportArgumentType]


class Inputs:
    """What a relay's `watch` tells."""

    def __init__(self) -> None:
        self.told: dict[int, bool] = {}

    def __call__(self, number: int, is_on: bool) -> None:
        self.told[number] = is_on


@pytest.mark.parametrize("kind", ["shelly", "hikvision", "dahua"])
async def test_every_pulse_has_a_connection_and_a_challenge_of_its_own(kind: str) -> None:
    async with http_stage(kind) as (stage, device, logic):
        await stage.relay.pulse(PERMIT)
        assert (device.connections, device.challenges) == (1, 1)
        logic.outputs[0] = False
        await stage.relay.pulse(PERMIT)
        assert (device.connections, device.challenges) == (2, 2)
        assert logic.pulses == 2
        # The challenge, the question with its answer, and the order that uses the same nonce.
        assert len(device.requests) == 6


@pytest.mark.parametrize("kind", ["shelly", "hikvision", "dahua"])
async def test_a_wrong_password_opens_nothing(kind: str) -> None:
    async with http_stage(kind) as (stage, device, logic):
        device.password = "another"
        with pytest.raises(BarrierError, match="401") as raised:
            await stage.relay.pulse(PERMIT)
        assert PASSWORD not in str(raised.value)
        assert (logic.pulses, device.accepted) == (0, [])


@pytest.mark.parametrize("kind", ["shelly", "hikvision", "dahua"])
async def test_a_nonce_that_the_device_dropped_costs_no_second_pulse(kind: str) -> None:
    async with http_stage(kind) as (stage, device, logic):
        device.nonces_are_single = True
        await stage.relay.pulse(PERMIT)
        assert logic.pulses == 1


@pytest.mark.parametrize("kind", ["shelly", "hikvision", "dahua"])
async def test_a_nonce_that_was_dropped_when_the_order_ran_out_opens_nothing(kind: str) -> None:
    async with http_stage(kind) as (stage, device, logic):
        device.nonces_are_single = True
        # The second challenge is the answer to the order.
        permit = Permit(
            UUID(int=1), 104.0, lambda: 100.0 + 4 * (device.challenges > 1), lambda: None
        )
        with pytest.raises(BarrierError, match="ran out"):
            await stage.relay.pulse(permit)
        assert logic.pulses == 0


async def test_a_shelly_ends_the_pulse_by_itself() -> None:
    async with http_stage("shelly") as (stage, device, logic):
        await stage.relay.pulse(PERMIT)
        assert logic.timers == [0.5]
        assert device.accepted[-1].headers["content-type"] == "application/json"


async def test_a_shelly_that_is_on_already_is_not_pulsed() -> None:
    async with http_stage("shelly") as (stage, _, logic):
        logic.outputs[0] = True
        with pytest.raises(BarrierError, match="on already"):
            await stage.relay.pulse(PERMIT)
        assert logic.pulses == 0


async def test_a_shelly_tells_of_its_inputs_but_not_of_buttons() -> None:
    async with http_stage("shelly") as (stage, device, logic):
        inputs = Inputs()
        watching = asyncio.create_task(stage.relay.watch(inputs))
        await until(lambda: inputs.told == {0: False, 1: True})
        logic.inputs[0] = True
        await until(lambda: inputs.told == {0: True, 1: True})
        watching.cancel()
        await asyncio.wait([watching])
        # One connection, one challenge, however often it looks.
        assert (device.connections, device.challenges) == (1, 1)


async def test_a_silent_shelly_is_not_watched_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_http, "PROBE_TIMEOUT_S", 0.05)
    device = HttpDevice(lambda _: None)
    async with open_device(device):
        with pytest.raises(BarrierError, match="does not answer"):
            await ShellyRelay(DeviceAddress(url=device.url)).watch(Inputs())


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ((200, b"<html>"), BarrierError),
        ((200, b'{"id":1,"error":{"code":-103,"message":"Invalid argument"}}'), BarrierError),
        ((500, b""), BarrierError),
        ((200, b"x" * 70_000), BarrierError),
    ],
)
async def test_a_shelly_that_answers_nonsense_is_not_pulsed(
    reply: tuple[int, bytes], error: type[BarrierError]
) -> None:
    device = HttpDevice(lambda _: reply)
    async with open_device(device):
        with pytest.raises(error):
            await ShellyRelay(DeviceAddress(url=device.url)).pulse(PERMIT)
        assert [b"Switch.Set" in request.body for request in device.requests] == [False]


@pytest.mark.parametrize(
    ("reply", "is_known"),
    [
        ((200, b"<html>"), False),
        ((500, b""), False),
        ((200, b'{"id":1,"error":{"code":-103,"message":"Invalid argument"}}'), True),
        ((404, b""), True),
    ],
)
async def test_what_a_shelly_s_answer_to_the_order_means(
    reply: tuple[int, bytes], *, is_known: bool
) -> None:
    off = (200, b'{"id":1,"result":{"id":0,"output":false}}')
    device = HttpDevice(lambda request: reply if b"Switch.Set" in request.body else off)
    async with open_device(device):
        with pytest.raises(BarrierError) as raised:
            await ShellyRelay(DeviceAddress(url=device.url)).pulse(PERMIT)
        assert isinstance(raised.value, PulseUnknownError) is not is_known
        assert sum(b"Switch.Set" in request.body for request in device.requests) == 1


async def test_a_frozen_device_finds_no_order_when_it_thaws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_http, "PROBE_TIMEOUT_S", 0.05)
    logic_seen: list[bytes] = []
    thawed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The kernel of the device takes the connection while its program stands still.
        await thawed.wait()
        with suppress(ConnectionError):
            while chunk := await reader.read(4096):
                logic_seen.append(chunk)
        writer.close()
        done.set()

    done = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(BarrierError, match="does not answer") as raised:
        await ShellyRelay(DeviceAddress(url=url)).pulse(PERMIT)
    assert not isinstance(raised.value, PulseUnknownError)
    thawed.set()
    await done.wait()
    server.close()
    assert b"Switch.Set" not in b"".join(logic_seen)


async def test_a_hikvision_camera_that_is_not_to_be_controlled_says_so() -> None:
    refusal = b"<ResponseStatus><statusCode>4</statusCode></ResponseStatus>"
    device = HttpDevice(lambda _: (200, refusal), USERNAME, PASSWORD)
    async with open_device(device):
        settings = RelaySettings(
            driver="hikvision", url=device.url, username=USERNAME, password=PASSWORD
        )
        with pytest.raises(BarrierError, match="refused"):
            await open_relay(settings).pulse(PERMIT)


async def test_a_hikvision_barrier_is_closed_on_demand() -> None:
    async with http_stage("hikvision") as (stage, _, logic):
        await stage.relay.lower()
        assert (logic.lowered, logic.pulses) == (1, 0)


async def test_a_dahua_camera_that_says_error_was_not_pulsed() -> None:
    device = HttpDevice(lambda _: (200, b"Error\r\nErrorID=4, Detail=not supported"))
    async with open_device(device):
        with pytest.raises(BarrierError, match="refused"):
            await open_relay(RelaySettings(driver="dahua", url=device.url)).pulse(PERMIT)


async def test_a_modbus_coil_is_off_before_and_after_its_pulse() -> None:
    board = ModbusBoardDouble()
    async with open_board(board):
        relay = relay_at(board.port)
        await relay.pulse(PERMIT)
        await relay.close()
    assert board.history == [(0, False), (0, True), (0, False)]


async def test_a_board_that_dies_in_a_pulse_is_switched_off_before_anything_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(modbus, "ANSWER_TIMEOUT_S", 0.05)
    monkeypatch.setattr(modbus, "OFF_PAUSE_S", 0.01)
    board = ModbusBoardDouble(dies_after=(0, True))
    async with open_board(board):
        relay = relay_at(board.port, inputs=2)
        with pytest.raises(PulseUnknownError):
            await relay.pulse(PERMIT)
        assert board.coils == {0: True}
        seen = len(board.functions)
        board.revive()
        await until(lambda: len(board.functions) > seen)
        assert board.functions[seen] == WRITE_COIL
        assert board.history == [(0, False), (0, True), (0, False)]
        await relay.close()


async def test_a_coil_that_a_killed_process_left_on_is_switched_off_first() -> None:
    board = ModbusBoardDouble(coils={0: True})
    async with open_board(board):
        relay, inputs = relay_at(board.port, inputs=1), Inputs()
        watching = asyncio.create_task(relay.watch(inputs))
        await until(lambda: inputs.told == {0: False})
        assert board.functions[0] == WRITE_COIL
        assert board.coils == {0: False}
        # Nor does it stay on when somebody else switches it on.
        board.coils[0] = True
        await until(lambda: board.coils == {0: False})
        watching.cancel()
        await asyncio.wait([watching])
        await relay.close()


async def test_a_pulse_that_is_stopped_in_the_middle_leaves_no_coil_on() -> None:
    board = ModbusBoardDouble()
    async with open_board(board):
        relay = relay_at(board.port, pulse_s=10.0)
        pulsing = asyncio.create_task(relay.pulse(PERMIT))
        await until(lambda: board.coils.get(0, False))
        pulsing.cancel()
        await asyncio.wait([pulsing])
        await relay.close()
        assert board.history == [(0, False), (0, True), (0, False)]


async def test_the_inputs_are_looked_at_while_the_coil_is_on() -> None:
    board = ModbusBoardDouble()
    async with open_board(board):
        relay, inputs = relay_at(board.port, inputs=2, first_input=8, pulse_s=10.0), Inputs()
        watching = asyncio.create_task(relay.watch(inputs))
        pulsing = asyncio.create_task(relay.pulse(PERMIT))
        await until(lambda: board.coils.get(0, False))
        board.inputs[9] = True
        await until(lambda: inputs.told == {8: False, 9: True})
        assert board.coils == {0: True}
        for task in (pulsing, watching):
            task.cancel()
            await asyncio.wait([task])
        await relay.close()


async def test_a_board_with_a_timer_of_its_own_is_left_to_it() -> None:
    board = ModbusBoardDouble()
    async with open_board(board):
        relay = relay_at(board.port, is_one_shot=True)
        await relay.pulse(PERMIT)
        await relay.close()
    assert board.history == [(0, True)]


async def test_a_board_that_refuses_was_not_pulsed() -> None:
    board = ModbusBoardDouble(refuses=frozenset({WRITE_COIL}))
    async with open_board(board):
        relay = relay_at(board.port, is_one_shot=True)
        with pytest.raises(BarrierError, match="refused") as raised:
            await relay.pulse(PERMIT)
        assert not isinstance(raised.value, PulseUnknownError)
        assert board.history == []
        await relay.close()


async def test_a_coil_that_somebody_holds_is_not_pulsed() -> None:
    board = ModbusBoardDouble(coils={0: True})
    async with open_board(board):
        relay = relay_at(board.port, is_one_shot=True)
        with pytest.raises(BarrierError, match="on already"):
            await relay.pulse(PERMIT)
        assert board.history == []
        await relay.close()


async def test_the_arm_is_lowered_by_a_coil_of_its_own() -> None:
    board = ModbusBoardDouble()
    async with open_board(board):
        relay = relay_at(board.port, close_coil=3)
        assert relay.can_lower
        await relay.lower()
        await relay.close()
    assert board.history == [(0, False), (3, False), (3, True), (3, False)]


async def test_a_board_that_has_not_switched_off_is_not_pulsed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(modbus, "ANSWER_TIMEOUT_S", 0.05)
    monkeypatch.setattr(modbus, "OFF_PAUSE_S", 0.01)
    board = ModbusBoardDouble()
    async with open_board(board):
        relay = relay_at(board.port, close_coil=3)
        board.dies_after = (3, True)
        with pytest.raises(PulseUnknownError):
            await relay.lower()
        with pytest.raises(BarrierError, match="has not switched off"):
            await relay.pulse(PERMIT)
        board.revive()
        await until(lambda: board.coils == {0: False, 3: False})
        await relay.pulse(PERMIT)
        await relay.close()
        assert board.history.count((0, True)) == 1


async def test_a_watchdog_register_changes_at_every_look() -> None:
    board = ModbusBoardDouble()
    async with open_board(board):
        relay, inputs = relay_at(board.port, inputs=1, watchdog_register=5), Inputs()
        values: set[int | None] = set()
        watching = asyncio.create_task(relay.watch(inputs))

        def has_both() -> bool:
            values.add(board.registers.get(5))
            return values >= {0, 1}

        await until(has_both)
        watching.cancel()
        await asyncio.wait([watching])
        await relay.close()


async def test_a_board_that_is_away_is_a_refusal() -> None:
    board = ModbusBoardDouble()
    async with open_board(board):
        pass
    relay = relay_at(board.port)
    with pytest.raises(BarrierError, match="cannot be reached"):
        await relay.pulse(PERMIT)
    await relay.close()


async def test_pymodbus_s_own_server_is_pulsed_and_watched() -> None:
    writes: list[tuple[int, bool]] = []

    def trace(is_sent: bool, pdu: object) -> object:
        if not is_sent and type(pdu).__name__ == "WriteSingleCoilRequest":
            writes.append((getattr(pdu, "address"), getattr(pdu, "bits")[0]))  # noqa: B009
        return pdu

    coils = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
    inputs = [SimData(0, count=16, values=True, datatype=DataType.BITS)]
    words = [SimData(0, count=16, values=0, datatype=DataType.REGISTERS)]
    device = SimDevice(1, simdata=(coils, inputs, words, words))
    server = ModbusTcpServer(device, address=("127.0.0.1", 0), trace_pdu=trace)  # pyright: ignore[reportArgumentType]
    await server.listen()
    port: int = getattr(server.transport, "sockets")[0].getsockname()[1]  # noqa: B009
    relay, told = relay_at(port, inputs=4), Inputs()
    watching = asyncio.create_task(relay.watch(told))
    await until(lambda: told.told == dict.fromkeys(range(4), True))
    await relay.pulse(PERMIT)
    watching.cancel()
    await asyncio.wait([watching])
    await relay.close()
    await server.shutdown()
    assert writes == [(0, False), (0, True), (0, False)]


@pytest.mark.parametrize(
    ("driver", "url", "options", "field"),
    [
        ("magic", "http://10.0.0.2", {}, "barrier.driver"),
        ("shelly", "10.0.0.2", {}, "barrier.url"),
        ("shelly", "http://admin:x@10.0.0.2", {}, "barrier.url"),
        ("shelly", "http://10.0.0.2", {"otput": 1}, "barrier.options.otput"),
        ("shelly", "http://10.0.0.2", {"pulse_s": 60}, "barrier.options.pulse_s"),
        ("hikvision", "http://10.0.0.2", {"channel": 0}, "barrier.options.channel"),
        ("hikvision", "http://10.0.0.2", {"can_lower": 1}, "barrier.options.can_lower"),
        ("dahua", "ftp://10.0.0.2", {}, "barrier.url"),
        ("modbus", "http://10.0.0.2", {}, "barrier.url"),
        ("modbus", "tcp://10.0.0.2", {"inputs": 65}, "barrier.options.inputs"),
        ("modbus", "tcp://10.0.0.2", {"close_coil": -1}, "barrier.options.close_coil"),
    ],
)
def test_a_mistake_in_the_site_file_is_named(
    driver: str, url: str, options: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInputError) as raised:
        open_relay(RelaySettings(driver=driver, url=url, options=options))
    assert raised.value.field == field


def test_a_site_file_s_relay_is_what_it_says() -> None:
    shelly = open_relay(
        RelaySettings(driver="shelly", url="http://10.0.0.2", options={"close_output": 1})
    )
    assert (shelly.can_lower, shelly.has_inputs) == (True, True)
    board = open_relay(RelaySettings(driver="modbus", url="tcp://10.0.0.2", options={"inputs": 4}))
    assert (board.can_lower, board.has_inputs) == (False, True)
