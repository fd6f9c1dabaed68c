"""`sesame place` as a person says it; the fixture `command_settings` says where."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from sesame.commands.place import place_app
from tests.factories.lane_world import RATE_TABLE

ADD = "add --operator-name Riverside --name Riverside --timezone Asia/Shanghai --currency CNY"


def say(*words: str) -> str:
    """Return what the command shows to a person."""
    return CliRunner().invoke(place_app, words, catch_exceptions=False).stdout


def run(*words: str) -> Any:  # noqa: ANN401 - JSON
    """Return what the command tells a program."""
    return json.loads(say(*words, "--json"))


def add_place(folder: Path, *lanes: str) -> dict[str, Any]:
    """Add a place with five spaces and these lanes, such as `entry:In`."""
    rates = folder / "rates.json"
    rates.write_text(json.dumps(RATE_TABLE), encoding="utf-8")
    options = [word for lane in lanes for word in ("--lane", lane)]
    return run(*ADD.split(), "--supply", "5", "--rate-table", str(rates), *options)
