"""Renders the camera pictures that the demo drives with, always the same ones."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from recognition.images import GrayPicture, Picture
from recognition.training import camera
from recognition.training.cars import CarShape, random_car_shape
from recognition.training.dice import whole
from recognition.training.glyphs import GLYPH_HEIGHT_PX, Typeface, han_typefaces, typeface
from recognition.training.plates import Layout, Look, Paint, paint_plate
from recognition.training.scenes import Pose, Scene, add_car, background
from recognition.training.texts import PlateText

SEED: Final = 20
WIDTH_PX: Final = 1280
HEIGHT_PX: Final = 720
PICTURE_BYTES_MAX: Final = 60_000
_PLATE_HEIGHT_PX: Final = 160
_EUROPEAN_TYPE: Final = "NimbusSansNarrow-Bold"
_CHINESE_TYPE: Final = "NimbusSansNarrow-Bold+bar"
_SPLASHES: Final = 60
_BLUE: Final = Paint((165, 65, 10), (240, 240, 240))
_GREEN: Final = Paint((150, 215, 110), (25, 25, 20))
_WHITE: Final = Paint((238, 240, 240), (25, 22, 22))
_YELLOW: Final = Paint((30, 190, 240), (25, 22, 22))
_CHINESE: Final = Layout(440 / 140, 90 / 140, 45 / 140, 0, captions=False)
_CHINESE_GREEN: Final = Layout(480 / 140, 90 / 140, 43 / 140, 0, captions=False)
_EUROPEAN: Final = Layout(520 / 112, 0.7, None, 0.38, captions=False)
_BRITISH: Final = Layout(520 / 111, 0.71, 0.44, 0, captions=False)


@dataclass(frozen=True)
class DemoCar:
    """A car of the demo and the pictures that are taken of it.

    Attributes:
        frames: How many pictures, a moment apart.
        soiled: The character on which dirt lies, or empty.
    """

    name: str
    text: PlateText
    paint: Paint
    layout: Layout
    region: str
    night: bool = False
    frames: int = 2
    soiled: str = ""


def _car(name: str, text: str, style: str, region: str, *, night: bool = False) -> DemoCar:
    characters = ""
    breaks: list[int] = []
    for symbol in text:
        if symbol == " ":
            breaks.append(len(characters))
        else:
            characters += symbol
    paint, layout = {
        "cn-blue": (_BLUE, _CHINESE),
        "cn-green": (_GREEN, _CHINESE_GREEN),
        "eu": (_WHITE, _EUROPEAN),
        "gb": (_YELLOW, _BRITISH),
    }[style]
    plate_text = PlateText(characters, style, tuple(breaks))
    return DemoCar(name, plate_text, paint, layout, region, night=night)


_MISREAD: Final = _car("jiangsu-clean", "苏E 6P8T5", "cn-blue", "cn")
DEMO_CARS: Final = (
    _car("beijing", "京A 7K392", "cn-blue", "cn"),
    _car("shanghai-electric", "沪A D61725", "cn-green", "cn", night=True),
    _car("guangdong-night", "粤B 6M35K", "cn-blue", "cn", night=True),
    _car("munich", "M KL 4731", "eu", "de"),
    _car("paris", "AX 417 RT", "eu", "eu", night=True),
    _car("london", "LN64 WYT", "gb", "gb"),
    _MISREAD,
    replace(_MISREAD, name="jiangsu-dirty", soiled="8"),
    _car("lyon", "FK 583 LM", "eu", "eu"),
    _car("shenzhen", "粤B 9F27T", "cn-blue", "cn"),
    _car("hangzhou", "浙A 6T823", "cn-blue", "cn"),
    _car("beijing-north", "京N 5H238", "cn-blue", "cn"),
)
BARE_NAME: Final = "no-plate"
# Not their count: the picture stays the same when a car joins.
_BARE_SEED: Final = 8


def render_demo_pictures(folder: Path) -> list[Path]:
    """Write the pictures and manifest.csv; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, str, str, str]] = []
    for number, car in enumerate(DEMO_CARS):
        # The clean and the dirty picture show one car.
        seed = DEMO_CARS.index(_MISREAD) if car.soiled else number
        for frame in range(car.frames):
            name = f"{car.name}-{frame + 1}.jpg"
            _write(folder / name, _picture(car, seed, frame))
            note = f"{car.soiled} is soiled" if car.soiled else ""
            rows.append((name, car.text.characters, car.region, note))
    _write(folder / f"{BARE_NAME}.jpg", _picture(None, _BARE_SEED, 0))
    rows.append((f"{BARE_NAME}.jpg", "", "", "no plate"))
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(("file", "text", "region", "note"))
        writer.writerows(rows)
    return [folder / row[0] for row in rows]


def _picture(car: DemoCar | None, seed: int, frame: int) -> Picture:
    # Everything but the moment comes from the seed: frames of one car differ only in the pose.
    rng = np.random.default_rng([SEED, seed])
    scene = Scene(background(rng, WIDTH_PX, HEIGHT_PX), ())
    shape = _shape(rng)
    plate = None if car is None else _plate(rng, car)
    pose = Pose(
        x=float(rng.uniform(0.46, 0.54)) + 0.006 * frame,
        y=float(rng.uniform(0.5, 0.54)) + 0.012 * frame,
        width=float(rng.uniform(0.46, 0.54)) + 0.02 * frame,
        yaw=float(rng.uniform(-0.12, 0.12)),
        pitch=-0.05,
        roll=float(rng.uniform(-0.03, 0.03)),
    )
    scene, lamps = add_car(scene, shape, plate, pose)
    picture = scene.picture
    if car is not None and car.night:
        picture = camera.at_night(rng, picture, lamps, WIDTH_PX * 0.045, scene.plates)
    grain = np.random.default_rng([SEED, seed, frame]).normal(0, 2, picture.shape[:2])
    noisy = picture + grain[:, :, None]
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _shape(rng: np.random.Generator) -> CarShape:
    return replace(random_car_shape(rng), plate_width=0.3, plate_top=0.64)


def _plate(rng: np.random.Generator, car: DemoCar) -> Picture:
    chinese = car.text.style.startswith("cn")
    latin = typeface(_CHINESE_TYPE if chinese else _EUROPEAN_TYPE)
    if car.soiled:
        soiled = _soiled(latin.masks[car.soiled])
        latin = Typeface("soiled", {**latin.masks, car.soiled: soiled})
    look = Look(latin, han_typefaces()[0], car.paint, car.layout, "gap", ornaments=True)
    plate = paint_plate(rng, car.text, look, _PLATE_HEIGHT_PX)
    return _splashed(rng, plate) if car.soiled else plate


def _soiled(mask: GrayPicture) -> GrayPicture:
    """Cover the left edge of a character with something light: an 8 is taken for a B."""
    soiled = mask.copy()
    width_px = mask.shape[1]
    soiled[2 : GLYPH_HEIGHT_PX - 2, : max(3, round(width_px * 0.27))] = 235
    for height in (1, GLYPH_HEIGHT_PX - 9):
        soiled[height : height + 8, : round(width_px * 0.5)] = 235
    return soiled


def _splashed(rng: np.random.Generator, plate: Picture) -> Picture:
    """Sprinkle mud over the lower edge, where no character is."""
    muddy = plate.copy()
    height_px, width_px = plate.shape[:2]
    for _ in range(_SPLASHES):
        x, y = whole(rng, 0, width_px), height_px - whole(rng, 0, height_px // 7)
        cv2.circle(muddy, (x, y), whole(rng, 2, 8), (70, 95, 115), -1, cv2.LINE_AA)
    return muddy


def _write(path: Path, picture: Picture) -> None:
    for quality in range(90, 20, -5):
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        if encoded.size <= PICTURE_BYTES_MAX:
            path.write_bytes(encoded.tobytes())
            return
    raise ValueError(f"{path.name} does not fit into {PICTURE_BYTES_MAX} bytes")
