"""Pictures from a video file, sampled as a parking camera would take them."""

import asyncio
from pathlib import Path

import cv2

from gate_bridge.agent.errors import PictureError
from gate_bridge.agent.pictures import FRAMES_PER_S, CarPictures, Picture

CARS_MAX = 1000
_JPEG_QUALITY = 90
_NEARLY_S = 0.001


class VideoSource:
    """Reads a part of a video; ends with it.

    Args:
        from_s: Begin of the part.
        to_s: End of the part; None is the end of the video.
    """

    def __init__(self, path: Path, from_s: float, to_s: float | None) -> None:
        self._path = path
        self._from_s = from_s
        self._number = 0
        self._to_s = to_s
        self._capture: cv2.VideoCapture | None = None

    async def next(self) -> Picture | None:
        """Return the picture that is `1 / FRAMES_PER_S` after the one before."""
        if self._to_s is not None and self._at_s() >= self._to_s - _NEARLY_S:
            return None
        return await asyncio.to_thread(self._read)

    async def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            await asyncio.to_thread(self._capture.release)
            self._capture = None

    def _read(self) -> Picture | None:
        if self._capture is None:
            self._capture = _opened(self._path)
        at_s = self._at_s()
        self._capture.set(cv2.CAP_PROP_POS_MSEC, at_s * 1000)
        read, pixels = self._capture.read()
        if not read:
            return None
        encoded, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not encoded:
            return None
        self._number += 1
        return Picture(f"{self._path.name}@{at_s:.1f}s", "image/jpeg", data.tobytes())

    def _at_s(self) -> float:
        return self._from_s + self._number / FRAMES_PER_S


def cars_in(path: Path, seconds_per_car: float | None) -> list[CarPictures]:
    """Return the cars of a video: one, or one for every `seconds_per_car`.

    Raises:
        PictureError: the file is no video.
    """
    if seconds_per_car is None:
        return [CarPictures(video=path)]
    capture = _opened(path)
    try:
        rate = capture.get(cv2.CAP_PROP_FPS)
        length_s = capture.get(cv2.CAP_PROP_FRAME_COUNT) / rate if rate > 0 else 0.0
    finally:
        capture.release()
    count = min(CARS_MAX, max(1, round(length_s / seconds_per_car)))
    return [
        CarPictures(
            video=path, from_s=number * seconds_per_car, to_s=(number + 1) * seconds_per_car
        )
        for number in range(count)
    ]


def _opened(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        capture.release()
        raise PictureError(f"{path}: expected a video")
    return capture
