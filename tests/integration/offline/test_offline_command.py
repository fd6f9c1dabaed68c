"""`sesame place offline` against a real database."""

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
    lanes = ["--lane", "entry:In", "--lane", "exit:Out"]
    return _run(*words.split(), "--supply", "5", "--rate-table", str(rates), *lanes)


def test_a_lane_is_told_what_to_do_without_network(place: dict[str, Any]) -> None:
    entry, leaving = (lane["lane_id"] for lane in place["lanes"])
    owner = ("--operator", place["operator_id"])
    assert _run("offline", "show", entry, *owner)["fallback"] == "open"
    before = _run("offline", "show", leaving, *owner)
    assert (before["fallback"], before["cars_max"], before["valid_hours"]) == ("ask_staff", 20, 24)
    words = ("offline", "set", leaving, *owner, "--by", "Ada")
    changed = _run(*words, "--fallback", "open", "--cars", "3")
    assert changed == before | {"fallback": "open", "cars_max": 3, "changed_by": "Ada"}
    again = _run(*words, "--risk-minor", "5000")
    assert again == changed | {"risk_minor_max": 5000}
    with pytest.raises(InvalidInputError, match="valid_hours: expected 1 to 72"):
        _run(*words, "--valid-hours", "73")
    assert _run("offline", "show", leaving, *owner) == again


def test_another_operators_lane_is_none(place: dict[str, Any]) -> None:
    lane = place["lanes"][0]["lane_id"]
    stranger = "00000000-0000-7000-8000-000000000000"
    for words in (("show", lane), ("set", lane, "--by", "Ada")):
        with pytest.raises(InvalidInputError, match="lane: expected"):
            _run("offline", *words, "--operator", stranger)
    found = _run("offline", "review", place["place_id"], "--operator", place["operator_id"])
    assert found == {"passages": []}
