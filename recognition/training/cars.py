"""Paints the front or the rear of a car, with a plate, as a flat picture with transparency."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from recognition.images import Corners, GrayPicture, Picture, as_picture
from recognition.training.dice import chance
from recognition.training.glyphs import latin_typefaces

# The car is painted this wide and scaled down afterwards, so that its edges are smooth.
CAR_WIDTH_PX: Final = 840
CAR_HEIGHT_PX: Final = 690
Colour = tuple[int, int, int]
_COLOURS: Final[tuple[Colour, ...]] = (
    (225, 225, 225),
    (190, 192, 195),
    (120, 122, 125),
    (60, 60, 62),
    (28, 28, 30),
    (40, 35, 150),
    (130, 70, 30),
    (90, 110, 60),
    (30, 90, 140),
    (160, 140, 110),
    (40, 160, 200),
    (150, 40, 20),
)


@dataclass(frozen=True)
class Car:
    """A painted car.

    Attributes:
        picture: Its colours.
        alpha: 255 where there is car.
        plate: Where the plate's corners are, in pixels of the picture.
        lamps: Centres of the two lamps, in pixels of the picture.
        rear: Whether one sees it from behind.
    """

    picture: Picture
    alpha: GrayPicture
    plate: Corners
    lamps: tuple[tuple[int, int], tuple[int, int]]
    rear: bool


@dataclass(frozen=True)
class CarShape:
    """The choices that make one car; the same shape gives the same car again."""

    colour: Colour
    rear: bool
    roof: float
    lamp: tuple[float, float]
    grille: float
    plate_top: float
    plate_width: float
    badge: str


def random_car_shape(rng: np.random.Generator) -> CarShape:
    """Choose a car."""
    letters = rng.choice(list("ABCDEGHIKLMNORSTUVX"), int(rng.integers(3, 7)))
    return CarShape(
        colour=_COLOURS[int(rng.integers(len(_COLOURS)))],
        rear=chance(rng, 0.5),
        roof=float(rng.uniform(0.14, 0.24)),
        lamp=(float(rng.uniform(0.12, 0.2)), float(rng.uniform(0.06, 0.13))),
        grille=float(rng.uniform(0.3, 0.55)),
        plate_top=float(rng.uniform(0.6, 0.78)),
        plate_width=float(rng.uniform(0.24, 0.32)),
        badge="".join(letters),
    )


def paint_car(shape: CarShape, plate: Picture | None) -> Car:
    """Paint the car; without a plate its holder stays empty."""
    picture = np.zeros((CAR_HEIGHT_PX, CAR_WIDTH_PX, 3), dtype=np.uint8)
    alpha = np.zeros((CAR_HEIGHT_PX, CAR_WIDTH_PX), dtype=np.uint8)
    _paint_wheels(picture, alpha)
    _paint_body(picture, alpha, shape)
    _paint_window(picture, shape)
    lamps = _paint_lamps(picture, shape)
    _paint_trim(picture, shape)
    corners = _mount_plate(picture, plate, shape)
    return Car(picture, alpha, corners, lamps, shape.rear)


def _polygon(points: list[tuple[float, float]]) -> np.ndarray:
    scale = np.array([CAR_WIDTH_PX, CAR_HEIGHT_PX])
    return np.round(np.array(points) * scale).astype(np.int32)


def _fill(picture: Picture, points: list[tuple[float, float]], colour: Colour) -> None:
    cv2.fillPoly(picture, [_polygon(points)], colour, cv2.LINE_AA)


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (int(min(255, value * factor + 4)) for value in colour)
    return blue, green, red


def _box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _paint_wheels(picture: Picture, alpha: GrayPicture) -> None:
    for left in (0.07, 0.79):
        tyre = _polygon(_box(left, 0.8, left + 0.14, 0.99))
        cv2.fillPoly(picture, [tyre], (22, 22, 22), cv2.LINE_AA)
        cv2.fillPoly(alpha, [tyre], 255)


def _paint_body(picture: Picture, alpha: GrayPicture, shape: CarShape) -> None:
    roof = shape.roof
    outline = [
        (0.03, 0.52),
        (0.08, 0.4),
        (0.14, 0.37),
        (roof, 0.03),
        (0.3, 0.01),
        (0.7, 0.01),
        (1 - roof, 0.03),
        (0.86, 0.37),
        (0.92, 0.4),
        (0.97, 0.52),
        (0.975, 0.85),
        (0.94, 0.92),
        (0.06, 0.92),
        (0.025, 0.85),
    ]
    cv2.fillPoly(picture, [_polygon(outline)], shape.colour, cv2.LINE_AA)
    cv2.fillPoly(alpha, [_polygon(outline)], 255)
    rows = np.linspace(1.12, 0.72, CAR_HEIGHT_PX, dtype=np.float32)[:, None, None]
    painted = np.clip(picture * rows, 0, 255).astype(np.uint8)
    picture[:] = np.where(alpha[:, :, None] > 0, painted, picture)
    _fill(picture, _box(0.03, 0.74, 0.97, 0.755), _shade(shape.colour, 0.55))
    _fill(picture, _box(0.08, 0.87, 0.92, 0.92), (30, 30, 30))


def _paint_window(picture: Picture, shape: CarShape) -> None:
    roof = shape.roof + 0.035
    glass = [(0.19, 0.35), (roof, 0.06), (1 - roof, 0.06), (0.81, 0.35)]
    _fill(picture, glass, (52, 46, 40))
    _fill(
        picture, [(0.3, 0.33), (roof + 0.1, 0.08), (roof + 0.2, 0.08), (0.42, 0.33)], (88, 80, 72)
    )
    _fill(picture, _box(0.14, 0.375, 0.86, 0.385), _shade(shape.colour, 0.5))


def _paint_lamps(picture: Picture, shape: CarShape) -> tuple[tuple[int, int], tuple[int, int]]:
    wide, tall = shape.lamp
    glass = (40, 30, 190) if shape.rear else (235, 235, 225)
    centres: list[tuple[int, int]] = []
    for left in (0.06, 0.94 - wide):
        _fill(picture, _box(left, 0.45, left + wide, 0.45 + tall), _shade(glass, 0.5))
        _fill(picture, _box(left + 0.012, 0.46, left + wide - 0.012, 0.44 + tall), glass)
        centre = (left + wide / 2, 0.45 + tall / 2)
        centres.append((round(centre[0] * CAR_WIDTH_PX), round(centre[1] * CAR_HEIGHT_PX)))
    return centres[0], centres[1]


def _paint_trim(picture: Picture, shape: CarShape) -> None:
    left, right = 0.5 - shape.grille / 2, 0.5 + shape.grille / 2
    if not shape.rear:
        _fill(picture, _box(left, 0.45, right, 0.57), (34, 34, 34))
        for level in np.arange(0.465, 0.57, 0.022):
            _fill(picture, _box(left, level, right, level + 0.006), (120, 120, 120))
    centre = (CAR_WIDTH_PX // 2, round(CAR_HEIGHT_PX * 0.5))
    cv2.circle(picture, centre, 25, (170, 170, 170), 6, cv2.LINE_AA)
    if shape.rear:
        _paint_badge(picture, shape)


def _paint_badge(picture: Picture, shape: CarShape) -> None:
    """Letters beside the plate: the detector must learn that they are none."""
    masks = [latin_typefaces()[0].masks[letter] for letter in shape.badge]
    mask = as_picture(
        cv2.resize(np.hstack(masks), None, fx=0.42, fy=0.42, interpolation=cv2.INTER_AREA)
    )
    top, left = round(CAR_HEIGHT_PX * 0.58), round(CAR_WIDTH_PX * 0.64)
    region = picture[top : top + mask.shape[0], left : left + mask.shape[1]]
    alpha = mask[:, : region.shape[1], None].astype(np.float32) / 255
    region[:] = (region * (1 - alpha) + 190 * alpha).astype(np.uint8)


def _mount_plate(picture: Picture, plate: Picture | None, shape: CarShape) -> Corners:
    width_px = round(shape.plate_width * CAR_WIDTH_PX)
    aspect = 4.6 if plate is None else plate.shape[1] / plate.shape[0]
    if aspect < 2.4:  # noqa: PLR2004 # American and two-row plates are narrower
        width_px = round(width_px * 0.75)
    height_px = round(width_px / aspect)
    left = (CAR_WIDTH_PX - width_px) // 2
    top = round(shape.plate_top * CAR_HEIGHT_PX)
    frame = 5
    cv2.rectangle(
        picture,
        (left - frame, top - frame),
        (left + width_px + frame, top + height_px + frame),
        (25, 25, 25),
        -1,
    )
    if plate is not None:
        small = cv2.resize(plate, (width_px, height_px), interpolation=cv2.INTER_AREA)
        picture[top : top + height_px, left : left + width_px] = small
    right, bottom = left + width_px, top + height_px
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float32)
