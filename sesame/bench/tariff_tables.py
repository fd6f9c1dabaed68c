"""Which rate tables quotes are measured over."""

import json
from pathlib import Path
from typing import Any, Final

from parking.kit.errors import InvalidInputError
from sesame.demo.rate_tables import OLD_TOWN, SHOPPING_CENTRE

# Beside this checkout, where the published tariffs are at hand.
PUBLISHED: Final = Path(__file__).parents[3] / "shared" / "tariffs" / "vectors.json"
FILE_BYTES_MAX: Final = 4 * 1024 * 1024


def _blocks(value: int, block: int, start: int = 0, end: int | None = None) -> dict[str, Any]:
    line = {"kind": "increment", "value": value, "block": block, "from": start}
    return line if end is None else line | {"to": end}


# Streets: workdays and other days by their own ladder, over the charged hours only.
STREET: Final[dict[str, Any]] = {
    "timezone": "Asia/Shanghai",
    "currency": "CNY",
    "grace": 15,
    "collections": [
        {
            "name": name,
            "days": [name],
            "window": [opens, "20:30"],
            "clock": "charged",
            "lines": [_blocks(first, 15, 0, 60), _blocks(then, 15, 60)],
        }
        for name, opens, first, then in (
            ("workday", "07:30", 250, 375),
            ("nonworkday", "09:00", 150, 225),
        )
    ],
}
# A lot in town: blocks of 20 minutes by day and of an hour by night, each window capped.
DAY_AND_NIGHT_CAPS: Final[dict[str, Any]] = {
    "timezone": "Asia/Tokyo",
    "currency": "JPY",
    "collections": [
        {
            "name": "day",
            "window": ["08:00", "22:00"],
            "clock": "window",
            "cap": 1800,
            "lines": [_blocks(220, 20)],
        },
        {
            "name": "night",
            "window": ["22:00", "08:00"],
            "clock": "window",
            "cap": 500,
            "lines": [_blocks(110, 60)],
        },
    ],
}
# An airport: tiers of a ladder that starts again every 24 hours, under a cap of as long.
AIRPORT: Final[dict[str, Any]] = {
    "timezone": "America/Denver",
    "currency": "USD",
    "free_first": 10,
    "ladder_reset": "rolling",
    "ladder_minutes": 1440,
    "caps": [{"per": "rolling", "minutes": 1440, "amount": 1800}],
    "collections": [
        {
            "lines": [
                {"kind": "flat", "value": 300, "from": 0, "to": 60},
                _blocks(200, 30, 60),
            ]
        }
    ],
}
# A garage: an hourly price, a price for the night, and early birds.
GARAGE: Final[dict[str, Any]] = {
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "holidays": ["2025-12-25", "2025-12-26", "2026-01-01"],
    "collections": [
        {"name": "day", "window": ["06:00", "20:00"], "lines": [_blocks(250, 60)]},
        {
            "name": "night",
            "window": ["20:00", "06:00"],
            "clock": "window",
            "lines": [{"kind": "flat", "value": 400, "from": 0}],
        },
    ],
    "packages": [
        {
            "name": "early bird",
            "days": ["workday"],
            "enter": ["05:00", "09:00"],
            "exit": ["15:00", "20:00"],
            "amount": 1400,
        }
    ],
}
BUILT_IN: Final[dict[str, dict[str, Any]]] = {
    "street": STREET,
    "day-and-night-caps": DAY_AND_NIGHT_CAPS,
    "airport": AIRPORT,
    "garage": GARAGE,
    "old-town": OLD_TOWN,
    "shopping-centre": SHOPPING_CENTRE,
}


def tables_to_measure(file: Path | None) -> tuple[str, dict[str, Any]]:
    """Return where the tables are from, and their data by name.

    Args:
        file: A list of objects with `id` and `rate_table`; None for the published tariffs, or
            the tables built in where those are not at hand.

    Raises:
        InvalidInputError: the file is not such a list.
    """
    if file is None and not PUBLISHED.exists():
        return "built in", BUILT_IN
    source = file or PUBLISHED
    tables = _read(source)
    if not tables:
        raise InvalidInputError("tables", "at least one rate table")
    return source.name, tables


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise InvalidInputError("tables", f"a file of at most {FILE_BYTES_MAX} bytes")
        return {str(each["id"]): each["rate_table"] for each in json.loads(content)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        expected = "a JSON file with a list of objects that have `id` and `rate_table`"
        raise InvalidInputError("tables", expected) from error
