"""`sesame place occupancy` against a real database."""

from pathlib import Path
from typing import Any

import pytest

from parking.kit.errors import InvalidInputError
from parking.occupancy.errors import PoolUnknownError
from tests.integration.place_commands import add_place, run, say


@pytest.fixture
def place(tmp_path: Path, command_settings: None) -> dict[str, Any]:
    return add_place(tmp_path, "entry:East")


def test_a_place_is_shown_and_set_right(place: dict[str, Any]) -> None:
    owner = ("--operator", place["operator_id"])
    shown = run("occupancy", "show", place["place_id"], *owner)
    [pool] = shown["pools"]
    assert shown["total"] == {"spaces": 5, "occupied": 0, "free": 5}
    assert (pool["spaces"], pool["occupied"], pool["free"], pool["is_full"]) == (5, 0, 5, False)
    why = ("--by", "Lee", "--reason", "counted")
    told = run("occupancy", "set", pool["pool_id"], *owner, "--occupied", "5", *why)
    assert (told["before"], told["after"], told["by"]) == (0, 5, "command:Lee")
    said = say("occupancy", "show", place["place_id"], *owner)
    assert "FULL" in said
    assert said.splitlines()[-1] == "5 of 5 taken, 0 free"
    said = say("occupancy", "sign", pool["pool_id"], *owner, "--keep-closed")
    assert said == "kept closed when full\n"
    assert say("occupancy", "set", pool["pool_id"], *owner, "--by-stays", *why) == (
        "5 -> 0 (0 stays)\n"
    )
    [pool] = run("occupancy", "show", place["place_id"], *owner)["pools"]
    assert (pool["occupied"], pool["is_full"], pool["keeps_closed"]) == (0, False, True)


def test_what_makes_no_sense_is_refused(place: dict[str, Any]) -> None:
    owner = ("--operator", place["operator_id"])
    [pool] = run("occupancy", "show", place["place_id"], *owner)["pools"]
    why = ("--by", "Lee", "--reason", "counted")
    for words in ((), ("--occupied", "1", "--by-stays")):
        with pytest.raises(InvalidInputError, match=r"^occupied"):
            run("occupancy", "set", pool["pool_id"], *owner, *words, *why)
    with pytest.raises(InvalidInputError, match=r"^by"):
        run("occupancy", "set", pool["pool_id"], *owner, "--by-stays", "--by", " ", "--reason", "x")
    with pytest.raises(InvalidInputError, match=r"^place"):
        run("occupancy", "show", pool["pool_id"], *owner)
    with pytest.raises(PoolUnknownError):
        run("occupancy", "set", place["place_id"], *owner, "--by-stays", *why)


def test_an_area_is_recounted_at_an_hour_or_never(place: dict[str, Any]) -> None:
    owner = ("--operator", place["operator_id"])
    [pool] = run("occupancy", "show", place["place_id"], *owner)["pools"]
    assert pool["recount_hour"] is None
    area = pool["pool_id"]
    assert say("occupancy", "recount", area, *owner, "--hour", "3") == "recounted at 03:00\n"
    [pool] = run("occupancy", "show", place["place_id"], *owner)["pools"]
    assert (pool["recount_hour"], pool["area_id"]) == (3, area)
    assert "  recounted at 03:00\n" in say("occupancy", "show", place["place_id"], *owner)
    said = say("occupancy", "recount", area, *owner, "--never")
    assert said == "never recounted by itself\n"
    for words in ((), ("--hour", "3", "--never"), ("--hour", "24")):
        with pytest.raises(InvalidInputError, match=r"^hour"):
            say("occupancy", "recount", area, *owner, *words)
