"""Refusals about spaces."""

from uuid import UUID

from parking.kit.errors import ParkingError


class AreaFullError(ParkingError):
    """No public space is free, and the area keeps its entries closed then.

    Attributes:
        reservation_id: Of the car, where it was promised one; None for any other.
    """

    code = "AREA_FULL"

    def __init__(self, message: str, reservation_id: UUID | None = None) -> None:
        super().__init__(message)
        self.reservation_id = reservation_id


class PoolUnknownError(ParkingError):
    """The operator has no such area or pool."""

    code = "POOL_UNKNOWN"
