"""What an operator may say of a pool, and the times that follow from it for a reservation."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from parking.kit.errors import InvalidInputError
from parking.offers.models import RightPool

NAME_LENGTH_MAX: Final = 80
SPACES_MAX: Final = 2000
# One in ten: an operator who accepts more does not keep its word.
RISK_BASIS_POINTS_MAX: Final = 1000
DAY_S: Final = 24 * 3600
RESERVATIONS_PER_DRIVER_MAX: Final = 3
# What a driver did not come for counts so long: nobody keeps spaces from others for nothing, or
# lets a pool look as though hardly anybody came.
MISSED_COUNTS: Final = timedelta(days=1)
WINDOW_S_MIN: Final = 600
_LIMITS_S: Final = {
    "ahead_s_min": (0, 7 * DAY_S),
    "ahead_s_max": (0, 365 * DAY_S),
    "stay_s_max": (900, 31 * DAY_S),
    "kept_ahead_s": (0, 4 * 3600),
    "grace_s": (300, DAY_S),
    "cancellable_s": (0, 7 * DAY_S),
    "offer_s": (60, 7 * DAY_S),
}


@dataclass(frozen=True, slots=True)
class PoolTerms:
    """What an operator says of a pool; see `RightPool`.

    Raises:
        InvalidInputError: a value is out of its limits.
    """

    name: str
    spaces: int
    risk_basis_points: int = 0
    ahead_s_min: int = 0
    ahead_s_max: int = 14 * DAY_S
    stay_s_max: int = DAY_S
    kept_ahead_s: int = 900
    grace_s: int = 1800
    cancellable_s: int = 0
    offer_s: int = 900
    holds_offers: bool = True
    is_on_sale: bool = True

    def __post_init__(self) -> None:
        if not 0 < len(self.name.strip()) <= NAME_LENGTH_MAX:
            raise InvalidInputError("name", f"1 to {NAME_LENGTH_MAX} characters")
        _require("spaces", self.spaces, 0, SPACES_MAX)
        _require("risk_basis_points", self.risk_basis_points, 0, RISK_BASIS_POINTS_MAX)
        for field, (least, most) in _LIMITS_S.items():
            _require(field, getattr(self, field), least, most)
        if self.ahead_s_min > self.ahead_s_max:
            raise InvalidInputError("ahead_s_min", "at most ahead_s_max")

    def put_on(self, pool: RightPool) -> None:
        """Let them be the pool's."""
        pool.name = self.name.strip()
        for field in self.__slots__:
            if field != "name":
                setattr(pool, field, getattr(self, field))


@dataclass(frozen=True, slots=True)
class Times:
    """When a reservation begins, ends, and what is done about it when."""

    starts_at: datetime
    ends_at: datetime
    kept_from: datetime
    kept_until: datetime
    cancellable_until: datetime


def times_of(
    pool: RightPool, *, arrives_from: datetime, arrives_until: datetime, ends_at: datetime
) -> Times:
    """Return a reservation's times by its pool's terms."""
    return Times(
        starts_at=arrives_from,
        ends_at=ends_at,
        kept_from=arrives_from - timedelta(seconds=pool.kept_ahead_s),
        kept_until=min(arrives_until + timedelta(seconds=pool.grace_s), ends_at),
        cancellable_until=arrives_from - timedelta(seconds=pool.cancellable_s),
    )


def require_window(
    pool: RightPool, *, starts_at: datetime, ends_at: datetime, now: datetime
) -> None:
    """Let a window pass that the pool's terms allow.

    Raises:
        InvalidInputError: it lies in the past, begins too soon or too late, or is too short or too
            long.
    """
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise InvalidInputError("startsAt", "times with their offset from UTC")
    ahead_s = (starts_at - now).total_seconds()
    if not pool.ahead_s_min <= ahead_s <= pool.ahead_s_max:
        expected = f"{pool.ahead_s_min} to {pool.ahead_s_max} seconds from now"
        raise InvalidInputError("startsAt", expected)
    if not WINDOW_S_MIN <= (ends_at - starts_at).total_seconds() <= pool.stay_s_max:
        expected = f"{WINDOW_S_MIN} to {pool.stay_s_max} seconds after the start"
        raise InvalidInputError("endsAt", expected)


def _require(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInputError(field, f"{least} to {most}")
