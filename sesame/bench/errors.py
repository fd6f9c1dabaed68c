"""What can go wrong with a measurement."""

from typing import ClassVar

from parking.kit.errors import ParkingError


class BenchFailedError(ParkingError):
    """The system did something wrong while it was measured, so the figures mean nothing."""

    code: ClassVar[str] = "BENCH_FAILED"
