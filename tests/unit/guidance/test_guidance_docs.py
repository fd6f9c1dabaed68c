"""docs/guidance.md says what the code does."""

import re
from pathlib import Path
from typing import Final

from graphql import build_schema, parse, validate

from parking.flows.guidance import expected, nearby
from parking.guidance import walking
from parking.kit.geography import EARTH_RADIUS_M
from parking.places.position_file import COLUMNS
from parking.places.positions import ENTRANCE_AWAY_M_MAX

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "guidance.md").read_text(encoding="utf-8")


def test_the_example_is_valid() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
    [example] = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    assert validate(schema, parse(example)) == []


def test_the_numbers_are_those_of_the_code() -> None:
    for told in (
        f"{nearby.RADIUS_M:,} by default, {nearby.NEARBY_RADIUS_M_MAX:,} at most",
        f"up to {nearby.ARRIVAL_DAYS_AHEAD_MAX} days later",
        f"the nearest {nearby.CANDIDATES_MAX} with room",
        f"a ball of {EARTH_RADIUS_M:,} m",
        f"{walking.DETOUR_FACTOR} times as long",
        f"at {walking.WALKING_M_PER_S} m/s",
        f"up to {expected.ASKED_HOURS_MAX} hours",
        f"within {ENTRANCE_AWAY_M_MAX:,} m",
        f"`{', '.join(COLUMNS)}`",
    ):
        assert told in PAGE, told
