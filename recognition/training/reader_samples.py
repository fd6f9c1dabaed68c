"""Training samples of the reader: rectified rows of plates, painted and real."""

from typing import Final

import cv2
import numpy as np

from recognition.alphabet import INDEX, PROVINCES
from recognition.images import Corners, GrayPicture, Picture, as_picture, extent
from recognition.rectify import ROW_HEIGHT_PX, ROW_WIDTH_PX
from recognition.training import camera
from recognition.training.dice import chance, whole
from recognition.training.photographs import Photograph
from recognition.training.plates import random_plate
from recognition.training.texts import PlateText, random_text

# Painted once and then photographed again and again: painting is the slower part.
_RENEWED_EVERY_DRAWS: Final = 3
# A marked box may be a little off, and so are the detector's corners: along the plate more than
# across it. Relative to the plate's height.
_CORNER_NOISE: Final = (0.08, 0.045)


class ReaderSamples:
    """Draws random samples from painted plates and real crops."""

    def __init__(
        self,
        rng: np.random.Generator,
        plates: int,
        photographs: list[Photograph],
        real_share: float,
    ) -> None:
        self._rng = rng
        self._pool = [self._paint() for _ in range(plates)]
        self._draws = 0
        self._real_share = real_share
        self._real: list[tuple[Picture, Corners, str]] = []
        for photograph in photographs:
            legible = [
                (corners, text)
                for corners, text in zip(photograph.plates, photograph.texts, strict=True)
                if text and all(character in INDEX for character in text)
            ]
            if legible:
                picture = photograph.load()
                self._real.extend(_crop(picture, corners, text) for corners, text in legible)
        self._weights = _balanced([text for _, _, text in self._real])

    def draw(self) -> tuple[GrayPicture, str]:
        """Return a gray row for the network and its text."""
        rng = self._rng
        if self._real and chance(rng, self._real_share):
            picture, corners, text = self._real[int(rng.choice(len(self._real), p=self._weights))]
            return self._photographed(picture, corners, real=True), text
        self._draws += 1
        index = int(rng.integers(len(self._pool)))
        if self._draws % _RENEWED_EVERY_DRAWS == 0:
            self._pool[index] = self._paint()
        plate, text = self._pool[index]
        soiled = camera.dirt(rng, plate) if chance(rng, 0.2) else plate
        if chance(rng, 0.3):
            soiled = camera.shadow(rng, soiled)
        picture, corners = _framed(rng, soiled)
        return self._photographed(picture, corners, real=False), text.characters

    def _paint(self) -> tuple[Picture, PlateText]:
        text = random_text(self._rng)
        return random_plate(self._rng, text), text

    def _photographed(self, picture: Picture, corners: Corners, *, real: bool) -> GrayPicture:
        rng = self._rng
        wide, tall = extent(corners)
        noise = rng.normal(0, _CORNER_NOISE, (4, 2)) * tall
        grow = rng.uniform(-0.02, [0.18, 0.09]) * tall
        outward = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        slant = rng.normal(0, 0.05) * tall * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
        aimed = (corners + noise + outward * grow + slant * [0, 1]).astype(np.float32)
        # A far plate has few pixels: reduce first, then enlarge as the pipeline does.
        low = ROW_HEIGHT_PX if real else int(np.clip(rng.triangular(11, 26, 60), 11, 48))
        small = _warped(picture, aimed, max(24, round(low * wide / tall)), low)
        gray = as_picture(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))
        if chance(rng, 0.3 if real else 0.45):
            gray = camera.blur(rng, gray, float(rng.uniform(0.3, 1.2)) * low / 32)
        gray = camera.expose(rng, gray)
        gray = camera.sensor(rng, gray, float(rng.exponential(5)))
        method = cv2.INTER_AREA if low > ROW_HEIGHT_PX else cv2.INTER_LINEAR
        return as_picture(cv2.resize(gray, (ROW_WIDTH_PX, ROW_HEIGHT_PX), interpolation=method))


def _crop(picture: Picture, corners: Corners, text: str) -> tuple[Picture, Corners, str]:
    """Keep the plate and what is around it, so that the whole scene need not stay in memory."""
    wide, tall = extent(corners)
    left, top = np.maximum(corners.min(axis=0) - [wide * 0.2, tall * 0.5], 0).astype(int)
    right, bottom = np.add(corners.max(axis=0), [wide * 0.2, tall * 0.5]).astype(int)
    part = picture[top:bottom, left:right].copy()
    return part, (corners - [left, top]).astype(np.float32), text


def _balanced(texts: list[str]) -> list[float]:
    """Return draw weights: most real pictures come from one province, the others count more."""
    if not texts:
        return []
    heads = [text[0] if text[0] in PROVINCES else "" for text in texts]
    weights = np.array([heads.count(head) ** -0.6 for head in heads])
    return list(weights / weights.sum())


def _framed(rng: np.random.Generator, plate: Picture) -> tuple[Picture, Corners]:
    """Put a bumper around the plate."""
    tall, wide = plate.shape[:2]
    edge = tall // 3
    shade = tuple(int(value) for value in rng.integers(5, 235, 3))
    framed = cv2.copyMakeBorder(plate, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=shade)
    if chance(rng, 0.5):  # a darker or lighter edge below
        y = edge + tall + whole(rng, 0, edge)
        framed[y:] = int(rng.integers(0, 255))
    right, bottom = edge + wide, edge + tall
    corners = [[edge, edge], [right, edge], [right, bottom], [edge, bottom]]
    return as_picture(framed), np.array(corners, dtype=np.float32)


def _warped(picture: Picture, corners: Corners, wide: int, tall: int) -> Picture:
    target = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], dtype=np.float32)
    turn = cv2.getPerspectiveTransform(corners, target)
    factor = extent(corners)[1] / tall
    if factor > 1.3:  # noqa: PLR2004 # against aliasing
        picture = as_picture(cv2.GaussianBlur(picture, (0, 0), 0.34 * factor))
    return as_picture(
        cv2.warpPerspective(picture, turn, (wide, tall), borderMode=cv2.BORDER_REPLICATE)
    )
