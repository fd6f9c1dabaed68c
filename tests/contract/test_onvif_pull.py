"""Events are fetched from a camera's pull point, whatever its clock says."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from gate_bridge.agent.site.intake import Intake
from gate_bridge.agent.site.onvif_pull import OnvifPull, PullLimits, is_pulled
from gate_bridge.agent.site.settings import SiteDevice
from gate_bridge.drivers.onvif import OnvifDriver
from gate_bridge.drivers.port import CameraRead, DeviceMessage, DeviceSettings, KeepAlive
from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from tests.contract.http_server import listener, serving, url_of
from tests.contract.mosquitto import until
from tests.contract.onvif_camera import PASSWORD, USERNAME, OnvifCamera, notification
from tests.contract.recording_intake import RecordingIntake

LIMITS = PullLimits(wait_s=0, renew_s=0.0, reconnect_s_max=0.02)
SETUP = ["GetSystemDateAndTime", "CreatePullPointSubscription"]


def device_of(url: str, password: str = PASSWORD, *, pull: bool = True) -> SiteDevice:
    settings = DeviceSettings(
        name="entry-camera",
        zone=UTC,
        username=USERNAME,
        password=password,
        options={"pull": pull},
    )
    return SiteDevice(settings=settings, lane_id=uuid4(), driver="onvif", url=url)


@asynccontextmanager
async def fetched(
    intake: Intake,
    ahead: timedelta = timedelta(),
    password: str = PASSWORD,
    pull_point: str = "http://192.0.2.7/pull/4",
) -> AsyncGenerator[OnvifCamera, None]:
    listening = listener()
    camera = OnvifCamera(url_of(listening), SystemClock().now, ahead)
    camera.events = [notification("LD51AAA", "2026-03-02T07:00:00Z")]
    camera.pull_point = pull_point
    with serving(camera.app, listening):
        pull = OnvifPull(device_of(url_of(listening), password), intake, SystemClock(), LIMITS)
        task = asyncio.create_task(pull.run())
        try:
            yield camera
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def signals_of(message: DeviceMessage) -> list[object]:
    return list(OnvifDriver().signals(message, device_of("http://camera").settings))


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(hours=9), timedelta(days=-400)])
async def test_events_are_fetched_whatever_the_cameras_clock_says(ahead: timedelta) -> None:
    intake = RecordingIntake()
    async with fetched(intake, ahead) as camera:
        await until(lambda: len(intake.kept) == 2)
        await until(lambda: camera.asked.count("Renew") >= 2)
    (read,) = signals_of(intake.kept[0])
    assert isinstance(read, CameraRead)
    assert (read.plate, read.confidence) == ("LD51AAA", 0.9)
    # Empty answers say that the camera lives: one is kept, not one a moment.
    assert signals_of(intake.kept[1]) == [KeepAlive()]
    assert camera.asked[:2] == SETUP
    # Cameras have few pull points.
    assert camera.asked[-1] == "Unsubscribe"
    assert camera.refused == 0


async def test_a_wrong_password_fetches_nothing_and_is_tried_again() -> None:
    intake = RecordingIntake()
    async with fetched(intake, password="guess") as camera:
        await until(lambda: camera.refused >= 2)
    assert intake.kept == []
    assert set(camera.asked) == {"GetSystemDateAndTime"}


async def test_a_camera_that_fails_is_subscribed_to_again() -> None:
    intake = RecordingIntake()
    async with fetched(intake) as camera:
        await until(lambda: len(intake.kept) == 2)
        camera.broken.set()
        await until(lambda: camera.asked.count("GetSystemDateAndTime") >= 2)
        camera.events = [notification("LD51AAB", "2026-03-02T07:00:09Z")]
        camera.broken.clear()
        await until(lambda: len(intake.kept) == 3)
    (read,) = signals_of(intake.kept[2])
    assert isinstance(read, CameraRead)
    assert (read.plate, read.captured_at) == ("LD51AAB", datetime(2026, 3, 2, 7, 0, 9, tzinfo=UTC))


@pytest.mark.parametrize("written", ["@{}/pull/4", "//{}/pull/4", "http://{}/pull/4"])
async def test_no_camera_sends_us_to_another_host(written: str) -> None:
    intake, listening = RecordingIntake(), listener()
    stranger = OnvifCamera(url_of(listening), SystemClock().now, timedelta())
    address = written.format(urlsplit(url_of(listening)).netloc)
    with serving(stranger.app, listening):
        async with fetched(intake, pull_point=address) as camera:
            subscribed = "CreatePullPointSubscription"
            await until(
                lambda: (
                    bool(intake.kept or stranger.refused or stranger.asked)
                    or camera.asked.count(subscribed) >= 2
                )
            )
    assert (stranger.asked, stranger.refused) == ([], 0)


async def test_no_event_is_lost_where_there_was_no_room() -> None:
    intake = RecordingIntake()
    intake.refusals = 2
    async with fetched(intake) as camera:
        await until(lambda: bool(intake.kept))
    assert intake.refusals == 0
    assert camera.asked.count("CreatePullPointSubscription") == 1
    (read,) = signals_of(intake.kept[0])
    assert isinstance(read, CameraRead)
    assert read.plate == "LD51AAA"


def test_the_installer_says_who_is_fetched_from_and_where() -> None:
    assert is_pulled(device_of("http://camera"))
    assert not is_pulled(device_of("http://camera", pull=False))
    with pytest.raises(InvalidInputError) as caught:
        OnvifPull(device_of(""), RecordingIntake(), SystemClock())
    assert caught.value.field == "entry-camera.url"
