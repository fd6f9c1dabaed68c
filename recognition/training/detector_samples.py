"""Training samples of the detector: painted scenes, real pictures, and real ones repainted."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from recognition.images import Corners, Floats, Picture, as_floats, as_picture, extent
from recognition.training import camera
from recognition.training.dice import chance
from recognition.training.photographs import Photograph, is_crop, reduced
from recognition.training.plates import random_plate
from recognition.training.scenes import Scene, random_scene
from recognition.training.texts import random_text

WIDTH_PX: Final = 512
HEIGHT_PX: Final = 288
_CELL_PX: Final = 8
# Share of the samples that are framed as in the closer look, and the plate's width in them.
_CLOSER_SHARE: Final = 0.45
_CLOSER_WIDTH_PX: Final = (105.0, 215.0)
# A plate smaller than this at the network's input is neither asked for nor held against it.
_PLATE_WIDTH_MIN_PX: Final = 14.0
# A painted plate hides the real one with a little to spare.
_COVER: Final = 1.12
# Marked boxes are upright, the plates in them not quite: trust their corners less.
_BOX_TRUST: Final = 0.35


@dataclass(frozen=True)
class Target:
    """What the detector should say about one picture.

    Attributes:
        heat: H/8 x W/8, 1 at a plate's centre and falling around it.
        corners: 8 x H/8 x W/8, pixels relative to the cell's centre.
        weight: H/8 x W/8, how much the corners of a cell count.
    """

    heat: Floats
    corners: Floats
    weight: Floats


class DetectorSamples:
    """Draws random samples from scenes that are painted once and real pictures."""

    def __init__(
        self, rng: np.random.Generator, scenes: list[Scene], photographs: list[Photograph]
    ) -> None:
        self._rng = rng
        self._scenes = scenes
        self._photographs: list[Scene] = []
        for photograph in photographs:
            picture = photograph.load()
            if not is_crop(photograph, picture):
                self._photographs.append(Scene(*reduced(picture, photograph.plates)))

    def draw(self) -> tuple[Picture, Target]:
        """Return a picture for the network and its target."""
        rng = self._rng
        scene, trust = self._scenes[int(rng.integers(len(self._scenes)))], 1.0
        if self._photographs and chance(rng, 0.55):
            scene = self._photographs[int(rng.integers(len(self._photographs)))]
            trust = _BOX_TRUST
            if chance(rng, 0.6):
                scene, trust = repaint_plates(rng, scene), 1.0
        closer = bool(scene.plates) and chance(rng, _CLOSER_SHARE)
        moved = _reframed(rng, scene, closer=closer)
        picture = camera.expose(rng, moved.picture)
        if chance(rng, 0.3):
            picture = camera.shadow(rng, picture)
        if chance(rng, 0.35):
            # A far plate that is enlarged for the closer look is blurred by that.
            strength_px = float(rng.uniform(0.3, 3.0 if closer else 1.3))
            picture = camera.blur(rng, picture, strength_px)
        picture = camera.sensor(rng, picture, float(rng.uniform(0, 9)))
        return picture, target_of(moved.plates, trust)


def paint_scenes(rng: np.random.Generator, count: int) -> list[Scene]:
    """Paint the pool of scenes."""
    return [random_scene(rng, 640, 360) for _ in range(count)]


def repaint_plates(rng: np.random.Generator, scene: Scene) -> Scene:
    """Cover the real plates with painted ones, whose corners are known exactly."""
    picture = scene.picture.copy()
    plates: list[Corners] = []
    for box in scene.plates:
        plate = random_plate(rng, random_text(rng))
        corners = _cover(rng, box, plate.shape[1] / plate.shape[0])
        _paste(rng, picture, plate, corners)
        plates.append(corners)
    return Scene(picture, tuple(plates))


def _cover(rng: np.random.Generator, box: Corners, aspect: float) -> Corners:
    """Return random corners that hide the box."""
    centre = box.mean(axis=0)
    width, height = (side * _COVER for side in extent(box))
    width = max(width, height * aspect)
    height = max(height, width / aspect)
    slant, tilt = rng.normal(0, 0.09, 2)
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * [width, height]
    half[:, 1] += half[:, 0] * slant
    half[:, 0] += half[:, 1] * tilt
    half += rng.normal(0, 0.02 * height, (4, 2))
    return (centre + half).astype(np.float32)


def _paste(rng: np.random.Generator, picture: Picture, plate: Picture, corners: Corners) -> None:
    tall, wide = plate.shape[:2]
    source = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], dtype=np.float32)
    turn = cv2.getPerspectiveTransform(source, corners)
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    region = picture[top:bottom, left:right]
    if region.size == 0:
        return
    brightness = float(region.max(initial=0)) / 255 * rng.uniform(0.7, 1.15)
    lit = np.clip(plate * max(0.2, brightness), 0, 255).astype(np.uint8)
    factor = tall / max(1.0, float(np.linalg.norm(corners[3] - corners[0])))
    if factor > 1.2:  # noqa: PLR2004
        lit = as_picture(cv2.GaussianBlur(lit, (0, 0), 0.36 * factor))
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], dtype=np.float64) @ turn
    size = (region.shape[1], region.shape[0])
    colour = cv2.warpPerspective(lit, shift, size)
    mask = cv2.warpPerspective(np.full((tall, wide), 255, np.uint8), shift, size)
    weight = as_floats(mask.astype(np.float32) / 255).reshape(*region.shape[:2], 1)
    region[:] = (region * (1 - weight) + colour * weight).astype(np.uint8)


def _reframed(rng: np.random.Generator, scene: Scene, *, closer: bool) -> Scene:
    """Cut, scale, turn and sometimes mirror the scene to the network's size.

    Args:
        rng: Where the choices come from.
        scene: The whole picture.
        closer: Frame one plate as the detector's closer look does.
    """
    height_px, width_px = scene.picture.shape[:2]
    fit = min(WIDTH_PX / width_px, HEIGHT_PX / height_px)
    scale = fit * math.exp(rng.uniform(math.log(0.75), math.log(2.2)))
    focus = np.array([width_px, height_px]) / 2
    spot = rng.uniform(0.2, 0.8, 2)
    if scene.plates and (closer or scale > fit):
        plate = scene.plates[int(rng.integers(len(scene.plates)))]
        focus = plate.mean(axis=0)
        if closer:
            scale = rng.uniform(*_CLOSER_WIDTH_PX) / extent(plate)[0]
            spot = rng.uniform(0.42, 0.58, 2)
    angle = rng.normal(0, 3.5)
    turn = cv2.getRotationMatrix2D((float(focus[0]), float(focus[1])), angle, scale)
    turn[0] *= rng.uniform(0.85, 1.15)
    if chance(rng, 0.25):
        turn[0] *= -1
    aim = turn @ [*focus, 1]
    turn[:, 2] += spot * [WIDTH_PX, HEIGHT_PX] - aim
    fill = tuple(int(value) for value in rng.integers(0, 130, 3))
    flags = cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR  # noqa: PLR2004
    picture = cv2.warpAffine(
        scene.picture, turn, (WIDTH_PX, HEIGHT_PX), flags=flags, borderValue=fill
    )
    moved = (corners @ turn[:, :2].T + turn[:, 2] for corners in scene.plates)
    plates = tuple(_in_reading_order(corners.astype(np.float32)) for corners in moved)
    return Scene(as_picture(picture), plates)


def _in_reading_order(corners: Corners) -> Corners:
    if corners[0, 0] < corners[1, 0]:
        return corners
    return corners[[1, 0, 3, 2]]


def target_of(plates: tuple[Corners, ...], trust: float) -> Target:
    """Draw the target maps.

    The heat falls with a Gaussian whose width follows the plate's size (Zhou et al., "Objects as
    Points", 2019).
    """
    rows, columns = HEIGHT_PX // _CELL_PX, WIDTH_PX // _CELL_PX
    heat = np.zeros((rows, columns), dtype=np.float32)
    offsets = np.zeros((8, rows, columns), dtype=np.float32)
    weight = np.zeros((rows, columns), dtype=np.float32)
    ys, xs = np.mgrid[0:rows, 0:columns].astype(np.float32)
    for corners in sorted(plates, key=lambda plate: extent(plate)[0]):
        centre = corners.mean(axis=0) / _CELL_PX - 0.5
        column, row = round(float(centre[0])), round(float(centre[1]))
        width, height = extent(corners)
        if not (0 <= column < columns and 0 <= row < rows) or width < _PLATE_WIDTH_MIN_PX:
            continue
        sigma_x = max(0.6, width / _CELL_PX * 0.11)
        sigma_y = max(0.6, height / _CELL_PX * 0.16)
        bump = np.exp(-((xs - column) ** 2) / (2 * sigma_x**2) - (ys - row) ** 2 / (2 * sigma_y**2))
        heat = np.maximum(heat, bump)
        near = bump > 0.3  # noqa: PLR2004 # neighbours learn the corners too: the peak may be off
        for index, value in enumerate(corners.reshape(-1)):
            cells = (xs if index % 2 == 0 else ys)[near]
            offsets[index][near] = value - (cells + 0.5) * _CELL_PX
        # Relative to the plate's height: one pixel matters more on a small plate.
        weight[near] = bump[near] * trust / max(6.0, float(height))
    return Target(heat.astype(np.float32), offsets, weight)
