"""Character shapes: from fonts of Debian packages, and of our own where no free font has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from recognition.alphabet import DIGITS, LETTERS, PROVINCES, SUFFIXES
from recognition.images import GrayPicture, as_picture
from recognition.training.errors import FontMissingError
from recognition.training.fonts import DRAWING_SIZE_PX, draw_characters

# Every glyph is an alpha mask of this height; its ink fills the height.
GLYPH_HEIGHT_PX: Final = 64
_FONTS: Final = Path("/usr/share/fonts")
_LATIN_FONTS: Final = (
    "truetype/roadgeek/RG2014C.ttf",
    "truetype/roadgeek/RG2014D.ttf",
    "truetype/roadgeek/RG2014E.ttf",
    "truetype/opendin/OSP-DIN.ttf",
    "opentype/urw-base35/NimbusSansNarrow-Bold.otf",
    "opentype/urw-base35/NimbusSans-Bold.otf",
    "opentype/bebas-neue/BebasNeue-Regular.otf",
    "opentype/bebas-neue/BebasNeue-Bold.otf",
    "opentype/b612/B612Mono-Bold.otf",
    "truetype/liberation/LiberationSansNarrow-Bold.ttf",
    "truetype/dejavu/DejaVuSansCondensed-Bold.ttf",
    "truetype/dejavu/DejaVuSansMono-Bold.ttf",
    "truetype/open-sans/OpenSans-CondBold.ttf",
    "truetype/lato/Lato-Bold.ttf",
    "truetype/hack/Hack-Bold.ttf",
)
_HAN_FONTS: Final = (
    ("opentype/noto/NotoSansCJK-Bold.ttc", 2),
    ("opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("truetype/wqy/wqy-zenhei.ttc", 0),
    ("truetype/wqy/wqy-microhei.ttc", 0),
)
PACKAGES: Final = (
    "fonts-opendin fonts-roadgeek fonts-urw-base35 fonts-bebas-neue fonts-b612 fonts-liberation "
    "fonts-dejavu-core fonts-open-sans fonts-lato fonts-hack fonts-noto-cjk fonts-wqy-zenhei "
    "fonts-wqy-microhei"
)
# Height of a capital letter in the common fonts, relative to their size.
_CAP_SHARE: Final = 0.74


@dataclass(frozen=True)
class Typeface:
    """The alpha masks of one typeface, each `GLYPH_HEIGHT_PX` high."""

    name: str
    masks: Mapping[str, GrayPicture]


@cache
def latin_typefaces() -> tuple[Typeface, ...]:
    """Return the typefaces for letters and digits.

    Raises:
        FontMissingError: fewer than four of the fonts are installed.
    """
    faces: list[Typeface] = []
    for name in _LATIN_FONTS:
        if (_FONTS / name).exists():
            face = _load(name, 0, LETTERS + DIGITS)
            faces.extend((face, _with_bar_one(face)))
    if len(faces) < 8:  # noqa: PLR2004 - four fonts, each with both shapes of the digit 1
        raise FontMissingError(PACKAGES)
    return tuple(faces)


@cache
def han_typefaces() -> tuple[Typeface, ...]:
    """Return the typefaces for Chinese provinces and suffixes, each also with heavier strokes.

    Raises:
        FontMissingError: none of the fonts is installed.
    """
    faces: list[Typeface] = []
    for name, index in _HAN_FONTS:
        if (_FONTS / name).exists():
            face = _load(name, index, PROVINCES + SUFFIXES)
            faces.extend((face, _heavier(face)))
    if not faces:
        raise FontMissingError(PACKAGES)
    return tuple(faces)


def typeface(name: str) -> Typeface:
    """Return the Latin typeface whose font file has this stem; "+bar" at the end: bar-shaped 1."""
    return next(face for face in latin_typefaces() if face.name == name)


def _load(path: str, index: int, characters: str) -> Typeface:
    ink = draw_characters(_FONTS / path, index, characters)
    return Typeface(Path(path).stem, {text: _fitted(mask) for text, mask in ink.items()})


def _fitted(mask: GrayPicture) -> GrayPicture:
    # Q and J hang below the line in some fonts: number plates keep every character one height.
    cap_px = min(mask.shape[0], round(DRAWING_SIZE_PX * _CAP_SHARE))
    width = max(8, round(mask.shape[1] * GLYPH_HEIGHT_PX / cap_px))
    return as_picture(cv2.resize(mask, (width, GLYPH_HEIGHT_PX), interpolation=cv2.INTER_AREA))


def _with_bar_one(face: Typeface) -> Typeface:
    """Return the typeface with a plain bar for 1, as plates in China and Brazil have it."""
    stroke = max(8, round(face.masks["I"].shape[1]))
    bar = np.zeros((GLYPH_HEIGHT_PX, min(stroke, 11)), dtype=np.uint8)
    bar[:, 1:-1] = 255
    return Typeface(f"{face.name}+bar", {**face.masks, "1": bar})


def _heavier(face: Typeface) -> Typeface:
    kernel = np.ones((3, 3), dtype=np.uint8)
    masks = {text: as_picture(cv2.dilate(mask, kernel)) for text, mask in face.masks.items()}
    return Typeface(f"{face.name}+heavy", masks)
