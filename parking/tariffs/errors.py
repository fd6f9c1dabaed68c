"""Refusals about rate tables."""

from collections.abc import Sequence

from parking.kit.errors import ParkingError

PATHS_SHOWN_MAX = 5


class RateTableMissingError(ParkingError):
    """The place has no rate table in force at that time."""

    code = "RATE_TABLE_MISSING"


class RateTableUnsoundError(ParkingError):
    """A look at the rate table found errors, and nobody accepted them.

    Attributes:
        paths: Where in the rate table they are.
    """

    code = "RATE_TABLE_UNSOUND"

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        shown = "; ".join(f"{path}: {words}" for path, words in found[:PATHS_SHOWN_MAX])
        super().__init__(f"rate_table: expected no errors, or that you accept them ({shown})")
        self.paths = tuple(path for path, _ in found)
