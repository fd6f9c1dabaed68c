"""Refusals about places and lanes."""

from parking.kit.errors import ParkingError


class LaneUnknownError(ParkingError):
    """No such lane, or not with this token: the two are not told apart."""

    code = "LANE_REFUSED"


class PlaceUnknownError(ParkingError):
    """The operator has no such place."""

    code = "PLACE_UNKNOWN"
