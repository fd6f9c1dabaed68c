"""`sesame place occupancy` against a real database."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parking.kit.errors import InvalidInputError
from parking.occupancy.errors import PoolUnknownError
from sesame.commands.place import place_app
from tests.factories.lane_world import RATE_TABLE


def _say(*words: str) -> str:
    return CliRunner().invoke(place_app, words, catch_exceptions=False).stdout


def _run(*words: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(_say(*words, "--json"))


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
    return _run(*words.split(), "--supply", "5", "--rate-table", str(rates), "--lane", "entry:East")


def test_a_place_is_shown_and_set_right(place: dict[str, Any]) -> None:
    owner = ("--operator", place["operator_id"])
    shown = _run("occupancy", "show", place["place_id"], *owner)
    [pool] = shown["pools"]
    assert shown["total"] == {"spaces": 5, "occupied": 0, "free": 5}
    assert (pool["spaces"], pool["occupied"], pool["free"], pool["is_full"]) == (5, 0, 5, False)
    why = ("--by", "Lee", "--reason", "counted")
    told = _run("occupancy", "set", pool["pool_id"], *owner, "--occupied", "5", *why)
    assert (told["before"], told["after"], told["by"]) == (0, 5, "command:Lee")
    said = _say("occupancy", "show", place["place_id"], *owner)
    assert "FULL" in said
    assert said.splitlines()[-1] == "5 of 5 taken, 0 free"
    said = _say("occupancy", "sign", pool["pool_id"], *owner, "--keep-closed")
    assert said == "kept closed when full\n"
    assert _say("occupancy", "set", pool["pool_id"], *owner, "--by-stays", *why) == (
        "5 -> 0 (0 stays)\n"
    )
    [pool] = _run("occupancy", "show", place["place_id"], *owner)["pools"]
    assert (pool["occupied"], pool["is_full"], pool["keeps_closed"]) == (0, False, True)


def test_what_makes_no_sense_is_refused(place: dict[str, Any]) -> None:
    owner = ("--operator", place["operator_id"])
    [pool] = _run("occupancy", "show", place["place_id"], *owner)["pools"]
    why = ("--by", "Lee", "--reason", "counted")
    for words in ((), ("--occupied", "1", "--by-stays")):
        with pytest.raises(InvalidInputError, match=r"^occupied"):
            _run("occupancy", "set", pool["pool_id"], *owner, *words, *why)
    with pytest.raises(InvalidInputError, match=r"^by"):
        _run(
            "occupancy", "set", pool["pool_id"], *owner, "--by-stays", "--by", " ", "--reason", "x"
        )
    with pytest.raises(PoolUnknownError):
        _run("occupancy", "set", place["place_id"], *owner, "--by-stays", *why)
