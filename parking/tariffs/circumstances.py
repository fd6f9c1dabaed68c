"""What a price depends on besides the clock: the vehicle, its rights and what was granted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from parking.tariffs.coupon_terms import COUPONS_MAX, CouponTerms
from parking.tariffs.model_part import Part, items, misfit, validated
from parking.tariffs.rate_terms import VehicleClass
from parking.tariffs.run import PriceReason

EXEMPTIONS_MAX: Final = 500
GRANTS_MAX: Final = 32
ALLOWANCE_PERIODS_MAX: Final = 500
_AMOUNT_MINOR_MAX: Final = 1_000_000_000_000
_SECONDS_MAX: Final = 400 * 86_400


def _require_time(value: object) -> object:
    # Numbers would be taken for seconds since 1970.
    if not isinstance(value, str | datetime):
        raise ValueError("a time such as 2025-03-03T09:00:00+00:00")  # noqa: TRY004 - for pydantic
    return value


def _require_free_reason(reason: PriceReason) -> PriceReason:
    if reason is not PriceReason.PASS:
        raise ValueError("'pass'")
    return reason


_Name = Annotated[str, Field(min_length=1, max_length=100)]
_Names = Annotated[tuple[_Name, ...], items(most=GRANTS_MAX)]
_Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_require_time)]
_Seconds = Annotated[int, Field(ge=0, le=_SECONDS_MAX)]
_Periods = Annotated[dict[_Name, _Seconds], Field(max_length=ALLOWANCE_PERIODS_MAX)]


class Vehicle(Part):
    """What the operator knows of the vehicle."""

    vehicle_class: VehicleClass = "car"
    is_ev: bool = False
    is_resident: bool = False


class Exemption(Part):
    """A range `[starts_at, ends_at)` that costs nothing, such as the time that a pass covers.

    At the start of a stay it moves the start of the ladder, later it is like hours without charge.

    Attributes:
        ends_at: None for no end.
        reason: What the bill gives as the reason.
        note: Names the right, such as the pass.
    """

    starts_at: _Instant
    ends_at: _Instant | None = None
    reason: Annotated[PriceReason, Field(strict=False), AfterValidator(_require_free_reason)] = (
        PriceReason.PASS
    )
    note: Annotated[str, Field(max_length=100)] = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ends_at is not None and self.ends_at < self.starts_at:
            raise misfit("a time not before starts_at", "ends_at")
        return self


class Circumstances(Part):
    """All that pricing may know of a stay besides its times; a pure input that a bill can keep.

    Attributes:
        merchants: Whose customer the driver is.
        allowances_used_s: What earlier stays took, by allowance and period (see `RateAllowance`).
        validations: Names of the table's validations that were granted; each counts once.
        coupons: The driver's own that may count for this stay, each once; the best of them do.
        continues_from: Original entry where this stay continues an earlier one.
        billed_before_minor: What earlier stays that this one continues were billed; not deducted
            by `price`.
    """

    vehicle: Vehicle = Vehicle()
    has_pass: bool = False
    merchants: _Names = ()
    exemptions: Annotated[tuple[Exemption, ...], items(most=EXEMPTIONS_MAX)] = ()
    allowances_used_s: Annotated[Mapping[_Name, _Periods], Field(max_length=GRANTS_MAX)] = Field(
        default_factory=dict[str, dict[str, int]]
    )
    validations: _Names = ()
    coupons: Annotated[tuple[CouponTerms, ...], items(most=COUPONS_MAX)] = ()
    continues_from: _Instant | None = None
    billed_before_minor: Annotated[int, Field(ge=0, le=_AMOUNT_MINOR_MAX)] = 0

    def to_json(self) -> dict[str, Any]:
        """Return what differs from `NO_CIRCUMSTANCES`, as JSON values; `{}` for none."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Return the circumstances that `to_json` gave.

        Raises:
            InvalidInputError: names the path of the first field that does not fit.
        """
        return validated(cls, data, "circumstances")


NO_CIRCUMSTANCES: Final = Circumstances()
