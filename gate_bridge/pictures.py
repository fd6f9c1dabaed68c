"""What can be told of an uploaded picture without decoding it."""

from gate_bridge.wire.errors import PayloadInvalidError, TooLargeError

_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_JPEG_TRAILER_BYTES_MAX = 4096
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_WEBP_HEADER_BYTES = 12


def check_picture(image: bytes, content_type: str, bytes_max: int) -> None:
    """Refuse what is no complete picture of its type.

    Raises:
        TooLargeError: more than `bytes_max`.
        PayloadInvalidError: empty, of another type, or cut short.
    """
    if not image:
        raise PayloadInvalidError("image", "expected a picture, got 0 bytes")
    if len(image) > bytes_max:
        raise TooLargeError("image", bytes_max)
    starts, ends = _CHECKS[content_type](image)
    if not starts:
        raise PayloadInvalidError("image", f"expected {content_type}")
    if not ends:
        raise PayloadInvalidError("image", f"expected a complete {content_type}; it is cut short")


def _jpeg(image: bytes) -> tuple[bool, bool]:
    # Cameras append their own data after the end marker; a picture that was cut has none there.
    end = image.rfind(_JPEG_END, max(0, len(image) - _JPEG_TRAILER_BYTES_MAX))
    return image.startswith(_JPEG_START), end >= 0


def _png(image: bytes) -> tuple[bool, bool]:
    return image.startswith(_PNG_START), _PNG_END in image[-64:]


def _webp(image: bytes) -> tuple[bool, bool]:
    starts = image[:4] == b"RIFF" and image[8:_WEBP_HEADER_BYTES] == b"WEBP"
    return starts, len(image) >= 8 + int.from_bytes(image[4:8], "little")


_CHECKS = {"image/jpeg": _jpeg, "image/png": _png, "image/webp": _webp}
