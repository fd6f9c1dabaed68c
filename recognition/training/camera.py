"""What a camera, the light and the weather do to a picture."""

from typing import Final

import cv2
import numpy as np

from recognition.images import Corners, Picture, as_picture
from recognition.training.dice import chance, whole


def at_night(
    rng: np.random.Generator,
    picture: Picture,
    lamps: list[tuple[float, float]],
    reach_px: float,
    plates: tuple[Corners, ...],
) -> Picture:
    """Darken the picture, let the lamps glow and the plates throw light back."""
    reflection = np.full(picture.shape[:2], rng.uniform(0.16, 0.42), dtype=np.float32)
    for corners in plates:
        inside = np.round(corners).astype(np.int32)
        cv2.fillPoly(reflection, [inside], float(rng.uniform(0.3, 0.9)))
    dark = picture.astype(np.float32) * reflection[:, :, None]
    dark *= np.array([1.0, 0.94, rng.uniform(0.85, 1.15)], dtype=np.float32)
    glow = np.zeros(picture.shape[:2], dtype=np.float32)
    for x, y in lamps:
        cv2.circle(glow, (round(x), round(y)), max(2, round(reach_px * 0.28)), 1.0, -1)
    halo = cv2.GaussianBlur(glow, (0, 0), max(1.0, reach_px * 0.5)) * 1.4
    core = cv2.GaussianBlur(glow, (0, 0), max(0.8, reach_px * 0.12))
    tint = np.array([205, 225, 250], dtype=np.float32)
    light = (halo * rng.uniform(0.2, 0.6) + core)[:, :, None] * tint
    return np.clip(dark + light, 0, 255).astype(np.uint8)


def shadow(rng: np.random.Generator, picture: Picture) -> Picture:
    """Let a straight shadow fall over a part of the picture."""
    height_px, width_px = picture.shape[:2]
    mask = np.ones((height_px, width_px), dtype=np.float32)
    xs = rng.uniform(-0.3, 1.3, 4) * width_px
    ys = np.array([0, 0, height_px, height_px])
    points = np.round(np.stack([xs, ys], axis=1)).astype(np.int32)
    cv2.fillPoly(mask, [points], float(rng.uniform(0.35, 0.8)))
    blurred = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.5, 4)))
    return (picture * blurred.reshape(height_px, width_px, 1)).astype(np.uint8)


_DIRT_SPOTS_MAX: Final = 6


def dirt(rng: np.random.Generator, picture: Picture) -> Picture:
    """Throw spots and streaks on the picture."""
    soiled = picture.copy()
    height_px, width_px = picture.shape[:2]
    for _ in range(int(rng.integers(1, _DIRT_SPOTS_MAX))):
        x, y = whole(rng, 0, width_px), whole(rng, 0, height_px)
        colour = tuple(int(value) for value in rng.integers(20, 200, 3))
        if chance(rng, 0.6):
            cv2.circle(soiled, (x, y), int(rng.integers(1, max(2, height_px // 9))), colour, -1)
        else:
            end = (x + whole(rng, -6, 7), whole(rng, 0, height_px))
            cv2.line(soiled, (x, y), end, colour, 1, cv2.LINE_AA)
    return as_picture(cv2.addWeighted(soiled, 0.8, picture, 0.2, 0))


def expose(rng: np.random.Generator, picture: Picture) -> Picture:
    """Change contrast, brightness, colour balance and gamma."""
    values = picture.astype(np.float32)
    mean = float(values.mean())
    values = (values - mean) * rng.uniform(0.45, 1.3) + mean + rng.uniform(-35, 40)
    if values.ndim == 3:  # noqa: PLR2004 # colour
        values *= rng.uniform(0.8, 1.2, 3).astype(np.float32)
    if chance(rng, 0.25):
        values = np.clip(values, 0, 255) / 255
        values = values ** rng.uniform(0.5, 2.0) * 255
    return np.clip(values, 0, 255).astype(np.uint8)


def blur(rng: np.random.Generator, picture: Picture, strength_px: float) -> Picture:
    """Blur by focus or by movement; the strength is about the radius."""
    if chance(rng, 0.6):  # out of focus
        return as_picture(cv2.GaussianBlur(picture, (0, 0), max(0.2, strength_px)))
    size = max(2, round(strength_px * 2.5))
    kernel = np.zeros((size, size), dtype=np.float32)
    if chance(rng, 0.7):  # along the lane or across it
        kernel[size // 2] = 1 / size
    else:
        np.fill_diagonal(kernel, 1 / size)
    return as_picture(cv2.filter2D(picture, -1, kernel))


def sensor(rng: np.random.Generator, picture: Picture, noise: float) -> Picture:
    """Add noise, then compress as a camera does."""
    noisy = picture.astype(np.float32)
    # One draw in eight rows is enough variety and eight times as fast.
    grain = rng.standard_normal((max(1, picture.shape[0] // 8), *picture.shape[1:]), np.float32)
    repeats = picture.shape[0] // grain.shape[0] + 1
    full = np.concatenate([np.roll(grain, 7 * turn, axis=1) for turn in range(repeats)])
    noisy += full[: picture.shape[0]] * noise
    clipped = np.clip(noisy, 0, 255).astype(np.uint8)
    if chance(rng, 0.5):
        return clipped
    flag = cv2.IMREAD_COLOR if picture.ndim == 3 else cv2.IMREAD_GRAYSCALE  # noqa: PLR2004
    quality = int(rng.integers(20, 92))
    encoded = cv2.imencode(".jpg", clipped, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return as_picture(cv2.imdecode(encoded, flag))
