"""`sesame tariff publish` and `versions`, as an operator types them."""

import base64
import json
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from parking.places.errors import PlaceUnknownError
from parking.tariffs.errors import RateTableUnsoundError
from sesame.commands.place import place_app
from sesame.commands.tariff import tariff_app
from tests.factories.lane_world import RATE_TABLE

DEARER: Final = RATE_TABLE | {"name": "dearer", "grace": 5}
UNSOUND: Final = RATE_TABLE | {"caps": [{"per": "calendar_day", "amount": 400}]}


@pytest.fixture
def place_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str, valkey_url: str
) -> str:
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": valkey_url,
        "SESAME_FIELD_KEY": base64.b64encode(b"f" * 32).decode(),
        "SESAME_INDEX_KEY": base64.b64encode(b"i" * 32).decode(),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "first.json"
    file.write_text(json.dumps(RATE_TABLE), encoding="utf-8")
    options = ["--operator-name", "Riverside", "--name", "Riverside", "--supply", "5"]
    options += ["--timezone", "Asia/Shanghai", "--currency", "CNY", "--lane", "entry:North"]
    added = CliRunner().invoke(place_app, ["add", *options, "--rate-table", str(file), "--json"])
    assert added.exit_code == 0, added.output
    return json.loads(added.stdout)["place_id"]


def _publish(tmp_path: Path, place_id: str, body: dict[str, Any], *options: str) -> Result:
    file = tmp_path / "table.json"
    file.write_text(json.dumps([{"id": "new", "rate_table": body}]), encoding="utf-8")
    words = ["publish", "--place", place_id, "--table", str(file), "--id", "new", *options]
    return CliRunner().invoke(tariff_app, words)


def _versions(place_id: str) -> list[tuple[int, bool, str]]:
    listed = CliRunner().invoke(tariff_app, ["versions", "--place", place_id, "--json"])
    assert listed.exit_code == 0, listed.output
    versions = json.loads(listed.stdout)["versions"]
    return [(each["version"], each["is_in_force"], each["name"]) for each in versions]


def test_a_version_is_published_ahead_of_time_and_only_once(tmp_path: Path, place_id: str) -> None:
    options = ("--effective-at", "2027-11-01T00:00", "--json")
    first = _publish(tmp_path, place_id, DEARER, *options)
    assert first.exit_code == 0, first.output
    report = json.loads(first.stdout)
    # The place's local time, because no offset is given.
    assert report["effective_at"] == "2027-11-01T00:00:00+08:00"
    assert (report["version"], report["findings"]) == (2, [])
    assert json.loads(_publish(tmp_path, place_id, DEARER, *options).stdout) == report
    assert _versions(place_id) == [(2, False, "dearer"), (1, True, "")]
    shown = CliRunner().invoke(tariff_app, ["versions", "--place", place_id])
    assert "in force" in shown.stdout


def test_errors_refuse_unless_they_are_forced(tmp_path: Path, place_id: str) -> None:
    refused = _publish(tmp_path, place_id, UNSOUND)
    assert refused.exit_code == 1
    assert isinstance(refused.exception, RateTableUnsoundError)
    assert refused.exception.paths == ("caps.0.amount",)
    assert _versions(place_id) == [(1, True, "")]
    forced = _publish(tmp_path, place_id, UNSOUND, "--force")
    assert forced.exit_code == 0
    assert "cap_below_block  0.rate_table.caps.0.amount" in forced.stdout
    assert "version 2, in force from" in forced.stdout
    assert [version for version, in_force, _ in _versions(place_id) if in_force] == [2]


def test_a_place_that_is_not_there_is_refused(tmp_path: Path, place_id: str) -> None:
    refused = _publish(tmp_path, str(uuid4()), DEARER)
    assert isinstance(refused.exception, PlaceUnknownError)
    assert _versions(place_id) == [(1, True, "")]
