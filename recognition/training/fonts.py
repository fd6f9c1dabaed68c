"""Draws the characters of a font file."""
# pyright: basic, reportMissingImports=false
# pillow is installed only where somebody trains, so the strict checker cannot see its types.

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recognition.images import GrayPicture

DRAWING_SIZE_PX: Final = 100


def draw_characters(path: Path, index: int, characters: str) -> dict[str, GrayPicture]:
    """Return an alpha mask for each character, cut to its ink.

    Args:
        path: A font file; a collection holds several fonts.
        index: Which font of the collection.
        characters: What to draw.
    """
    font = ImageFont.truetype(str(path), DRAWING_SIZE_PX, index=index)
    return {text: _draw(font, text) for text in characters}


def _draw(font: ImageFont.FreeTypeFont, text: str) -> GrayPicture:
    left, top, right, bottom = font.getbbox(text)
    ink = Image.new("L", (max(1, round(right - left)), max(1, round(bottom - top))), 0)
    ImageDraw.Draw(ink).text((-left, -top), text, fill=255, font=font)
    return np.asarray(ink, dtype=np.uint8)
