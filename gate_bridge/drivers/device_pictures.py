"""Pictures that come with a device's message: taken as they are, and only if they are pictures."""

import base64
import binascii
from typing import Final

from gate_bridge.drivers.port import DevicePicture
from gate_bridge.pictures import check_picture
from gate_bridge.wire.errors import PayloadInvalidError, TooLargeError

PICTURES_MAX: Final = 8
PICTURE_BYTES_MAX: Final = 4 * 1024 * 1024
# Four characters carry three bytes.
BASE64_CHARACTERS_MAX: Final = PICTURE_BYTES_MAX * 4 // 3 + 4

_STARTS: Final = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


def picture(image: bytes, name: str = "", *, is_plate_only: bool = False) -> DevicePicture | None:
    """Return the picture; None for what is no whole JPEG or PNG, or is too large.

    A read counts without its picture, so that a broken one is left out rather than refused.
    """
    for start, content_type in _STARTS:
        if image.startswith(start):
            return _whole(DevicePicture(image, content_type, name, is_plate_only))
    return None


def _whole(shown: DevicePicture) -> DevicePicture | None:
    try:
        check_picture(shown.image, shown.content_type, PICTURE_BYTES_MAX)
    except (PayloadInvalidError, TooLargeError):
        return None
    return shown


def base64_picture(
    text: str | None, name: str = "", *, is_plate_only: bool = False
) -> DevicePicture | None:
    """Return the picture that a text holds, with or without a `data:` head; None for none."""
    if not text or len(text) > BASE64_CHARACTERS_MAX:
        return None
    try:
        encoded = text.rpartition(",")[2].rstrip("= \r\n")
        # Not strict: some devices break the text into lines, or leave the padding out.
        image = base64.b64decode(encoded + "=" * (-len("".join(encoded.split())) % 4))
    except (binascii.Error, ValueError):
        return None
    return picture(image, name, is_plate_only=is_plate_only)
