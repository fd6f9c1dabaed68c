"""A picture from outside, made anew: what is kept was written by us, pixel by pixel.

Neither metadata (where and with what it was taken) nor a second file hidden behind the picture
survives. The work is known from the headers before anything is decoded.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from parking.kit.errors import InvalidInputError
from parking.kit.picture_header import Header, read_header

CONTENT_TYPE: Final = "image/jpeg"
PICTURE_BYTES_MAX: Final = 8 * 1024 * 1024
# Phones take pictures of 12 to 50 megapixels; 20 are enough to read a licence.
PICTURE_PIXELS_MAX: Final = 20_000_000
PICTURE_SCANS_MAX: Final = 64
SIDE_PX_MIN: Final = 64
SIDE_PX_MAX: Final = 2400
_QUALITY: Final = 85
# 16 bits for each of four channels, the filter's byte of each row, and rows of seven passes.
_PNG_BYTES_PER_PIXEL_MAX: Final = 8
_PNG_BYTES_PER_ROW_MAX: Final = 8
_PNG_BYTES_MORE: Final = 64
_PNG_PIXELS: Final = b"IDAT"
_PNG_SIGNATURE_BYTES: Final = 8
_CHUNK_FRAME_BYTES: Final = 12
_INFLATED_AT_ONCE_BYTES: Final = 1024 * 1024
_FIELD: Final = "picture"


def remake(data: bytes) -> bytes:
    """Return the picture as a JPEG of at most SIDE_PX_MAX a side, turned upright.

    Raises:
        InvalidInputError: it is no JPEG, PNG or WebP picture, cut off, or too costly.
    """
    # Imported here: only a process that takes pictures pays for it.
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    _check(data)
    try:
        picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
        if picture is None:  # pyright: ignore[reportUnnecessaryComparison] - the stubs leave it out
            raise InvalidInputError(_FIELD, "a picture that can be decoded")
        scale = SIDE_PX_MAX / max(picture.shape[:2])
        if scale < 1:
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, made = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    except cv2.error as error:
        raise InvalidInputError(_FIELD, "a picture that can be decoded") from error
    return made.tobytes()


def _check(data: bytes) -> None:
    if len(data) > PICTURE_BYTES_MAX:
        raise InvalidInputError(_FIELD, f"at most {PICTURE_BYTES_MAX} bytes")
    header = read_header(data)
    if header is None or not header.complete:
        raise InvalidInputError(_FIELD, "a whole JPEG, PNG or WebP picture")
    if header.width_px * header.height_px > PICTURE_PIXELS_MAX:
        raise InvalidInputError(_FIELD, f"at most {PICTURE_PIXELS_MAX} pixels")
    if min(header.width_px, header.height_px) < SIDE_PX_MIN:
        raise InvalidInputError(_FIELD, f"at least {SIDE_PX_MIN} pixels a side")
    if header.format == "png" and not _is_bounded_png(data, header):
        raise InvalidInputError(_FIELD, "a PNG without more than its pixels")
    if header.scans > PICTURE_SCANS_MAX:
        raise InvalidInputError(_FIELD, f"at most {PICTURE_SCANS_MAX} scans")


def _is_bounded_png(data: bytes, header: Header) -> bool:
    """Return whether a PNG's pixels inflate to no more than its size says.

    Decoders inflate to the end what has more: a thousand bytes of every one in the file.
    """
    inflated_max = header.width_px * header.height_px * _PNG_BYTES_PER_PIXEL_MAX
    inflated_max += header.height_px * _PNG_BYTES_PER_ROW_MAX + _PNG_BYTES_MORE
    inflated, reader = 0, zlib.decompressobj()
    try:
        for packed in _pixel_chunks(data):
            if reader.eof:
                # What follows, no decoder looks at.
                break
            rest = packed
            while rest:
                inflated += len(reader.decompress(rest, _INFLATED_AT_ONCE_BYTES))
                if inflated > inflated_max:
                    return False
                rest = reader.unconsumed_tail
    except zlib.error:
        return False
    return True


def _pixel_chunks(data: bytes) -> Iterator[bytes]:
    at = _PNG_SIGNATURE_BYTES
    while at + _CHUNK_FRAME_BYTES <= len(data):
        length = int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] == _PNG_PIXELS:
            yield data[at + 8 : at + 8 + length]
        at += _CHUNK_FRAME_BYTES + length
