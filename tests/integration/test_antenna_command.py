"""`sesame place antenna` against a real database."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parking.kit.errors import InvalidInputError
from sesame.commands.place import place_app
from tests.factories.lane_world import RATE_TABLE


def _run(*words: str) -> Any:  # noqa: ANN401 - JSON
    outcome = CliRunner().invoke(place_app, [*words, "--json"], catch_exceptions=False)
    return json.loads(outcome.stdout)


@pytest.fixture
def place(
    tmp_path: Path, database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    for name, value in (
        ("DATABASE_URL", database_url),
        ("REDIS_URL", valkey_url),
        ("SESAME_FIELD_KEY", base64.b64encode(b"f" * 32).decode()),
        ("SESAME_INDEX_KEY", base64.b64encode(b"i" * 32).decode()),
    ):
        monkeypatch.setenv(name, value)
    rates = tmp_path / "rates.json"
    rates.write_text(json.dumps(RATE_TABLE), encoding="utf-8")
    words = "add --operator-name Riverside --name Riverside --timezone Asia/Shanghai --currency CNY"
    lanes = ["--lane", "exit:East", "--lane", "exit:West"]
    return _run(*words.split(), "--supply", "5", "--rate-table", str(rates), *lanes)


def test_a_lane_is_told_its_antenna(place: dict[str, Any]) -> None:
    east, west = (lane["lane_id"] for lane in place["lanes"])
    owner = ("--operator", place["operator_id"])

    told = _run("antenna", east, *owner, "--antenna", "east-exit-1")
    assert told == {"lane_id": east, "name": "East", "antenna": "east-exit-1"}
    with pytest.raises(InvalidInputError, match="antenna: expected one that is above no other"):
        _run("antenna", west, *owner, "--antenna", "east-exit-1")
    assert _run("antenna", east, *owner, "--none")["antenna"] is None
    assert _run("antenna", west, *owner, "--antenna", "east-exit-1")["name"] == "West"


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
            _run("antenna", *words)
        assert caught.value.field == field
