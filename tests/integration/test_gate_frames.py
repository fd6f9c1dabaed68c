"""Pictures from cameras over real sockets: stalls, late pictures, and no thread left."""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gate_bridge.agent.errors import StreamSilentError
from gate_bridge.agent.frames.camera_stream import CameraStream
from gate_bridge.agent.frames.options import StreamOptions
from tests.factories.camera_server import CameraServer, open_camera, shade_of

QUICK = StreamOptions(
    open_timeout_s=1.0, read_timeout_s=0.3, next_wait_s=0.5, age_s_max=0.4, reconnect_s_max=0.02
)
# For where no camera is: no picture comes however long one waits.
NOBODY = replace(QUICK, next_wait_s=0.1)
TRIES_MAX = 100
ADDRESSES = {
    "rtsp": "rtsp://127.0.0.1:{port}/stream",
    "mjpeg": "http://127.0.0.1:{port}/video.mjpg",
}


@pytest.fixture(autouse=True)
async def no_thread_is_left() -> AsyncGenerator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if "camera-" in thread.name] == []


@pytest.fixture
async def camera() -> AsyncGenerator[CameraServer]:
    async with open_camera(CameraServer()) as camera:
        yield camera


@pytest.fixture(params=list(ADDRESSES))
async def stream(
    request: pytest.FixtureRequest, camera: CameraServer
) -> AsyncGenerator[CameraStream]:
    stream = CameraStream("north", ADDRESSES[request.param].format(port=camera.port), QUICK)
    stream.start()
    yield stream
    await stream.close()


async def shades(stream: CameraStream, is_enough: Callable[[int], bool]) -> list[int]:
    """Return the shades of the pictures, up to the first that is enough."""
    found: list[int] = []
    pictures = stream.open()
    for _ in range(TRIES_MAX):
        try:
            picture = await pictures.next()
        except StreamSilentError:
            continue
        assert picture is not None
        assert picture.content_type == "image/jpeg"
        found.append(shade_of(picture.image))
        if is_enough(found[-1]):
            return found
    raise AssertionError(found)


async def until_silent(stream: CameraStream) -> None:
    pictures = stream.open()
    for _ in range(TRIES_MAX):
        try:
            await pictures.next()
        except StreamSilentError:
            return
    raise AssertionError("the stream goes on")


async def test_the_newest_picture_is_what_is_seen(
    stream: CameraStream, camera: CameraServer
) -> None:
    assert await shades(stream, lambda shade: abs(shade - 40) <= 2)
    camera.shade = 200
    found = await shades(stream, lambda shade: abs(shade - 200) <= 2)
    # Nothing queues: after at most a few old ones comes the new one.
    assert len(found) <= 4


async def test_no_picture_is_given_twice(stream: CameraStream, camera: CameraServer) -> None:
    await shades(stream, lambda _: True)
    pictures = stream.open()
    first = await pictures.next()
    second = await pictures.next()
    assert first is not None
    assert second is not None
    assert first.name != second.name


async def test_a_stall_gives_no_old_picture_and_is_recovered_from(
    stream: CameraStream, camera: CameraServer
) -> None:
    await shades(stream, lambda _: True)
    clients = camera.clients
    camera.is_stalled = True
    await until_silent(stream)
    camera.shade = 120
    for _ in range(TRIES_MAX):
        if camera.clients > clients:
            break
        await asyncio.sleep(0.02)
    # The read gave up by itself and connected anew, while the camera still sends nothing.
    assert camera.clients > clients
    camera.is_stalled = False
    await shades(stream, lambda shade: abs(shade - 120) <= 2)


async def test_a_camera_that_hangs_up_is_connected_to_again(
    stream: CameraStream, camera: CameraServer
) -> None:
    await shades(stream, lambda _: True)
    camera.is_refusing = True
    for writer in list(camera.writers):
        writer.close()
    await until_silent(stream)
    camera.is_refusing = False
    camera.shade = 90
    await shades(stream, lambda shade: abs(shade - 90) <= 2)


async def test_a_stream_that_falls_behind_is_not_shown(camera: CameraServer) -> None:
    stream = CameraStream("north", ADDRESSES["rtsp"].format(port=camera.port), QUICK)
    stream.start()
    await shades(stream, lambda _: True)
    # Whatever comes now says of itself that it is older than it was: it was held up.
    camera.lateness_s = 5.0
    await until_silent(stream)
    camera.lateness_s = 0.0
    await shades(stream, lambda _: True)
    await stream.close()


async def test_a_camera_that_is_away_is_silent_and_is_closed_at_once() -> None:
    stream = CameraStream("north", "rtsp://admin:secret@127.0.0.1:1/stream", NOBODY)
    stream.start()
    with pytest.raises(StreamSilentError, match="north: no fresh picture"):
        await stream.open().next()
    await stream.close()


async def test_no_log_shows_the_password(caplog: pytest.LogCaptureFixture) -> None:
    stream = CameraStream("north", "rtsp://admin:secret@127.0.0.1:1/stream", NOBODY)
    stream.start()
    await until_silent(stream)
    await stream.close()
    assert "secret" not in caplog.text


async def test_wide_pictures_are_made_smaller(camera: CameraServer) -> None:
    options = StreamOptions(read_timeout_s=0.3, width_max=64, image_bytes_max=2000)
    stream = CameraStream("north", ADDRESSES["mjpeg"].format(port=camera.port), options)
    stream.start()
    picture = await stream.open().next()
    await stream.close()
    assert picture is not None
    # 160 by 96 points, scaled: marker SOF0 has the height and the width.
    at = picture.image.index(b"\xff\xc0")
    assert (picture.image[at + 5 : at + 9]) == bytes((0, 38, 0, 64))
    assert len(picture.image) <= 2000


def ffmpeg_command() -> str:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("ffmpeg is not installed")
    return ffmpeg


class Packets(asyncio.DatagramProtocol):
    """Takes RTP packets in."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(2000)

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(data)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
async def test_rtp_that_ffmpeg_makes_is_read(codec: str, tmp_path: Path) -> None:
    ffmpeg = ffmpeg_command()
    loop = asyncio.get_running_loop()
    transport, packets = await loop.create_datagram_endpoint(Packets, ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    encoder = {"h264": "libx264 -tune zerolatency", "hevc": "libx265 -x265-params log-level=none"}
    source, sdp = "color=c=gray:size=160x96:rate=25", tmp_path / "stream.sdp"
    words = f"-loglevel error -re -f lavfi -i {source} -c:v {encoder[codec]} -pix_fmt yuv420p -g 5"
    words += f" -f rtp -sdp_file {sdp} rtp://127.0.0.1:{port}?pkt_size=1200"
    process = await asyncio.create_subprocess_exec(ffmpeg, *words.split())
    try:
        await asyncio.wait_for(packets.queue.get(), 20)
        described = sdp.read_text().replace(f"m=video {port}", "m=video 0")
        foreign = (f"{described.strip()}\r\na=control:track\r\n", packets.queue)
        async with open_camera(CameraServer(foreign=foreign)) as camera:
            stream = CameraStream("north", ADDRESSES["rtsp"].format(port=camera.port), QUICK)
            stream.start()
            assert await shades(stream, lambda shade: abs(shade - 128) <= 3)
            await stream.close()
    finally:
        transport.close()
        process.kill()
        await process.wait()


async def test_ffmpeg_s_own_mjpeg_is_read() -> None:
    # Handed on: ffmpeg cannot say at which port it listens, and a port that was free may be taken.
    source = "color=c=gray:size=160x96:rate=25"
    words = f"-loglevel error -re -f lavfi -i {source} -f mpjpeg pipe:1"
    async with open_camera(CameraServer(maker=(ffmpeg_command(), *words.split()))) as camera:
        # ffmpeg takes a while to begin, for each connection.
        options = replace(QUICK, open_timeout_s=20.0, read_timeout_s=20.0)
        address = ADDRESSES["mjpeg"].format(port=camera.port)
        stream = CameraStream("north", address, options)
        stream.start()
        assert await shades(stream, lambda shade: abs(shade - 128) <= 3)
        await stream.close()
