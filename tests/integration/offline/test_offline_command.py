"""`sesame place offline` against a real database."""

from pathlib import Path
from typing import Any

import pytest

from parking.kit.errors import InvalidInputError
from tests.integration.place_commands import add_place, run


@pytest.fixture
def place(tmp_path: Path, command_settings: None) -> dict[str, Any]:
    return add_place(tmp_path, "entry:In", "exit:Out")


def test_a_lane_is_told_what_to_do_without_network(place: dict[str, Any]) -> None:
    entry, leaving = (lane["lane_id"] for lane in place["lanes"])
    owner = ("--operator", place["operator_id"])
    assert run("offline", "show", entry, *owner)["fallback"] == "open"
    before = run("offline", "show", leaving, *owner)
    assert (before["fallback"], before["cars_max"], before["valid_hours"]) == ("ask_staff", 20, 24)
    words = ("offline", "set", leaving, *owner, "--by", "Ada")
    changed = run(*words, "--fallback", "open", "--cars", "3")
    assert changed == before | {"fallback": "open", "cars_max": 3, "changed_by": "Ada"}
    again = run(*words, "--risk-minor", "5000")
    assert again == changed | {"risk_minor_max": 5000}
    with pytest.raises(InvalidInputError, match="valid_hours: expected 1 to 72"):
        run(*words, "--valid-hours", "73")
    assert run("offline", "show", leaving, *owner) == again


def test_another_operators_lane_is_none(place: dict[str, Any]) -> None:
    lane = place["lanes"][0]["lane_id"]
    stranger = "00000000-0000-7000-8000-000000000000"
    for words in (("show", lane), ("set", lane, "--by", "Ada")):
        with pytest.raises(InvalidInputError, match="lane: expected"):
            run("offline", *words, "--operator", stranger)
    found = run("offline", "review", place["place_id"], "--operator", place["operator_id"])
    assert found == {"passages": []}
