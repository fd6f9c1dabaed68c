"""`sesame place positions` and `sesame place forecast`, as a person says them."""

import json
from pathlib import Path
from typing import Any

import pytest

from parking.kit.errors import InvalidInputError
from parking.places.errors import PlaceUnknownError
from parking.places.position_file import FILE_BYTES_MAX, PositionFileError
from tests.integration.place_commands import add_place, run, say


@pytest.fixture
def place(tmp_path: Path, command_settings: None) -> dict[str, Any]:
    _ = command_settings
    return add_place(tmp_path, "entry:East")


def test_positions_go_out_and_come_in(tmp_path: Path, place: dict[str, Any]) -> None:
    owner = ("--operator", place["operator_id"])
    place_id, by = place["place_id"], ("--by", "Lee")
    [head] = say("positions", "export", *owner).splitlines()
    assert head == "place_id,name,latitude,longitude,address,entrances"
    where = ("positions", "set", place_id, "31.24", "121.49", *owner, *by, "--address", "Bund 1")
    assert run(*where) == {"place_id": place_id, "changed": True}
    assert say(*where) == "it was there already\n"
    exported = say("positions", "export", *owner)
    assert exported.splitlines()[1] == f"{place_id},Riverside,31.24,121.49,Bund 1,"
    as_json = say("positions", "export", *owner, "--format", "json")
    assert json.loads(as_json)["places"][0]["address"] == "Bund 1"
    moved = tmp_path / "moved.csv"
    moved.write_text(exported.replace("31.24,", "31.25,"), encoding="utf-8")
    same = tmp_path / "same.json"
    same.write_text(as_json, encoding="utf-8")
    for file, changed in ((moved, 1), (moved, 0), (same, 1)):
        told = run("positions", "import", str(file), *owner, *by)
        assert told == {"places": 1, "changed": changed}


def test_what_is_wrong_is_named(tmp_path: Path, place: dict[str, Any]) -> None:
    owner = ("--operator", place["operator_id"])
    with pytest.raises(PlaceUnknownError):
        say("positions", "set", place["operator_id"], "31", "121", *owner, "--by", "Lee")
    with pytest.raises(InvalidInputError, match="latitude: expected degrees from -90 to 90"):
        say("positions", "set", place["place_id"], "91", "121", *owner, "--by", "Lee")
    with pytest.raises(InvalidInputError, match="by: expected who says so"):
        say("positions", "set", place["place_id"], "31", "121", *owner, "--by", " ")
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(PositionFileError, match="expected UTF-8"):
        say("positions", "import", str(bad), *owner, "--by", "Lee")
    # With the mark of a spreadsheet the first bytes would fit, without their last rows.
    line = f"{place['place_id']},31,121\n".encode()
    cut = "\ufeffplace_id,latitude,longitude\n".encode() + line
    bad.write_bytes(cut + b"\n" * FILE_BYTES_MAX)
    with pytest.raises(PositionFileError, match=f"file: expected at most {FILE_BYTES_MAX} bytes"):
        say("positions", "import", str(bad), *owner, "--by", "Lee")


def test_the_figures_of_forecasts_are_those_of_the_seed() -> None:
    told = run("forecast", "--runs", "1", "--spaces", "20", "--seed", "3")
    assert (told["runs"], told["spaces"], told["interval"]) == (1, 20, 0.8)
    assert [horizon["horizon_h"] for horizon in told["horizons"]] == [0.5, 1, 2, 4, 12, 24, 72]
    with pytest.raises(InvalidInputError, match="runs: expected 1 to 50"):
        say("forecast", "--runs", "0")
