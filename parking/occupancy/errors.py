"""Refusals about spaces."""

from parking.kit.errors import ParkingError


class AreaFullError(ParkingError):
    """No public space is free, and the area keeps its entries closed then."""

    code = "AREA_FULL"


class PoolUnknownError(ParkingError):
    """The operator has no such area or pool."""

    code = "POOL_UNKNOWN"
