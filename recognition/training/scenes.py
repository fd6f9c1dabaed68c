"""Paints camera scenes: a lane, a garage or a street with a car in it."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from recognition.images import Corners, Picture, as_floats, as_picture
from recognition.training import camera
from recognition.training.cars import (
    CAR_HEIGHT_PX,
    CAR_WIDTH_PX,
    Car,
    CarShape,
    paint_car,
    random_car_shape,
)
from recognition.training.dice import chance, whole
from recognition.training.glyphs import latin_typefaces
from recognition.training.plates import random_plate
from recognition.training.texts import random_text


@dataclass(frozen=True)
class Scene:
    """A picture and the corners of every plate on it."""

    picture: Picture
    plates: tuple[Corners, ...]


@dataclass(frozen=True)
class Pose:
    """Where the car stands: centre and width relative to the picture, and how it is turned.

    Attributes:
        yaw: The right edge's height over the left edge's, less 1.
        pitch: The upper edge's width over the lower edge's, less 1.
        roll: Radians.
    """

    x: float
    y: float
    width: float
    yaw: float = 0
    pitch: float = 0
    roll: float = 0


_SKIES: Final = ((235, 210, 170), (200, 200, 200), (120, 150, 200), (90, 70, 60), (245, 235, 225))


def random_pose(rng: np.random.Generator) -> Pose:
    """Choose where the car stands; near the camera more often than far away."""
    return Pose(
        x=float(rng.uniform(0.25, 0.75)),
        y=float(rng.uniform(0.42, 0.68)),
        width=float(rng.triangular(0.14, 0.4, 0.8)),
        yaw=float(rng.normal(0, 0.12)),
        pitch=float(rng.normal(-0.04, 0.06)),
        roll=float(rng.normal(0, 0.04)),
    )


def random_scene(rng: np.random.Generator, width_px: int, height_px: int) -> Scene:
    """Paint a scene with up to three cars, far ones first."""
    scene = Scene(background(rng, width_px, height_px), ())
    lamps: list[tuple[float, float]] = []
    reach_px = 4.0
    poses = sorted(
        (random_pose(rng) for _ in range(int(rng.choice([1, 1, 1, 2, 2, 3])))),
        key=lambda pose: pose.width,
    )
    for pose in poses:
        bare = chance(rng, 0.08)  # some cars have no plate in view
        plate = None if bare else random_plate(rng, random_text(rng))
        scene, glowing = add_car(scene, random_car_shape(rng), plate, pose)
        lamps.extend(glowing)
        reach_px = pose.width * width_px * 0.08
    picture = scene.picture
    if chance(rng, 0.3):
        picture = camera.at_night(rng, picture, lamps, reach_px, scene.plates)
    return replace(scene, picture=picture)


def add_car(
    scene: Scene, shape: CarShape, plate: Picture | None, pose: Pose
) -> tuple[Scene, list[tuple[float, float]]]:
    """Put a car into the scene; also return where its lamps are."""
    car = paint_car(shape, plate)
    turn = _homography(scene.picture, pose)
    picture = _overlay(scene.picture, car, turn, pose)
    corners = _moved(car.plate, turn)
    lamps = _moved(np.array(car.lamps, dtype=np.float32), turn)
    # A nearer car hides the plates behind it.
    hull = _moved(
        np.array(
            [[0, 0], [CAR_WIDTH_PX, 0], [CAR_WIDTH_PX, CAR_HEIGHT_PX], [0, CAR_HEIGHT_PX]],
            dtype=np.float32,
        ),
        turn,
    )
    seen = [
        old
        for old in scene.plates
        if all(
            cv2.pointPolygonTest(hull, (float(x), float(y)), measureDist=False) < 0 for x, y in old
        )
    ]
    plates = seen if plate is None else [*seen, corners]
    return Scene(picture, tuple(plates)), [(float(x), float(y)) for x, y in lamps]


def _homography(picture: Picture, pose: Pose) -> np.ndarray:
    height_px, width_px = picture.shape[:2]
    wide = pose.width * width_px
    tall = wide * CAR_HEIGHT_PX / CAR_WIDTH_PX
    left, right = 1 - pose.yaw / 2, 1 + pose.yaw / 2
    top = 1 + pose.pitch
    target = (
        np.array(
            [
                [-top * wide, -left * tall],
                [top * wide, -right * tall],
                [wide, right * tall],
                [-wide, left * tall],
            ]
        )
        / 2
    )
    cosine, sine = np.cos(pose.roll), np.sin(pose.roll)
    target = target @ np.array([[cosine, sine], [-sine, cosine]])
    target += [pose.x * width_px, pose.y * height_px]
    source = np.array(
        [[0, 0], [CAR_WIDTH_PX, 0], [CAR_WIDTH_PX, CAR_HEIGHT_PX], [0, CAR_HEIGHT_PX]],
        dtype=np.float32,
    )
    return cv2.getPerspectiveTransform(source, target.astype(np.float32))


def _moved(points: np.ndarray, turn: np.ndarray) -> Corners:
    moved = cv2.perspectiveTransform(points[None].astype(np.float32), turn)
    return as_floats(moved)[0]


def _overlay(picture: Picture, car: Car, turn: np.ndarray, pose: Pose) -> Picture:
    height_px, width_px = picture.shape[:2]
    size = (width_px, height_px)
    # Blurred by the reduction's factor first: warping alone would let fine strokes flicker.
    factor = CAR_WIDTH_PX / (pose.width * width_px)
    source, alpha = car.picture, car.alpha
    if factor > 1.2:  # noqa: PLR2004
        source = as_picture(cv2.GaussianBlur(source, (0, 0), 0.36 * factor))
        alpha = as_picture(cv2.GaussianBlur(alpha, (0, 0), 0.36 * factor))
    colour = cv2.warpPerspective(source, turn, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(alpha, turn, size, flags=cv2.INTER_LINEAR)
    weight = (mask.astype(np.float32) / 255).reshape(height_px, width_px, 1)
    ground = _ground_shadow(picture, pose)
    return (ground * (1 - weight) + colour * weight).astype(np.uint8)


def _ground_shadow(picture: Picture, pose: Pose) -> Picture:
    height_px, width_px = picture.shape[:2]
    wide = pose.width * width_px
    mask = np.ones((height_px, width_px), dtype=np.float32)
    centre = (round(pose.x * width_px), round(pose.y * height_px + wide * 0.41))
    cv2.ellipse(mask, centre, (round(wide * 0.55), max(1, round(wide * 0.07))), 0, 0, 360, 0.35, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.5, wide * 0.02))
    return (picture * soft.reshape(height_px, width_px, 1)).astype(np.uint8)


def background(rng: np.random.Generator, width_px: int, height_px: int) -> Picture:
    """Paint sky or wall, ground, marks and things that are no plates."""
    picture = np.empty((height_px, width_px, 3), dtype=np.uint8)
    horizon = int(height_px * rng.uniform(0.2, 0.5))
    picture[:] = _SKIES[int(rng.integers(len(_SKIES)))]
    gray = int(rng.integers(60, 170))
    picture[horizon:] = np.clip(gray + rng.integers(-8, 9, 3), 0, 255)
    for _ in range(int(rng.integers(2, 9))):
        _add_building(rng, picture, horizon)
    _add_lane(rng, picture, horizon)
    for _ in range(int(rng.integers(0, 5))):
        _add_sign(rng, picture)
    grain = rng.normal(0, 5, (height_px // 4, width_px // 4, 1)).astype(np.float32)
    rough = cv2.resize(grain, (width_px, height_px)).reshape(height_px, width_px, 1)
    return np.clip(picture + rough, 0, 255).astype(np.uint8)


def _add_building(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height_px, width_px = picture.shape[:2]
    left = int(rng.uniform(-0.1, 0.95) * width_px)
    right = left + int(rng.uniform(0.05, 0.4) * width_px)
    top = int(rng.uniform(0, 0.9) * horizon)
    bottom = horizon + int(rng.uniform(0, 0.08) * height_px)
    wall = tuple(int(value) for value in rng.integers(50, 210, 3))
    cv2.rectangle(picture, (left, top), (right, bottom), wall, -1)
    pane = tuple(int(value * 0.6) for value in wall)
    step = max(6, int(rng.uniform(0.02, 0.06) * width_px))
    for x in range(left + step // 2, right - step // 2, step):
        for y in range(top + step // 2, bottom - step // 2, step):
            cv2.rectangle(picture, (x, y), (x + step // 2, y + step // 2), pane, -1)


def _add_lane(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height_px, width_px = picture.shape[:2]
    far = width_px * rng.uniform(0.35, 0.65)
    white = int(rng.integers(170, 245))
    for near in rng.uniform(-0.3, 1.3, int(rng.integers(1, 4))) * width_px:
        wide = width_px * 0.012
        points = np.array(
            [[far, horizon], [far + 1, horizon], [near + wide, height_px], [near - wide, height_px]]
        ).astype(np.int32)
        colour = (white, white, white) if chance(rng, 0.6) else (60, 190, 225)
        cv2.fillPoly(picture, [points], colour, cv2.LINE_AA)
    if chance(rng, 0.4):  # a barrier post with stripes
        x = int(rng.choice([0.04, 0.9]) * width_px)
        stripe = max(4, height_px // 24)
        for index, y in enumerate(range(height_px // 3, height_px * 4 // 5, stripe)):
            colour = (30, 190, 235) if index % 2 else (25, 25, 25)
            cv2.rectangle(picture, (x, y), (x + width_px // 28, y + stripe), colour, -1)


def _add_sign(rng: np.random.Generator, picture: Picture) -> None:
    """A sign with writing: similar to a plate, but it is none."""
    height_px, width_px = picture.shape[:2]
    face = latin_typefaces()[int(rng.integers(len(latin_typefaces())))]
    words = rng.choice(list("ABCDEFGHIKLMNOPRSTU0123456789"), int(rng.integers(2, 12)))
    ink = np.hstack([face.masks[str(letter)] for letter in words])
    tall = int(rng.uniform(0.015, 0.06) * height_px) + 4
    wide = max(8, min(ink.shape[1] * tall // ink.shape[0], width_px // 2))
    mask = as_picture(cv2.resize(ink, (wide, tall), interpolation=cv2.INTER_AREA))
    left = whole(rng, 0, width_px - wide)
    top = int(rng.integers(0, int(height_px * 0.45)))
    board = np.array(rng.integers(20, 240, 3), dtype=np.float32)
    letters = np.array(rng.integers(20, 250, 3), dtype=np.float32)
    region = picture[top : top + tall, left : left + wide]
    weight = mask[: region.shape[0], : region.shape[1], None].astype(np.float32) / 255
    under = board if chance(rng, 0.7) else region  # some letters without a board
    region[:] = (under * (1 - weight) + letters * weight).astype(np.uint8)
