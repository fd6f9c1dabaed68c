"""Devices over a real MQTT broker: nothing unstored is acknowledged, nothing old opens."""

import asyncio
import base64
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from structlog.testing import capture_logs

from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.machines.relay import Permit
from gate_bridge.agent.machines.vzenith_mqtt import VzenithMqttOptions, VzenithMqttRelay
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.agent.site.broker import Broker
from gate_bridge.agent.site.intake import Intake
from gate_bridge.agent.site.mqtt_client import MqttLimits
from gate_bridge.agent.site.settings import BrokerSettings, SiteDevice
from gate_bridge.drivers.lateness import is_late
from gate_bridge.drivers.port import CameraRead, DeviceSettings
from gate_bridge.drivers.vzenith_mqtt import VzenithCommands, VzenithMqttDriver
from parking.kit.clock import SystemClock
from tests.contract.mosquitto import Camera, Mosquitto, needs_mosquitto, until
from tests.contract.recording_intake import RecordingIntake
from tests.contract.vzenith_replies import settings_of
from tests.factories.tls_files import Authority

pytestmark = needs_mosquitto

SERIAL = "5e1f00aa-0c77d214"
UP = f"device/{SERIAL}/message/up"
# The camera answers by a program that has to start first: a busy machine takes its time.
PATIENT_S = 10.0
NO_ANSWER_S = 0.4
# Long enough for the question's answer, waited out in full for the pulse's.
UNANSWERED_S = 1.5


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncGenerator[Mosquitto, None]:
    server = Mosquitto(tmp_path)
    await server.start()
    yield server
    await server.stop()


def broker_of(
    server: Mosquitto, intake: Intake, password: str = "", ca: Path | None = None
) -> Broker:
    device = SiteDevice(
        settings=settings_named("entry-camera"),
        lane_id=uuid4(),
        driver="vzenith-mqtt",
        broker="yard",
        topic=f"{UP}/#",
    )
    settings = BrokerSettings(
        name="yard",
        url=f"{'mqtts' if ca else 'mqtt'}://127.0.0.1:{server.port}",
        ca=ca,
        username="gate" if password else "",
        password=password,
    )
    limits = MqttLimits(answer_s_max=2.0)
    return Broker(settings, "test", [device], intake, SystemClock(), limits, reconnect_s_max=0.05)


def settings_named(name: str) -> DeviceSettings:
    return DeviceSettings(name=name, zone=settings_of().zone)


@asynccontextmanager
async def running(broker: Broker, *, is_settled: bool = True) -> AsyncGenerator[None, None]:
    task = asyncio.create_task(broker.run())
    try:
        if is_settled:
            await asyncio.wait_for(broker.settled(), 20)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def relay_of(broker: Broker, reply_s_max: float = PATIENT_S) -> VzenithMqttRelay:
    options = VzenithMqttOptions(
        commands=VzenithCommands(serial=SERIAL), pulse_ms=700, reply_s_max=reply_s_max
    )
    return VzenithMqttRelay(broker, options, SystemClock())


def permit_of(objection: Callable[[], str | None] = lambda: None) -> Permit:
    return Permit(
        command_id=uuid4(),
        deadline_s=steady_seconds() + 60,
        steady=steady_seconds,
        objection=objection,
    )


def read_body(licence: str, message_id: str = "m1") -> bytes:
    result = {
        "license": base64.b64encode(licence.encode()).decode(),
        "confidence": 94,
        "direction": 4,
        "isoffline": 0,
        "plateid": 11,
        "timeStamp": {"Timeval": {"sec": 1_772_434_800, "usec": 0}},
        "triggerType": 8,
    }
    alarm = {"AlarmInfoPlate": {"serialno": SERIAL, "result": {"PlateResult": result}}}
    return orjson.dumps({"id": message_id, "sn": SERIAL, "name": "ivs_result", "payload": alarm})


async def tried_twice(broker: Broker) -> None:
    """Wait until the broker was not reached for the second time; nothing can be sent."""
    with capture_logs() as logs:
        await until(lambda: [entry["event"] for entry in logs].count("broker_away") >= 2)
    assert not broker.is_connected
    error = await fails(relay_of(broker).pulse(permit_of()))
    assert not isinstance(error, PulseUnknownError)


async def fails(pulse: Coroutine[None, None, None]) -> BarrierError:
    with pytest.raises(BarrierError) as caught:
        await pulse
    return caught.value


async def test_a_read_comes_in_and_the_camera_is_told_to_open(mosquitto: Mosquitto) -> None:
    intake = RecordingIntake()
    broker = broker_of(mosquitto, intake)
    camera, permit = Camera(mosquitto, SERIAL), permit_of()
    async with running(broker), camera.listening():
        # Only now, as a lane that begins late does.
        relay = relay_of(broker)
        await mosquitto.publish(f"{UP}/ivs_result", read_body("苏E05EV8"))
        await until(lambda: len(intake.acted) == 1)
        (message,) = intake.kept
        (read,) = VzenithMqttDriver().signals(message, settings_of())
        assert isinstance(read, CameraRead)
        assert (read.plate, read.confidence, read.is_backfill) == ("苏E05EV8", 0.94, False)
        await relay.pulse(permit)
        assert camera.values() == [0, 2]
        opening = camera.commands[1]
        assert (opening["id"], opening["name"]) == (str(permit.command_id), "gpio_out")
        assert opening["payload"] == {
            "type": "gpio_out",
            "body": {"delay": 700, "io": 0, "value": 2},
        }


async def test_a_read_that_found_no_room_comes_again(mosquitto: Mosquitto) -> None:
    intake = RecordingIntake()
    intake.refusals = 2
    broker = broker_of(mosquitto, intake)
    async with running(broker):
        await mosquitto.publish(f"{UP}/ivs_result", b'{"first": 1}')
        await mosquitto.publish(f"{UP}/ivs_result", b'{"second": 2}')
        await until(lambda: len(intake.kept) >= 2)
    # Each once, in order: what was stored was acknowledged, what was not came again.
    assert intake.bodies() == [b'{"first": 1}', b'{"second": 2}']
    assert is_late(intake.kept[0])
    again = RecordingIntake()
    async with running(broker_of(mosquitto, again)):
        await mosquitto.publish(f"{UP}/keep_alive", b"{}")
        await until(lambda: again.bodies() == [b"{}"])


async def test_what_waited_at_the_broker_is_late(mosquitto: Mosquitto) -> None:
    intake = RecordingIntake()
    async with running(broker_of(mosquitto, intake)):
        pass
    await mosquitto.publish(f"{UP}/ivs_result", read_body("苏E05EV8"))
    # The broker keeps it over a restart of its own.
    await mosquitto.stop()
    await mosquitto.start()
    broker = broker_of(mosquitto, intake)
    async with running(broker):
        await mosquitto.publish(f"{UP}/ivs_result", read_body("苏E05EV9"))
        await until(lambda: len(intake.kept) == 2)
    reads = [VzenithMqttDriver().signals(message, settings_of())[0] for message in intake.kept]
    assert [(read.plate, read.is_backfill) for read in reads if isinstance(read, CameraRead)] == [
        ("苏E05EV8", True),
        ("苏E05EV9", False),
    ]


async def test_a_retained_read_is_late(mosquitto: Mosquitto) -> None:
    await mosquitto.publish(f"{UP}/ivs_result", read_body("苏E05EV8"), "-r")
    intake = RecordingIntake()
    async with running(broker_of(mosquitto, intake)):
        await until(lambda: len(intake.kept) == 1)
    (read,) = VzenithMqttDriver().signals(intake.kept[0], settings_of())
    assert isinstance(read, CameraRead)
    assert read.is_backfill


async def test_a_broker_that_restarts_is_found_again(mosquitto: Mosquitto) -> None:
    intake = RecordingIntake()
    broker = broker_of(mosquitto, intake)
    camera, relay = Camera(mosquitto, SERIAL), relay_of(broker)
    async with running(broker), camera.listening():
        await mosquitto.stop()
        await until(lambda: not broker.is_connected)
        error = await fails(relay.pulse(permit_of()))
        assert not isinstance(error, PulseUnknownError)
        await mosquitto.start()
        await asyncio.wait_for(broker.settled(), 20)
        await mosquitto.publish(f"{UP}/ivs_result", b"{}")
        await until(lambda: intake.bodies() == [b"{}"])
    # What could not be sent was not kept for later.
    assert camera.values() == []


@pytest.mark.parametrize("frozen", ["broker", "camera"])
async def test_who_is_frozen_is_never_told_to_open(mosquitto: Mosquitto, frozen: str) -> None:
    broker = broker_of(mosquitto, RecordingIntake())
    camera = Camera(mosquitto, SERIAL)
    hasty, patient = relay_of(broker, NO_ANSWER_S), relay_of(broker)
    peer = mosquitto if frozen == "broker" else camera
    async with running(broker), camera.listening():
        peer.send(signal.SIGSTOP)
        error = await fails(hasty.pulse(permit_of()))
        assert not isinstance(error, PulseUnknownError)
        peer.send(signal.SIGCONT)
        # The question reaches it late, and changes nothing; no pulse follows it.
        await until(lambda: camera.values() == [0])
        await patient.pulse(permit_of())
        assert camera.values() == [0, 0, 2]


async def test_a_lane_that_begins_while_the_broker_is_frozen_sends_nothing(
    mosquitto: Mosquitto,
) -> None:
    broker = broker_of(mosquitto, RecordingIntake())
    camera = Camera(mosquitto, SERIAL)
    async with running(broker), camera.listening():
        mosquitto.send(signal.SIGSTOP)
        error = await fails(relay_of(broker, NO_ANSWER_S).pulse(permit_of()))
        assert not isinstance(error, PulseUnknownError)
        mosquitto.send(signal.SIGCONT)
        await relay_of(broker).pulse(permit_of())
        assert camera.values() == [0, 2]


async def test_a_pulse_without_an_answer_is_unknown_and_not_repeated(
    mosquitto: Mosquitto,
) -> None:
    broker = broker_of(mosquitto, RecordingIntake())
    camera, relay = Camera(mosquitto, SERIAL), relay_of(broker, UNANSWERED_S)
    camera.answers = lambda value: 200 if value == 0 else None
    async with running(broker), camera.listening():
        assert isinstance(await fails(relay.pulse(permit_of())), PulseUnknownError)
        assert camera.values() == [0, 2]


async def test_a_camera_that_refuses_was_not_pulsed(mosquitto: Mosquitto) -> None:
    broker = broker_of(mosquitto, RecordingIntake())
    camera, relay = Camera(mosquitto, SERIAL), relay_of(broker)
    camera.answers = lambda value: 200 if value == 0 else 500
    async with running(broker), camera.listening():
        error = await fails(relay.pulse(permit_of()))
        assert not isinstance(error, PulseUnknownError)


async def test_a_car_that_left_meanwhile_is_not_opened_for(mosquitto: Mosquitto) -> None:
    broker = broker_of(mosquitto, RecordingIntake())
    camera, relay = Camera(mosquitto, SERIAL), relay_of(broker)
    async with running(broker), camera.listening():
        permit = permit_of(lambda: "the car left" if camera.commands else None)
        assert "the car left" in str(await fails(relay.pulse(permit)))
        assert camera.values() == [0]


async def test_a_late_answer_to_another_command_is_not_taken(mosquitto: Mosquitto) -> None:
    broker = broker_of(mosquitto, RecordingIntake())
    camera, relay = Camera(mosquitto, SERIAL), relay_of(broker, NO_ANSWER_S)
    camera.answers = lambda _: None
    async with running(broker), camera.listening():
        pulse = asyncio.create_task(relay.pulse(permit_of()))
        await until(lambda: len(camera.commands) == 1)
        reply = orjson.dumps({"id": "another", "code": 200})
        await mosquitto.publish(f"device/{SERIAL}/message/down/gpio_out/reply", reply)
        assert not isinstance(await fails(pulse), PulseUnknownError)  # type: ignore[arg-type]
        assert camera.values() == [0]


async def test_over_tls_only_the_broker_of_the_right_authority_is_believed(
    tmp_path: Path,
) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    certificate, key = ours.issue("broker")
    server = Mosquitto(tmp_path, f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}")
    await server.start()
    intake = RecordingIntake()
    try:
        async with running(broker_of(server, intake, ca=ours.file)):
            await server.publish(f"{UP}/ivs_result", b"{}", "--cafile", str(ours.file))
            await until(lambda: intake.bodies() == [b"{}"])
        deceived = broker_of(server, intake, ca=other.file)
        async with running(deceived, is_settled=False):
            await tried_twice(deceived)
    finally:
        await server.stop()


async def test_a_wrong_password_is_refused_and_tried_again(tmp_path: Path) -> None:
    users = tmp_path / "users"
    # mosquitto_passwd's format: salted SHA-512; no line fits, so nobody is let in.
    users.write_text("", encoding="utf-8")
    server = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {users}")
    await server.start()
    broker = broker_of(server, RecordingIntake(), password="wrong")
    try:
        async with running(broker, is_settled=False):
            await tried_twice(broker)
    finally:
        await server.stop()
