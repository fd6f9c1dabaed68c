"""Pictures from outside: good ones decode, bad ones say what would be right."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.decode import PICTURE_BYTES_MAX, decode_picture
from recognition.errors import PictureError
from recognition.picture_header import Header, read_header


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
    assert refusal(data) == "at most 50000000 pixels, got 40000x40000"


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


@given(st.binary(max_size=200), st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF"]))
def test_garbage_never_does_more_than_refuse(garbage: bytes, start: bytes) -> None:
    refusal(start + garbage)


@given(st.integers(min_value=2, max_value=600), st.binary(min_size=1, max_size=30))
def test_a_damaged_header_never_raises(at: int, damage: bytes) -> None:
    data = encoded(".jpg")
    read_header(data[:at] + damage + data[at + len(damage) :])
