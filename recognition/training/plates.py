"""Paints number plates, flat and from the front."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from recognition.alphabet import PROVINCES, SUFFIXES
from recognition.images import GrayPicture, Picture, as_picture
from recognition.training.dice import chance
from recognition.training.glyphs import GLYPH_HEIGHT_PX, Typeface, han_typefaces, latin_typefaces
from recognition.training.texts import PlateText, pick

_HAN: Final = frozenset(PROVINCES + SUFFIXES)
_LETTER_SPACE: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ "


@dataclass(frozen=True)
class Paint:
    """Background and ink, blue-green-red."""

    background: tuple[int, int, int]
    ink: tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """Proportions of one style of plate, relative to the plate's height.

    Attributes:
        aspect: Width of the plate.
        cap: Height of the characters.
        cell: Width of one character, or None where each keeps the typeface's own width.
        strip: Width of the coloured strip on the left.
        captions: Whether small print runs above and below the number.
    """

    aspect: float
    cap: float
    cell: float | None
    strip: float
    captions: bool


@dataclass(frozen=True)
class Look:
    """Every choice that makes two plates with one text differ."""

    latin: Typeface
    han: Typeface
    paint: Paint
    layout: Layout
    break_mark: str
    ornaments: bool


_LAYOUTS: Final[dict[str, Layout]] = {
    "cn-blue": Layout(440 / 140, 90 / 140, 45 / 140, 0, captions=False),
    "cn-yellow": Layout(440 / 140, 90 / 140, 45 / 140, 0, captions=False),
    "cn-green": Layout(480 / 140, 90 / 140, 43 / 140, 0, captions=False),
    "eu": Layout(520 / 112, 0.70, None, 0.38, captions=False),
    "gb": Layout(520 / 111, 0.71, 0.44, 0.0, captions=False),
    "us": Layout(2.0, 0.44, None, 0, captions=True),
    "br": Layout(400 / 130, 0.5, None, 0, captions=True),
    "ar": Layout(2.95, 0.5, None, 0, captions=True),
    "vn": Layout(470 / 110, 0.73, None, 0, captions=False),
    "row": Layout(2.8, 0.72, None, 0, captions=False),
    "any": Layout(4.2, 0.66, None, 0, captions=False),
}


def random_plate(rng: np.random.Generator, text: PlateText, height_px: int = 72) -> Picture:
    """Paint a plate with a random look."""
    return paint_plate(rng, text, random_look(rng, text.style), height_px)


def random_look(rng: np.random.Generator, style: str) -> Look:
    """Choose typefaces, colours and proportions for a style."""
    latin, han = latin_typefaces(), han_typefaces()
    plain = _LAYOUTS[style]
    layout = Layout(
        plain.aspect * rng.uniform(0.92, 1.08),
        plain.cap * rng.uniform(0.9, 1.08),
        plain.cell if chance(rng, 0.9) else None,  # a few proportional ones
        plain.strip if chance(rng, 0.7) else 0,  # and some without the strip
        captions=plain.captions,
    )
    return Look(
        latin[int(rng.integers(len(latin)))],
        han[int(rng.integers(len(han)))],
        _random_paint(rng, style),
        layout,
        str(rng.choice(["gap", "dash", "dot", "seal", "none"], p=[0.5, 0.18, 0.08, 0.16, 0.08])),
        ornaments=chance(rng, 0.6),
    )


def _shade(rng: np.random.Generator, low: Sequence[int], high: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(value) for value in rng.integers(low, np.array(high) + 1))


def _random_paint(rng: np.random.Generator, style: str) -> Paint:
    dark, light = _shade(rng, (0, 0, 0), (60, 50, 50)), _shade(rng, (205,) * 3, (255,) * 3)
    blue = _shade(rng, (110, 25, 0), (230, 110, 60))
    yellow = _shade(rng, (0, 150, 190), (70, 215, 255))
    green = _shade(rng, (110, 190, 60), (190, 240, 150))
    match style:
        case "cn-blue":
            chosen = (blue, light)
        case "cn-yellow":
            chosen = (yellow, dark)
        case "cn-green":
            chosen = (green, dark)
        case "gb":
            chosen = (yellow if chance(rng, 0.5) else light, dark)  # rear, front
        case "ar":
            # Until 2016 white on black, since then the Mercosur plate.
            chosen = (light, dark) if chance(rng, 0.6) else (dark, light)
        case "us" | "br" | "any" | "row":
            ink = _shade(rng, (0, 0, 0), (140, 90, 160))
            pairs = [
                (light, ink),
                (_shade(rng, (150,) * 3, (250,) * 3), ink),
                (yellow, dark),
                (dark, light),
                (blue, light),
                (light, dark),
            ]
            chosen = pairs[int(rng.integers(len(pairs)))]
        case _:
            pairs = [(light, dark)] * 8 + [(yellow, dark), (dark, light)]
            chosen = pairs[int(rng.integers(len(pairs)))]
    (b0, g0, r0), (b1, g1, r1) = chosen
    return Paint((b0, g0, r0), (b1, g1, r1))


def paint_plate(rng: np.random.Generator, text: PlateText, look: Look, height_px: int) -> Picture:
    """Paint the text in the look; the result has the plate's proportions."""
    layout = look.layout
    width_px = round(height_px * layout.aspect)
    plate = np.empty((height_px, width_px, 3), dtype=np.uint8)
    plate[:] = look.paint.background
    if text.style == "cn-green":
        _fade_to_white(plate)
    strip_px = round(layout.strip * height_px)
    if strip_px:
        _paint_strip(rng, plate, strip_px, look)
    if layout.captions:
        _paint_captions(rng, plate, look)
    mask = _number_mask(rng, text, look)
    _paint_number(rng, plate, mask, look, strip_px)
    if look.ornaments:
        _paint_border(rng, plate, look.paint)
    return plate


def _fade_to_white(plate: Picture) -> None:
    white = np.linspace(0.85, 0, plate.shape[0], dtype=np.float32)[:, None, None]
    plate[:] = (plate * (1 - white) + 250 * white).astype(np.uint8)


def _number_mask(rng: np.random.Generator, text: PlateText, look: Look) -> GrayPicture:
    """Return the alpha mask of the whole number, `GLYPH_HEIGHT_PX` high."""
    gap_px = int(rng.integers(3, 11))
    parts: list[GrayPicture] = []
    for position, character in enumerate(text.characters):
        if position in text.breaks:
            parts.append(_break_mask(rng, look.break_mark, text.style))
        parts.append(_character_mask(character, look))
        parts.append(np.zeros((GLYPH_HEIGHT_PX, gap_px), dtype=np.uint8))
    return np.hstack(parts[:-1])


def _character_mask(character: str, look: Look) -> GrayPicture:
    han = character in _HAN
    mask = (look.han if han else look.latin).masks[character]
    cell = look.layout.cell
    width_px = mask.shape[1]
    if cell is not None:
        cell_px = round(cell / look.layout.cap * GLYPH_HEIGHT_PX)
        if width_px < cell_px * 0.45:  # a bar keeps its stroke, centred
            side = (cell_px - width_px) // 2
            return np.pad(mask, ((0, 0), (side, cell_px - width_px - side)))
        width_px = cell_px
    elif han:
        width_px = round(GLYPH_HEIGHT_PX * 0.55)
    if width_px == mask.shape[1]:
        return mask
    size = (width_px, GLYPH_HEIGHT_PX)
    return as_picture(cv2.resize(mask, size, interpolation=cv2.INTER_AREA))


def _break_mask(rng: np.random.Generator, mark: str, style: str) -> GrayPicture:
    chinese = style.startswith("cn")
    # Millimetres of the Chinese standard: 34 between the second and third character, not 12.
    width_px = 22 if chinese else int(rng.integers(8, 34))
    mask = np.zeros((GLYPH_HEIGHT_PX, width_px), dtype=np.uint8)
    middle = (width_px // 2, GLYPH_HEIGHT_PX // 2)
    if mark == "none" and not chinese:
        return mask[:, :2]
    if chinese or mark == "dot":
        if style != "cn-green" and mark != "none":
            cv2.circle(mask, middle, int(rng.integers(3, 6)), 255, -1, cv2.LINE_AA)
    elif mark == "dash":
        mask[middle[1] - 4 : middle[1] + 4, 2:-2] = 255
    elif mark == "seal":
        mask = np.zeros((GLYPH_HEIGHT_PX, 44), dtype=np.uint8)
        alpha = int(rng.integers(60, 200))
        for height in [16, 48] if chance(rng, 0.5) else [32]:  # one or two
            cv2.circle(mask, (22, height), int(rng.integers(7, 14)), alpha, -1, cv2.LINE_AA)
    return mask


def _paint_number(
    rng: np.random.Generator, plate: Picture, mask: GrayPicture, look: Look, strip_px: int
) -> None:
    height_px, width_px = plate.shape[:2]
    cap_px = round(look.layout.cap * height_px)
    room_px = (width_px - strip_px) * rng.uniform(0.86, 0.95)
    natural_px = mask.shape[1] * cap_px / GLYPH_HEIGHT_PX
    # Few characters may stay narrow; many are squeezed until they fit.
    wide_px = round(float(np.clip(room_px, natural_px * 0.55, natural_px * rng.uniform(1, 1.35))))
    wide_px = min(wide_px, width_px - strip_px - 4)
    small = as_picture(cv2.resize(mask, (wide_px, cap_px), interpolation=cv2.INTER_AREA))
    left = strip_px + (width_px - strip_px - wide_px) // 2
    lift = rng.uniform(-0.03, 0.05) + (0.03 if look.layout.captions else 0)
    top = int(np.clip((height_px - cap_px) / 2 + lift * height_px, 0, height_px - cap_px))
    if chance(rng, 0.35):  # embossing throws a shadow to one side
        _blend(plate, small, (left + 1, top + 1), _scaled(look.paint.background, 0.6))
    _blend(plate, small, (left, top), look.paint.ink)


def _scaled(colour: tuple[int, int, int], factor: float) -> tuple[int, int, int]:
    blue, green, red = (int(value * factor) for value in colour)
    return blue, green, red


def _blend(
    plate: Picture, mask: GrayPicture, at: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    left, top = at
    region = plate[top : top + mask.shape[0], left : left + mask.shape[1]]
    alpha = mask[: region.shape[0], : region.shape[1], None].astype(np.float32) / 255
    region[:] = (region * (1 - alpha) + np.array(colour, np.float32) * alpha).astype(np.uint8)


def _paint_strip(rng: np.random.Generator, plate: Picture, strip_px: int, look: Look) -> None:
    height_px = plate.shape[0]
    blue = (int(rng.integers(110, 200)), int(rng.integers(20, 80)), int(rng.integers(0, 40)))
    plate[:, :strip_px] = blue
    white = (235, 235, 235)
    for angle in np.linspace(0, 2 * np.pi, 12, endpoint=False):
        x = strip_px / 2 + np.cos(angle) * strip_px * 0.28
        y = height_px * 0.3 + np.sin(angle) * strip_px * 0.28
        cv2.circle(plate, (int(x), int(y)), 1, (60, 210, 240), -1, cv2.LINE_AA)
    code = pick(rng, "DFIERNLSKPHB", int(rng.integers(1, 3)))
    mask = np.hstack([look.latin.masks[character] for character in code])
    size = (min(strip_px - 4, 10 * len(code)), int(height_px * 0.22))
    small = as_picture(cv2.resize(mask, size, interpolation=cv2.INTER_AREA))
    _blend(plate, small, ((strip_px - size[0]) // 2, int(height_px * 0.65)), white)


def _paint_captions(rng: np.random.Generator, plate: Picture, look: Look) -> None:
    """Paint slogans, which the reader must learn to ignore."""
    height_px, width_px = plate.shape[:2]
    if chance(rng, 0.35):  # a coloured band, as Mercosur and some states have
        band = tuple(int(value) for value in rng.integers(20, 220, 3))
        plate[: int(height_px * rng.uniform(0.15, 0.24))] = band
    for top in (0.04, 0.86):
        if chance(rng, 0.8):  # most plates have both lines
            words = pick(rng, _LETTER_SPACE, int(rng.integers(4, 20))).strip() or "A"
            glyphs = [look.latin.masks[letter] for letter in words if letter != " "]
            mask = np.hstack(glyphs or [look.latin.masks["A"]])
            tall_px = max(5, int(height_px * rng.uniform(0.08, 0.13)))
            wide_px = min(int(width_px * 0.8), mask.shape[1] * tall_px // GLYPH_HEIGHT_PX)
            size = (max(wide_px, 4), tall_px)
            small = as_picture(cv2.resize(mask, size, interpolation=cv2.INTER_AREA))
            left = (width_px - size[0]) // 2
            _blend(
                plate, small, (left, min(int(height_px * top), height_px - tall_px)), look.paint.ink
            )


def _paint_border(rng: np.random.Generator, plate: Picture, paint: Paint) -> None:
    height_px, width_px = plate.shape[:2]
    corner = (width_px - 3, height_px - 3)
    cv2.rectangle(plate, (2, 2), corner, paint.ink, int(rng.integers(1, 3)), cv2.LINE_AA)
    for x in (0.2, 0.8):
        if chance(rng, 0.7):  # screws, sometimes hidden
            y = 0.07 if chance(rng, 0.6) else 0.93
            centre = (int(width_px * x), int(height_px * y))
            shade = int(rng.integers(60, 230))
            cv2.circle(plate, centre, 2, (shade, shade, shade), -1, cv2.LINE_AA)
