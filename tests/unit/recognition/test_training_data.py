"""What may train the weights, and the random numbers that are painted."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from recognition.alphabet import ALPHABET, INDEX
from recognition.formats import guess_region
from recognition.training.errors import TrainingDataError
from recognition.training.photographs import is_crop, load_photographs, reduced
from recognition.training.texts import random_text

LINES = """file,text,x,y,w,h,region,licence,use
a.jpg,AB1,1,2,30,10,eu,MIT,train
b.jpg,CD2,1,2,30,10,eu,none,evaluate
c.jpg,EF3,0,0,64,20,eu,MIT,train
c.jpg,GH4,5,5,30,10,eu,MIT,train
"""


def folder_with(path: Path, lines: str = LINES) -> Path:
    (path / "manifest.csv").write_text(lines)
    for name in ("a", "b", "c"):
        cv2.imwrite(str(path / f"{name}.jpg"), np.zeros((20, 64, 3), dtype=np.uint8))
    return path


def test_pictures_for_measuring_never_train(tmp_path: Path) -> None:
    found = load_photographs(folder_with(tmp_path))
    assert [each.path.name for each in found] == ["a.jpg", "c.jpg"]
    assert found[1].texts == ("EF3", "GH4")


def test_plates_that_are_kept_for_measuring_take_their_picture_along(tmp_path: Path) -> None:
    found = load_photographs(folder_with(tmp_path), without=frozenset({"GH4"}))
    assert [each.path.name for each in found] == ["a.jpg"]


def test_crops_are_known(tmp_path: Path) -> None:
    first, second = load_photographs(folder_with(tmp_path))
    assert is_crop(first, first.load()) is False
    assert is_crop(second, second.load()) is True


def test_nothing_left_to_train_with(tmp_path: Path) -> None:
    lines = LINES.replace(",train", ",evaluate")
    with pytest.raises(TrainingDataError, match="no picture with use=train"):
        load_photographs(folder_with(tmp_path, lines))


def test_a_missing_column(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="has no column use"):
        load_photographs(folder_with(tmp_path, "file,text,x,y,w,h\na.jpg,,,,,\n"))


def test_wide_pictures_are_reduced_with_their_corners() -> None:
    corners = np.array([[0, 0], [1440, 0], [1440, 100], [0, 100]], dtype=np.float32)
    picture, (moved,) = reduced(np.zeros((200, 1440, 3), dtype=np.uint8), (corners,))
    assert picture.shape == (100, 720, 3)
    assert moved.tolist() == [[0, 0], [720, 0], [720, 50], [0, 50]]


def test_random_numbers_are_in_the_alphabet_and_in_their_format() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        text = random_text(rng)
        assert set(text.characters) <= set(ALPHABET)
        assert all(0 <= position <= len(text.characters) for position in text.breaks)
        if text.style.startswith("cn"):
            assert guess_region(text.characters) == "cn"


def test_every_character_has_one_class() -> None:
    assert len(INDEX) == len(ALPHABET)
    assert sorted(INDEX.values()) == list(range(1, len(ALPHABET) + 1))
