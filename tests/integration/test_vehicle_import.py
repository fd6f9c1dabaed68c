"""`sesame place vehicles import` against a real database."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parking.kit.errors import InvalidInputError
from sesame.commands.place import place_app
from sesame.vehicle_file import VehicleFileError
from tests.integration.place_commands import add_place


class Register:
    """An operator and the command that fills its register."""

    def __init__(self, folder: Path, operator_id: str) -> None:
        self._file = folder / "vehicles.csv"
        self._operator_id = operator_id

    def fill(self, text: str, *options: str) -> Any:  # noqa: ANN401 - JSON
        self._file.write_text(text, encoding="utf-8")
        words = ["vehicles", "import", str(self._file), "--by", "Ada", "--json"]
        outcome = CliRunner().invoke(
            place_app, [*words, "--operator", self._operator_id, *options], catch_exceptions=False
        )
        return json.loads(outcome.stdout)


@pytest.fixture
def register(tmp_path: Path, command_settings: None) -> Register:
    return Register(tmp_path, add_place(tmp_path, "entry:In")["operator_id"])


def test_a_file_is_imported_whole_and_again_changes_nothing(register: Register) -> None:
    text = "plate,vehicle_class,valid_until\n京A12345,van,2030-01-01\nB-SM 1234,,\n"
    zone = ("--timezone", "Asia/Shanghai")
    assert register.fill(text, *zone) == {"vehicles": 2, "changed": 2}
    assert register.fill(text, *zone) == {"vehicles": 2, "changed": 0}
    more = text.replace("van", "bus") + "AB1,car,\n"
    assert register.fill(more, *zone) == {"vehicles": 3, "changed": 2}


def test_one_bad_row_keeps_every_row_out(register: Register) -> None:
    rows = "".join(f"AB{number},car\n" for number in range(10, 2000))
    outcome = register.fill(f"plate,vehicle_class\n{rows}AB9,tank\n")
    classes = "car, motorcycle, van, truck, bus, other"
    problem = f"line 1992, column vehicle_class: expected one of {classes}, got 'tank'"
    assert outcome == {"code": VehicleFileError.code, "problems": [problem]}
    # All of them are new now: nothing of the first file was kept.
    assert register.fill(f"plate,vehicle_class\n{rows}") == {"vehicles": 1990, "changed": 1990}


def test_an_unknown_operator_is_refused(register: Register) -> None:
    with pytest.raises(InvalidInputError, match="operator"):
        register.fill("plate\nAB1\n", "--operator", "00000000-0000-7000-8000-000000000000")
