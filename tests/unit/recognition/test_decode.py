"""Pictures from outside: good ones decode, bad ones say what would be right."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.kit.picture_header import Header, read_header
from recognition.decode import PICTURE_BYTES_MAX, PICTURE_SCANS_MAX, decode_picture
from recognition.errors import PictureError


def encoded(extension: str, width_px: int = 64, height_px: int = 48) -> bytes:
    ramp = np.linspace(0, 255, width_px * height_px * 3).astype(np.uint8)
    picture = ramp.reshape(height_px, width_px, 3)
    return cv2.imencode(extension, picture)[1].tobytes()


def png_header(width_px: int, height_px: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"


def refusal(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        decode_picture(data)
    assert caught.value.field == "image"
    assert caught.value.code == "PICTURE_INVALID"
    assert caught.value.retryable is False
    return caught.value.expected


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
def test_a_picture_decodes_to_its_size(extension: str) -> None:
    data = encoded(extension)
    assert read_header(data) == Header(extension[1:].replace("jpg", "jpeg"), 64, 48, complete=True)
    assert decode_picture(data).shape == (48, 64, 3)


def test_nothing() -> None:
    assert refusal(b"") == "a JPEG, PNG or WebP picture, got 0 bytes"


@pytest.mark.parametrize("data", [b"GIF89a" + b"\0" * 100, b"%PDF-1.7", b"\xff", b"plate"])
def test_something_else(data: bytes) -> None:
    assert refusal(data) == "a JPEG, PNG or WebP picture, got something else"


def test_too_many_bytes() -> None:
    expected = f"at most {PICTURE_BYTES_MAX} bytes, got 52428800"
    assert refusal(encoded(".jpg").ljust(50 * 1024 * 1024, b"\0")) == expected


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    data = png_header(40_000, 40_000)
    assert len(data) < 100
    assert refusal(data) == "at most 20000000 pixels, got 40000x40000"


def test_too_small_for_a_plate() -> None:
    assert refusal(encoded(".png", 8, 40)) == "at least 16 pixels a side, got 8x40"


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_cut_off(extension: str, share: float) -> None:
    data = encoded(extension, 320, 240)
    name = extension[1:].replace("jpg", "jpeg")
    cut = data[: int(len(data) * share)]
    assert refusal(cut) == f"a whole {name} picture, got one that is cut off"


def test_a_jpeg_that_is_cut_behind_its_thumbnail() -> None:
    thumbnail = encoded(".jpg", 16, 16)
    data = encoded(".jpg", 320, 240)
    metadata = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    whole = data[:2] + metadata + data[2:]
    assert decode_picture(whole).shape == (240, 320, 3)
    assert refusal(whole[:-200]) == "a whole jpeg picture, got one that is cut off"


def test_a_right_header_with_nonsense_behind_it() -> None:
    assert refusal(png_header(100, 100)) == "a png picture that can be decoded"


def test_gray_pictures_become_colour() -> None:
    data = cv2.imencode(".jpg", np.full((20, 30), 90, dtype=np.uint8))[1].tobytes()
    assert decode_picture(data).shape == (20, 30, 3)


def progressive(further_scans: int) -> bytes:
    """Return a progressive JPEG whose last scan, of no content, comes again and again."""
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    last = data[data.rindex(b"\xff\xc4") : -2]
    assert last.count(b"\xff\xda") == 1
    return data[:-2] + last * further_scans + b"\xff\xd9"


def scans(data: bytes) -> int:
    header = read_header(data)
    assert header is not None
    return header.scans


def test_a_picture_of_too_many_scans_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert scans(encoded(".jpg")) == 1
    own = scans(progressive(0))
    assert own == 10
    assert decode_picture(progressive(PICTURE_SCANS_MAX - own)).shape == (64, 64, 3)
    monkeypatch.delattr(cv2, "imdecode")
    costly = progressive(PICTURE_SCANS_MAX - own + 1)
    assert refusal(costly) == "at most 64 scans, got 65"
    assert refusal(progressive(5000)) == "at most 64 scans, got 5010"


def test_scans_cannot_be_hidden() -> None:
    data = progressive(0)
    scan = data[data.rindex(b"\xff\xc4") : -2]
    # A reserved marker with a length: a decoder that looks for a restart skips two bytes of it.
    reserved = b"\xff\x05" + struct.pack(">H", 2 * len(scan) + 2)
    assert scans(data[:-2] + reserved + scan * 2 + b"\xff\xd9") == 12
    # Restart markers and stuffed bytes do not end a scan, and fill bytes do not hide a marker.
    assert scans(data[:-2] + b"\xff\x00\xff\xd3\xff\xff" + scan + b"\xff\xd9") == 11


def test_what_stands_in_metadata_or_behind_the_picture_is_no_scan() -> None:
    data = progressive(0)
    comment = b"\xff\xfe" + struct.pack(">H", 402) + b"\xff\xda" * 200
    assert scans(data[:2] + comment + data[2:]) == 10
    assert scans(data[:-2] + comment + data[-2:]) == 10
    assert decode_picture(data + b"\xff\xda" * 200).shape == (64, 64, 3)


@given(st.binary(max_size=200), st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF"]))
def test_garbage_never_does_more_than_refuse(garbage: bytes, start: bytes) -> None:
    refusal(start + garbage)


@given(st.integers(min_value=2, max_value=600), st.binary(min_size=1, max_size=30))
def test_a_damaged_header_never_raises(at: int, damage: bytes) -> None:
    data = encoded(".jpg")
    read_header(data[:at] + damage + data[at + len(damage) :])
