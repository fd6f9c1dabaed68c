"""A CSV file of vehicles: read whole, or refused with every bad cell named."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from parking.plates.vehicles import VehicleEntry
from sesame import vehicle_file
from sesame.vehicle_file import VehicleFileError, read_vehicles


def problems(text: str, *, zone: ZoneInfo | None = None) -> list[str]:
    with pytest.raises(VehicleFileError) as caught:
        read_vehicles(text.encode(), zone=zone)
    return caught.value.problems


def test_every_column_is_read() -> None:
    text = (
        "\ufeffPlate,vehicle_class,is_ev,is_resident,note,valid_from,valid_until\r\n"
        'b-sm 1234,van,yes,no,"Miller, ground floor",2026-01-01,2026-12-31T12:00:00+01:00\r\n'
        "\r\n"
        "京A·12345,,,1,,,\r\n"
    )
    assert read_vehicles(text.encode(), zone=ZoneInfo("Europe/Berlin")) == [
        VehicleEntry(
            plate="BSM1234",
            vehicle_class="van",
            is_ev=True,
            note="Miller, ground floor",
            valid_from=datetime(2025, 12, 31, 23, tzinfo=UTC),
            valid_until=datetime(2026, 12, 31, 11, tzinfo=UTC),
        ),
        VehicleEntry(plate="京A12345", is_resident=True),
    ]


def test_one_column_is_enough() -> None:
    assert read_vehicles(b"plate\nAB123\n") == [VehicleEntry(plate="AB123")]
    assert read_vehicles(b"plate\n") == []


def test_every_bad_cell_is_named_with_its_line_and_column() -> None:
    text = (
        "plate,vehicle_class,is_ev,valid_from,valid_until,note\n"
        "AB123,tank,maybe,,,\n"
        "!,car,,,,\n"
        "CD456,car,no,soon,2026-01-01,\n"
        "EF789,car,no,2026-01-02T00:00:00Z,2026-01-01T00:00:00Z,\n"
        "ab-123,car\n"
        f"GH1,car,,,,{'x' * 201}\n"
    )
    found = problems(text)
    assert [problem.split(": ")[0] for problem in found] == [
        "line 2, column vehicle_class",
        "line 2, column is_ev",
        "line 3, column plate",
        "line 4, column valid_from",
        "line 4, column valid_until",
        "line 5, column valid_until",
        "line 6",
        "line 7, column note",
    ]
    assert found[0] == (
        "line 2, column vehicle_class: expected one of car, motorcycle, van, truck, bus, other, "
        "got 'tank'"
    )


def test_a_plate_comes_once_however_it_is_spelled() -> None:
    [problem] = problems("plate\nAB 123\nCD4\nab-123\n")
    assert problem == (
        "line 4, column plate: expected each plate once, it is on line 2 already, got 'ab-123'"
    )


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "line 1: expected a header"),
        ("vehicle_class\ncar\n", "line 1: expected a header"),
        ("plate,plate\na,b\n", "line 1: expected a header"),
        ("plate,colour\nAB1,red\n", "line 1, column 'colour': expected one of plate"),
        ('plate\n"AB1\n', "line 2: expected CSV"),
    ],
)
def test_what_is_no_such_file(text: str, start: str) -> None:
    assert problems(text)[0].startswith(start)


def test_other_encodings_are_refused() -> None:
    with pytest.raises(VehicleFileError, match="expected UTF-8"):
        read_vehicles("plate\n京A12345\n".encode("gb18030"))


def test_a_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vehicle_file, "ROWS_MAX", 2)
    assert problems("plate\nA1\nA2\nA3\n") == ["line 4: expected at most 2 vehicles"]
    monkeypatch.setattr(vehicle_file, "PROBLEMS_MAX", 3)
    assert len(problems("plate\n" + "!\n" * 10)) == 3
    monkeypatch.setattr(vehicle_file, "FILE_BYTES_MAX", 10)
    assert problems("plate\nA1\nA2\nA3\n") == ["file: expected at most 10 bytes"]


def test_what_no_database_keeps_is_a_bad_cell() -> None:
    text = 'plate,note,valid_from\nAB123,a\x00b,\nCD456,"a\nb",\nEF789,,0001-01-01\n'
    assert problems(text, zone=ZoneInfo("Asia/Shanghai")) == [
        "line 2, column note: expected at most 200 characters in one line, got 'a\\x00b'",
        "line 4, column note: expected at most 200 characters in one line, got 'a\\nb'",
        "line 5, column valid_from: expected a time from year 1 to 9999 in UTC, got '0001-01-01'",
    ]
