"""From the bytes of a picture to what stands on its plate."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import cv2

from parking.plates.reads import PlateRead
from recognition.decode import decode_picture
from recognition.detect import Detection, Detector
from recognition.images import Picture, corners_of_box
from recognition.inference import Network
from recognition.models import ModelSet, load_models
from recognition.read import Reader

# The lane's car is near: further plates in the picture are tried only up to this many.
PLATES_READ_MAX: Final = 3
# Less certain than this, it is a grille or a sign, or a plate that nobody could read.
READ_CONFIDENCE_MIN: Final = 0.1


@dataclass(frozen=True)
class ReadPlate:
    """A plate in a picture and what it says."""

    detection: Detection
    read: PlateRead


@dataclass(frozen=True)
class Recognition:
    """What one picture showed.

    Attributes:
        plates: Every legible plate, the lane's first: surer and nearer before far and faint.
        detections: Every plate that was found, legible or not.
        timings_ms: By step: `decode`, `detect`, `read`.
    """

    plates: tuple[ReadPlate, ...]
    detections: tuple[Detection, ...]
    timings_ms: dict[str, float]

    @property
    def read(self) -> PlateRead | None:
        """The read of the lane's plate."""
        return self.plates[0].read if self.plates else None


class Recognizer:
    """Detector and reader together; not to be used by two threads at once."""

    def __init__(self, detector: Detector, reader: Reader, name: str) -> None:
        self._detector, self._reader = detector, reader
        self.name = name

    @classmethod
    def load(cls, models: ModelSet | None = None, *, threads: int = 1) -> "Recognizer":
        """Load the networks that models.toml names.

        Raises:
            ModelError: a file is missing or damaged.
        """
        # Of the whole process: OpenCV would otherwise take every core for each small resize.
        cv2.setNumThreads(threads)
        chosen = models or load_models()
        detector = Detector(Network(chosen.detector_file, threads=threads), chosen.detector)
        reader = Reader(Network(chosen.reader_file, threads=threads))
        return cls(detector, reader, chosen.name)

    def recognize(self, data: bytes) -> Recognition:
        """Read the plates on an encoded picture.

        Raises:
            PictureError: the bytes are not a picture that can be read.
        """
        timings_ms: dict[str, float] = {}
        with _timed(timings_ms, "decode"):
            picture = decode_picture(data)
        return self._recognize(picture, timings_ms)

    def recognize_crop(self, data: bytes) -> Recognition:
        """Read an encoded picture that is itself one plate, without looking for it.

        Raises:
            PictureError: the bytes are not a picture that can be read.
        """
        timings_ms: dict[str, float] = {}
        with _timed(timings_ms, "decode"):
            picture = decode_picture(data)
        tall, wide = picture.shape[:2]
        whole = Detection(corners_of_box(0, 0, wide, tall), 1.0)
        return self._read(picture, [whole], timings_ms)

    def recognize_picture(self, picture: Picture) -> Recognition:
        """Read the plates on a decoded picture, such as a frame of a video."""
        return self._recognize(picture, {})

    def _recognize(self, picture: Picture, timings_ms: dict[str, float]) -> Recognition:
        with _timed(timings_ms, "detect"):
            found = self._detector.detect(picture)
        return self._read(picture, found, timings_ms)

    def _read(
        self, picture: Picture, found: list[Detection], timings_ms: dict[str, float]
    ) -> Recognition:
        with _timed(timings_ms, "read"):
            plates = [
                ReadPlate(detection, read)
                for detection in found[:PLATES_READ_MAX]
                if (read := self._reader.read(picture, detection.corners)) is not None
                and read.confidence >= READ_CONFIDENCE_MIN
            ]
        plates.sort(key=lambda each: -each.detection.nearness * each.read.confidence)
        return Recognition(tuple(plates), tuple(found), timings_ms)


@contextmanager
def _timed(timings_ms: dict[str, float], step: str) -> Generator[None]:
    began = perf_counter()
    yield
    timings_ms[step] = round((perf_counter() - began) * 1000, 3)
