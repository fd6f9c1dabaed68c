"""A camera that is loop, reader and barrier in one, over MQTT and over HTTP, on the real bridge."""

import asyncio
from asyncio.subprocess import PIPE
from pathlib import Path

import orjson
import pytest

from tests.contract.mosquitto import Camera, Mosquitto, needs_mosquitto, until
from tests.e2e.device_lane import DeviceLane, needs_curl
from tests.e2e.stage import Stage
from tests.e2e.vzenith_lane import (
    OVER_HTTP,
    OVER_MQTT,
    SERIAL,
    TOKEN,
    UP,
    loop_alarm,
    plate_alarm,
    vzenith_lane,
)

pytestmark = pytest.mark.asyncio(loop_scope="package")


@needs_mosquitto
async def test_over_mqtt_a_read_opens_once_and_what_waited_opens_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    camera = Camera(broker, SERIAL)
    try:
        async with (
            vzenith_lane(stage, tmp_path, OVER_MQTT, broker.port) as lane,
            camera.listening(),
        ):
            await broker.publish(f"{UP}/gpio_in", loop_alarm(is_on=True, is_mqtt=True))
            await lane.told("presented")
            read = plate_alarm("VZ101AA", is_mqtt=True)
            await broker.publish(f"{UP}/ivs_result", read)
            # Asked first, then pulsed.
            await until(lambda: camera.values() == [0, 2])
            await lane.committed("occupied", "observation", "pulsed")
            # A broker gives a message at least once.
            await broker.publish(f"{UP}/ivs_result", read)
            await broker.publish(f"{UP}/gpio_in", loop_alarm(is_on=False, is_mqtt=True))
            await lane.committed("observation", "pulsed", "cleared", "passed")
            await lane.kill()
            # The read of a car that was there meanwhile waits at the broker; another stands there.
            await broker.publish(f"{UP}/ivs_result", plate_alarm("VZ102BB", is_mqtt=True))
            await broker.publish(f"{UP}/gpio_in", loop_alarm(is_on=True, is_mqtt=True))
            await lane.start()
            await lane.told("presented")
            await lane.committed("late observation", "occupied")
            assert camera.values() == [0, 2]
    finally:
        await broker.stop()


@needs_curl
async def test_over_http_the_reply_opens_once_and_only_for_the_car_on_the_loop(
    stage: Stage, tmp_path: Path
) -> None:
    async with vzenith_lane(stage, tmp_path, OVER_HTTP) as lane:
        body = plate_alarm("VZ201AA")
        assert await opens(lane, loop_alarm(is_on=True)) is False
        await lane.told("presented")
        assert await opens(lane, body) is True
        # Sent again, as cameras do that miss an answer: the arm was raised for this car.
        assert await opens(lane, body) is False
        await lane.committed("occupied", "observation", "pulsed")
        assert await opens(lane, loop_alarm(is_on=False)) is False
        await lane.committed("observation", "pulsed", "cleared", "passed")
        # Nobody stands there.
        assert await opens(lane, plate_alarm("VZ202BB")) is False


async def opens(lane: DeviceLane, body: bytes) -> bool:
    """Let the camera post; return whether the answer raises its arm."""
    [running] = await lane.told("site_runs")
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-m", "20", "--noproxy", "*", "--fail", "--data-binary", "@-",
        f"http://127.0.0.1:{running['port']}/devices/camera-1?token={TOKEN}",
        stdin=PIPE, stdout=PIPE,
    )  # fmt: skip
    answer, _ = await process.communicate(body)
    assert process.returncode == 0
    content = orjson.loads(answer)["Response_AlarmInfoPlate"]
    assert content["content"] == "retransfer_stop"
    return content["info"] == "ok"
