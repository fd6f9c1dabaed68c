"""Manifests and figures."""

from pathlib import Path

import pytest

from parking.kit.errors import InvalidInputError
from recognition.evaluate import KnownPicture, edit_distance, folded, load_manifest, overlap
from recognition.images import corners_of_box


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("", "", 0), ("AB", "AB", 0), ("AB", "", 2), ("8A", "BA", 1), ("京A1", "A12", 2)],
)
def test_edit_distance(one: str, other: str, expected: int) -> None:
    assert edit_distance(one, other) == expected
    assert edit_distance(other, one) == expected


def test_folding() -> None:
    assert folded("OIQ0B8") == "010" + "0B8"


def test_overlap() -> None:
    box = corners_of_box(0, 0, 10, 10)
    assert overlap(box, box) == pytest.approx(1)
    assert overlap(box, corners_of_box(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap(box, corners_of_box(50, 0, 10, 10)) == 0


def test_lines_of_one_file_are_one_picture(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "file,text,x,y,w,h,region\na.jpg,AB1,1,2,30,10,eu\na.jpg,,5,6,30,10,eu\nb.jpg,CD2,,,,,\n"
    )
    first, second = load_manifest(manifest)
    assert (first.file, [plate.text for plate in first.plates]) == ("a.jpg", ["AB1", ""])
    assert first.plates[0].box is not None
    assert first.plates[0].box.tolist() == [[1, 2], [31, 2], [31, 12], [1, 12]]
    assert isinstance(second, KnownPicture)
    assert second.plates[0].box is None
    assert second.plates[0].region == "unknown"


def test_easypr_boxes_have_their_centre_first(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("file,text,x,y,w,h,region\neasypr/a.jpg,AB1,100,50,20,80,cn\n")
    (picture,) = load_manifest(manifest)
    assert picture.plates[0].box is not None
    assert picture.plates[0].box.tolist() == [[60, 40], [140, 40], [140, 60], [60, 60]]


def test_a_missing_column(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("picture,text\na.jpg,AB1\n")
    with pytest.raises(InvalidInputError, match="a column file in"):
        load_manifest(manifest)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="a readable CSV file"):
        load_manifest(tmp_path / "manifest.csv")
