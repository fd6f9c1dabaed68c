"""Refusals about rate tables."""

from parking.kit.errors import ParkingError


class RateTableMissingError(ParkingError):
    """The place has no rate table in force at that time."""

    code = "RATE_TABLE_MISSING"
