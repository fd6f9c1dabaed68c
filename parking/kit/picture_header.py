"""Tells how much work a picture is from its headers, before anything is decoded.

A few hundred bytes can ask a decoder for gigabytes, or for thousands of passes over the picture:
size and scans must be known first. Time and memory here are linear in the file.
"""

import re
from typing import Final, NamedTuple

_PNG: Final = b"\x89PNG\r\n\x1a\n"
# Start-of-frame markers; the others between C0 and CF hold tables.
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_START_OF_SCAN: Final = 0xDA
_JPEG_END: Final = 0xD9
_JPEG_WITHOUT_LENGTH: Final = frozenset(range(0xD0, 0xD9)) | {0x01}
# Segments that may stand between scans: tables, restart interval, number of lines, application
# data, comment; and the scan's own header. All other markers are passed over without their length:
# a decoder may take them for damage, and what it then finds in them must be counted, too.
_JPEG_MARKER: Final = re.compile(b"\xff[\xc4\xcc\xd9-\xdd\xe0-\xef\xfe]")


class Header(NamedTuple):
    """What the first bytes say.

    Attributes:
        complete: Whether the end of the file is there, too.
        scans: How often a decoder goes over the whole picture; only JPEG has more than one.
    """

    format: str
    width_px: int
    height_px: int
    complete: bool
    scans: int = 1


def read_header(data: bytes) -> Header | None:
    """Return format, size and whether the picture is whole; `None` for any other kind of data."""
    if data[:2] == b"\xff\xd8":
        return _jpeg(data)
    if data[:8] == _PNG:
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def _jpeg(data: bytes) -> Header | None:
    """Walk from marker to marker (ITU-T T.81, annex B), through every scan of the picture."""
    at, size = 2, None
    while at + 4 <= len(data):
        if data[at] != 0xFF:  # noqa: PLR2004
            return None
        marker = data[at + 1]
        if marker == 0xFF or marker in _JPEG_WITHOUT_LENGTH:  # noqa: PLR2004 # fill bytes
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004
            continue
        if marker == _JPEG_START_OF_SCAN:
            break
        if marker in _JPEG_FRAMES and at + 9 <= len(data):
            size = int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at = _behind_segment(data, at)
    if size is None:
        return None
    # A thumbnail in the metadata has an end marker of its own: look behind the header only.
    return Header("jpeg", *size, data.rfind(b"\xff\xd9", at) >= 0, _scans(data, at))


def _scans(data: bytes, at: int) -> int:
    """Count the scans from `at` to the end marker; what a camera appends behind it is no scan.

    A decoder goes over the whole picture once for every scan, however few bytes it has.
    """
    scans = 0
    while (found := _JPEG_MARKER.search(data, at)) is not None:
        at, marker = found.start(), data[found.start() + 1]
        if marker == _JPEG_END:
            break
        scans += marker == _JPEG_START_OF_SCAN
        at = _behind_segment(data, at)
    return scans


def _behind_segment(data: bytes, at: int) -> int:
    return at + 2 + max(int.from_bytes(data[at + 2 : at + 4]), 2)


def _png(data: bytes) -> Header | None:
    if len(data) < 24 or data[12:16] != b"IHDR":  # noqa: PLR2004 # signature and first chunk
        return None
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    return Header("png", width, height, complete=data.rfind(b"IEND") >= 0)


def _webp(data: bytes) -> Header | None:
    """Read the first chunk (RFC 9649)."""
    if len(data) < 30:  # noqa: PLR2004 # the longest of the three headers
        return None
    complete = len(data) >= int.from_bytes(data[4:8], "little") + 8
    match data[12:16]:
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little") + 1
            height = int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width = int.from_bytes(data[26:28], "little") & 0x3FFF
            height = int.from_bytes(data[28:30], "little") & 0x3FFF
        case _:
            return None
    return Header("webp", width, height, complete)
