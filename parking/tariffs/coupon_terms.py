"""A coupon of a driver as the price sees it: its terms, and what the driver wants of it."""

from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from parking.tariffs.model_part import Part, misfit

PERCENT_MAX: Final = 100
COUPON_MINUTES_MAX: Final = 44_640
COUPON_MINOR_MAX: Final = 1_000_000_000
COUPON_NAME_LENGTH_MAX: Final = 80
GROUP_LENGTH_MAX: Final = 40
PRIORITY_MAX: Final = 100
# Every lawful combination of them is priced: eight have at most 93 of up to three.
COUPONS_MAX: Final = 8
COMBINED_MAX: Final = 3


class CouponKindName(StrEnum):
    """What a coupon takes off, by name."""

    AMOUNT = "amount"
    PERCENT = "percent"
    MINUTES = "minutes"
    FREE = "free"


class CouponWish(StrEnum):
    """What a driver wants of a coupon, by name."""

    AUTO = "auto"
    PINNED = "pinned"
    HELD = "held"


CouponKind = Literal["amount", "percent", "minutes", "free"]
CouponChoice = Literal["auto", "pinned", "held"]

_Minor = Annotated[int, Field(ge=1, le=COUPON_MINOR_MAX)]


class CouponTerms(Part):
    """What a coupon takes off what the rate table and its validations leave.

    amount: so many minor units. percent: of the price, rounded in the driver's favour. minutes:
    what the stay would cost less if that many more of its first minutes were free. free:
    everything.

    Attributes:
        id: The driver's coupon.
        amount_minor_max: The most that it takes off one stay; None for no limit.
        group: Of one group at most one counts; empty for none.
        is_exclusive: It counts alone.
        priority: Between combinations of the same price the higher sum counts.
        choice: What the driver wants: by itself, always where it may, or not for this stay.
    """

    id: Annotated[UUID, Field(strict=False)]
    name: Annotated[str, Field(min_length=1, max_length=COUPON_NAME_LENGTH_MAX)]
    kind: CouponKind
    value: _Minor | None = None
    amount_minor_max: _Minor | None = None
    group: Annotated[str, Field(max_length=GROUP_LENGTH_MAX)] = ""
    is_exclusive: bool = False
    priority: Annotated[int, Field(ge=0, le=PRIORITY_MAX)] = 0
    choice: CouponChoice = "auto"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.value is None) != (self.kind == "free"):
            raise misfit("`value` for every kind but free", "value")
        most = {"percent": PERCENT_MAX, "minutes": COUPON_MINUTES_MAX}.get(self.kind)
        if most is not None and (self.value or 0) > most:
            raise misfit(f"less than or equal to {most}", "value")
        return self
