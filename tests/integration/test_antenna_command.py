"""`sesame place antenna` against a real database."""

from pathlib import Path
from typing import Any

import pytest

from parking.kit.errors import InvalidInputError
from tests.integration.place_commands import add_place, run


@pytest.fixture
def place(tmp_path: Path, command_settings: None) -> dict[str, Any]:
    return add_place(tmp_path, "exit:East", "exit:West")


def test_a_lane_is_told_its_antenna(place: dict[str, Any]) -> None:
    east, west = (lane["lane_id"] for lane in place["lanes"])
    owner = ("--operator", place["operator_id"])

    told = run("antenna", east, *owner, "--antenna", "east-exit-1")
    assert told == {"lane_id": east, "name": "East", "antenna": "east-exit-1"}
    with pytest.raises(InvalidInputError, match="antenna: expected one that is above no other"):
        run("antenna", west, *owner, "--antenna", "east-exit-1")
    assert run("antenna", east, *owner, "--none")["antenna"] is None
    assert run("antenna", west, *owner, "--antenna", "east-exit-1")["name"] == "West"


def test_what_makes_no_sense_is_refused(place: dict[str, Any]) -> None:
    lane, owner = place["lanes"][0]["lane_id"], place["operator_id"]
    stranger = "00000000-0000-7000-8000-000000000000"
    for words, field in (
        ((lane, "--operator", owner), "antenna"),
        ((lane, "--operator", owner, "--antenna", "a", "--none"), "antenna"),
        ((lane, "--operator", owner, "--antenna", "two words"), "antenna"),
        ((lane, "--operator", stranger, "--antenna", "a"), "lane"),
        ((stranger, "--operator", owner, "--antenna", "a"), "lane"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            run("antenna", *words)
        assert caught.value.field == field
