"""Decodes pictures from outside, with limits."""

from typing import Final

import cv2
import numpy as np

from parking.kit.picture_header import Header, read_header
from recognition.errors import PictureError
from recognition.images import Picture, as_picture

PICTURE_BYTES_MAX: Final = 16 * 1024 * 1024
# Cameras at gates have 2 to 12 megapixels; the largest sensors in use give 5472 x 3648.
PICTURE_PIXELS_MAX: Final = 20_000_000
# A progressive JPEG has about 10 scans. Every one costs a pass over all pixels, at a few bytes.
PICTURE_SCANS_MAX: Final = 64
PICTURE_SIDE_MIN_PX: Final = 16
_FIELD: Final = "image"


def decode_picture(data: bytes) -> Picture:
    """Decode a JPEG, PNG or WebP picture; turned upright if its metadata say so.

    Raises:
        PictureError: empty, too large, too costly, cut off, or not a picture.
    """
    if not data:
        raise PictureError(_FIELD, "a JPEG, PNG or WebP picture, got 0 bytes")
    if len(data) > PICTURE_BYTES_MAX:
        raise PictureError(_FIELD, f"at most {PICTURE_BYTES_MAX} bytes, got {len(data)}")
    header = read_header(data)
    if header is None:
        raise PictureError(_FIELD, "a JPEG, PNG or WebP picture, got something else")
    _check(header)
    return _decoded(data, header.format)


def _check(header: Header) -> None:
    size = f"{header.width_px}x{header.height_px}"
    if header.width_px * header.height_px > PICTURE_PIXELS_MAX:
        raise PictureError(_FIELD, f"at most {PICTURE_PIXELS_MAX} pixels, got {size}")
    if min(header.width_px, header.height_px) < PICTURE_SIDE_MIN_PX:
        raise PictureError(_FIELD, f"at least {PICTURE_SIDE_MIN_PX} pixels a side, got {size}")
    if header.scans > PICTURE_SCANS_MAX:
        raise PictureError(_FIELD, f"at most {PICTURE_SCANS_MAX} scans, got {header.scans}")
    if not header.complete:
        raise PictureError(_FIELD, f"a whole {header.format} picture, got one that is cut off")


def _decoded(data: bytes, name: str) -> Picture:
    try:
        picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise PictureError(_FIELD, f"a {name} picture that can be decoded") from error
    # The stubs leave out that OpenCV answers None to data that it cannot decode.
    if picture is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise PictureError(_FIELD, f"a {name} picture that can be decoded")
    return as_picture(picture)
