"""Refusals about how a driver wants to be told."""

from parking.kit.errors import ParkingError


class CategoryAlwaysToldError(ParkingError):
    """Bills and security can be moved between channels, and never be switched off altogether."""

    code = "CATEGORY_ALWAYS_TOLD"

    def __init__(self, category: str) -> None:
        super().__init__(f"{category}: the inbox and one other channel at least stay on")


class NoticeUnknownError(ParkingError):
    """The driver has no such notice, or no such delivery."""

    code = "NOTICE_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("no such notification of yours")
