"""Files of positions: each bad row is named, and nothing of such a file is used."""

import csv
import io
import json
from typing import Any, Final
from uuid import UUID

import pytest

from parking.kit.geography import Position
from parking.places.position_file import (
    FILE_BYTES_MAX,
    ROWS_MAX,
    FiledPlace,
    PositionFileError,
    read_csv,
    read_json,
    write_csv,
    write_json,
)
from parking.places.positions import Entrance, EntranceUse, Whereabouts

ID: Final = UUID("01a20b48-0900-7fa2-9d3f-000000000001")
HEAD: Final = "place_id,latitude,longitude,address,entrances\n"
DOOR: Final = Entrance("Tür, Süd", Position.of(51.0505, 13.7374), EntranceUse.PEDESTRIANS)
RAMP: Final = Entrance("Ramp", Position.of(51.0503, 13.7371), EntranceUse.EVERYBODY)
PLACE: Final = FiledPlace(
    ID, "Altmarkt", Whereabouts(Position.of(51.0504, 13.7373), "Wallstraße 1", (DOOR, RAMP))
)
DOT: Final = {"latitude": 1, "longitude": 2}
AT: Final[dict[str, Any]] = {"place_id": str(ID), **DOT}
PLAIN: Final = FiledPlace(UUID(int=2), "", Whereabouts(Position.of(-0.5, -180)))


def test_what_is_written_is_read_again() -> None:
    for write, read in ((write_csv, read_csv), (write_json, read_json)):
        assert read(write([PLACE, PLAIN])) == [PLACE, PLAIN]
        assert read(write([])) == []
    assert read_csv("\ufeff" + write_csv([PLACE])) == [PLACE]


def test_no_spreadsheet_runs_what_somebody_wrote_and_it_comes_back_as_it_was() -> None:
    for text in ("=cmd|' /C calc'!A1", "+1", "-1", "@SUM(A1)", "'=1+1", "''-1", "'tis a road"):
        placed = FiledPlace(ID, text, Whereabouts(PLAIN.whereabouts.position, text))
        written = write_csv([placed])
        _, [_, name, latitude, longitude, address, _] = csv.reader(io.StringIO(written))
        assert name == address
        assert not name.startswith(("=", "+", "-", "@")), text
        # Numbers stay numbers.
        assert (latitude, longitude) == ("-0.5", "-180.0")
        assert read_csv(written) == [placed]
        assert read_json(write_json([placed])) == [placed]


def test_one_drives_to_the_first_entrance_for_cars_and_walks_from_the_nearest_one() -> None:
    where = PLACE.whereabouts
    assert where.for_vehicles == RAMP.position
    assert where.on_foot(Position.of(51.06, 13.7374)) == DOOR.position
    assert where.on_foot(Position.of(51.04, 13.7371)) == RAMP.position
    assert PLAIN.whereabouts.for_vehicles == PLAIN.whereabouts.position
    assert PLAIN.whereabouts.on_foot(DOOR.position) == PLAIN.whereabouts.position


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: expected each once of"),
        ("place_id,latitude\n", "line 1: expected each once of"),
        ("place_id,latitude,longitude,colour\n", "line 1: expected each once of"),
        ("place_id,latitude,longitude,latitude\n", "line 1: expected each once of"),
        (f"{HEAD}{ID},1\n", "line 2: expected 5 cells"),
        (f"{HEAD}x,1,2,,\n", "line 2, place_id: expected the id of a place"),
        (f"{HEAD}{ID},north,2,,\n", "line 2, latitude: expected degrees"),
        (f"{HEAD}{ID},1,,,\n", "line 2, longitude: expected degrees"),
        (f"{HEAD}{ID},91,2,,\n", "line 2, latitude: expected degrees from -90 to 90"),
        (f"{HEAD}{ID},nan,2,,\n", "line 2, latitude: expected degrees from -90 to 90"),
        (f"{HEAD}\n{ID},1,2,,\n{ID},1,2,,\n", "line 4, place_id: expected each place once"),
        (f"{HEAD}{ID},1,2,{'x' * 201},\n", "line 2, address: expected at most 200 characters"),
        (f"{HEAD}{ID},1,2,,[\n", "line 2, entrances: expected a JSON list"),
        (f"{HEAD}{ID},1,2,,{{}}x\n", "line 2, entrances: expected a JSON list"),
        (f"{HEAD}{ID},1,2,,[1]\n", "line 2, entrances.0: expected an object"),
        (f'{HEAD}{ID},1,2,,"\n', "expected CSV"),
        (HEAD + f"{ID},1,2,,\n" * (ROWS_MAX + 1), f"file: expected at most {ROWS_MAX} places"),
        ("x" * (FILE_BYTES_MAX + 1), f"file: expected at most {FILE_BYTES_MAX} bytes"),
    ],
    ids=range(18),
)
def test_a_bad_row_is_named_by_its_line(text: str, problem: str) -> None:
    with pytest.raises(PositionFileError) as caught:
        read_csv(text)
    assert problem in caught.value.problems[0]


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        (None, "file: expected an object with `places`"),
        ([1], "places.0: expected an object"),
        ([{"place_id": str(ID), "latitude": True, "longitude": 1}], "places.0, latitude"),
        ([{"place_id": str(ID), "latitude": 1, "longitude": [2]}], "places.0, longitude"),
        ([{"place_id": str(ID), "latitude": 10**400, "longitude": 2}], "places.0, latitude"),
        ([{"place_id": str(ID), "latitude": list[int](), "longitude": 2}], "places.0, latitude"),
        (
            [{"place_id": str(ID), "latitude": 1, "longitude": dict[str, int]()}],
            "places.0, longitude",
        ),
        ([AT | {"address": {"street": "Bund"}}], "places.0, address: expected a text"),
        ([AT | {"address": "\ud800"}], "places.0, address: expected at most 200 characters"),
        ([AT | {"address": "a\x00"}], "places.0, address: expected at most 200 characters"),
        ([AT | {"entrances": [{"name": 5, "latitude": 1, "longitude": 2}]}], "entrances.0.name"),
        ([AT | {"entrances": [DOT | {"name": "\x1b[2J"}]}], "entrances.0.name: expected 1 to"),
        (
            [{"place_id": str(ID), "latitude": 1, "longitude": 2, "entrances": {"a": 1}}],
            "entrances",
        ),
        (
            [
                {
                    "place_id": str(ID),
                    "latitude": 1,
                    "longitude": 2,
                    "entrances": [{"name": "Ramp", "latitude": 1, "longitude": 2, "use": "boats"}],
                }
            ],
            "places.0, entrances.0.use: expected one of vehicles, pedestrians, everybody",
        ),
    ],
    ids=range(14),
)
def test_a_bad_place_is_named_by_its_number(places: Any, problem: str) -> None:  # noqa: ANN401 - JSON
    with pytest.raises(PositionFileError) as caught:
        read_json(json.dumps({"places": places}))
    assert problem in caught.value.problems[0]
    with pytest.raises(PositionFileError, match="expected JSON"):
        read_json("{")
