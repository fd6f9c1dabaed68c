"""Running a lane: pictures from files, orders over a socket, the command's exit codes."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import cv2
import numpy as np
import orjson
import pytest

from gate_bridge.agent.errors import PictureError
from gate_bridge.agent.picture_sources import open_pictures
from gate_bridge.agent.pictures import CarPictures, photos_in
from gate_bridge.agent.runner import Play, run_play
from gate_bridge.agent.video import cars_in
from gate_bridge.pictures import check_picture
from parking.kit.clock import SystemClock
from tests.integration.gate_stage import PICTURE, TOKEN, Stage, eventually, open_stage


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path) as opened:
        yield opened


def make_video(path: Path, seconds: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(seconds * 10):
        writer.write(np.full((48, 64, 3), number % 256, np.uint8))
    writer.release()
    return path


async def test_a_video_is_sampled_at_five_frames_a_second(tmp_path: Path) -> None:
    video = make_video(tmp_path / "v.avi", 3)
    source = open_pictures(CarPictures(video=video, from_s=1.0, to_s=2.0))
    names: list[str] = []
    while (picture := await source.next()) is not None:
        check_picture(picture.image, picture.content_type, 10_000)
        names.append(picture.name)
    await source.close()
    assert names == [f"v.avi@1.{tenth}s" for tenth in (0, 2, 4, 6, 8)]


def test_a_video_is_one_car_or_cut_into_cars(tmp_path: Path) -> None:
    video = make_video(tmp_path / "v.avi", 3)
    assert cars_in(video, None) == [CarPictures(video=video)]
    assert [(car.from_s, car.to_s) for car in cars_in(video, 1.5)] == [(0.0, 1.5), (1.5, 3.0)]
    (tmp_path / "bad.avi").write_bytes(b"no video")
    with pytest.raises(PictureError):
        cars_in(tmp_path / "bad.avi", 1.5)


def test_a_folder_gives_its_pictures_by_name(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(PICTURE)
    assert [path.name for path in photos_in(tmp_path)] == ["a.png", "b.JPG"]
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(PictureError):
            photos_in(folder)


async def test_a_lane_is_played_over_a_socket(stage: Stage) -> None:
    path = stage.folder / "control.sock"
    play = Play(control=path)
    stop = asyncio.Event()
    journal = stage.folder / "journal.sqlite"
    running = asyncio.create_task(
        run_play(stage.agent_options(), journal, SystemClock(), play, stage.reports.append, stop)
    )
    await eventually(path.exists)
    reader, writer = await asyncio.open_unix_connection(path)

    async def told(event: str) -> dict[str, object]:
        async with asyncio.timeout(10):
            while True:
                report: dict[str, object] = orjson.loads(await reader.readline())
                if report["event"] == event:
                    return report

    def order(line: dict[str, object]) -> None:
        writer.write(orjson.dumps(line) + b"\n")

    picture = str(stage.picture().photos[0])
    order({"leave": True})
    assert (await told("error"))["code"] == "LANE_EMPTY"
    order({"car": ["/missing.jpg"]})
    assert (await told("error"))["code"] == "PICTURE_UNUSABLE"
    order({"car": [picture], "colour": "red"})
    assert (await told("error"))["field"] == "colour"
    order({"car": [picture]})
    assert (await told("order"))["status"] == "accepted"
    while (await told("barrier"))["kind"] != "closed":
        pass
    order({"open_by_hand": {"operator": "Lee", "reason": "ambulance"}})
    assert (await told("barrier"))["kind"] == "manual_open"
    order({"status": True})
    assert (await told("status"))["pulses"] == 1
    await eventually(lambda: [event[2] for event in stage.service.events].count("closed") == 2)
    order({"stop": True})
    tally = await running
    writer.close()
    await writer.wait_closed()
    assert tally.presentations == 0
    assert "manual_open" in [event[2] for event in stage.service.events]
    assert not path.exists()


async def run_command(stage: Stage, *arguments: str) -> tuple[int | None, list[dict[str, object]]]:
    token = stage.folder / "token"
    token.write_text(TOKEN + "\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sesame", "gate-agent", "--url", stage.url),
        *("--lane", str(stage.lane.lane_id), "--token-file", str(token), "--json", "--once"),
        *("--journal", str(stage.folder / "j.sqlite"), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode, [orjson.loads(line) for line in output.splitlines()]


async def test_the_command_tells_whether_every_car_was_let_through(stage: Stage) -> None:
    picture = str(stage.picture().photos[0])
    two_cars = ("--photo", picture, "--photo", picture, "--car-per-photo")
    code, reports = await run_command(stage, *two_cars)
    summary = {"event": "summary", "presentations": 2, "let_through": 2, "backed_out": 0}
    assert (code, reports[-1]) == (0, summary)

    stage.recognizer.on.clear()
    code, reports = await run_command(stage, "--photo", picture, "--wait-s", "1")
    summary = {"event": "summary", "presentations": 1, "let_through": 0, "backed_out": 1}
    assert (code, reports[-1]) == (1, summary)


async def test_a_file_that_is_no_picture_is_refused_by_name(stage: Stage) -> None:
    bad = stage.folder / "bad.jpg"
    bad.write_bytes(b"not a picture")
    code, reports = await run_command(stage, "--photo", str(bad), "--wait-s", "1")
    [first, *_] = [report for report in reports if report["event"] == "picture_refused"]
    assert (first["picture"], first["code"], first["field"]) == (
        "bad.jpg",
        "PayloadInvalid",
        "image",
    )
    assert code == 1
    assert stage.service.frames == {}
