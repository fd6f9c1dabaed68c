"""What stands at the demo's Quay: a relay that a car waits for, and a cable that may be pulled."""

import asyncio
from uuid import uuid4

import pytest

from gate_bridge.agent.machines.device_http import DeviceAddress
from gate_bridge.agent.machines.relay import Permit
from gate_bridge.agent.machines.shelly import ShellyRelay
from sesame.demo import gate_devices
from sesame.demo.gate_devices import GateDevices
from sesame.demo.network import Cable
from tests.integration.gate_stage import eventually


async def test_a_car_drives_when_the_relay_is_pulsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_devices, "MOVE_S", 0.01)
    devices = GateDevices()
    async with devices.served():
        relay = ShellyRelay(DeviceAddress(url=devices.url), pulse_s=0.05, look_s=0.05)
        permit = Permit(uuid4(), deadline_s=5.0, steady=lambda: 0.0, objection=lambda: None)
        devices.car(is_there=True)
        assert devices.is_arm_up  # As far as anybody sees: something is on a loop.
        await relay.pulse(permit)
        assert devices.pulses == 1
        await eventually(lambda: not devices.is_arm_up)
        await relay.close()


async def test_a_pulse_without_a_car_moves_nobody() -> None:
    devices = GateDevices()
    async with devices.served():
        relay = ShellyRelay(DeviceAddress(url=devices.url), pulse_s=0.05, look_s=0.05)
        permit = Permit(uuid4(), deadline_s=5.0, steady=lambda: 0.0, objection=lambda: None)
        await relay.pulse(permit)
        assert devices.pulses == 1
        await eventually(lambda: not devices.is_arm_up)
        await relay.close()


async def test_a_pulled_cable_cuts_what_there_is_and_carries_nothing_until_it_is_back() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await end_of(reader):
                writer.write(line)
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        cable = Cable(server.sockets[0].getsockname()[1])
        async with cable.laid():
            assert await asked(cable.port, b"one\n") == b"one\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", cable.port)
            writer.write(b"two\n")
            assert await reader.readline() == b"two\n"
            cable.pull()
            assert await end_of(reader) == b""
            writer.close()
            assert await asked(cable.port, b"three\n") == b""
            cable.plug_in()
            assert await asked(cable.port, b"four\n") == b"four\n"


async def asked(port: int, line: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(line)
        return await end_of(reader)
    finally:
        writer.close()


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Return the next line; nothing where the connection was cut."""
    try:
        return await reader.readline()
    except ConnectionError:
        return b""
