"""Who gets what: eligibility, allowances and validations of a rate table."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from parking.tariffs.circumstances import Circumstances
from parking.tariffs.model_part import Part, items, misfit
from parking.tariffs.rate_terms import AMOUNT_MINOR_MAX, GivenName, Minutes, VehicleClass

PERCENT_MAX: Final = 100
_NAMES_MAX: Final = 64
_Some = items(least=1, most=_NAMES_MAX)


class RateEligibility(Part):
    """Whom something is for: every condition that is given must hold; without any, everybody.

    Attributes:
        merchants: The driver is a customer of one of them.
    """

    vehicle_classes: Annotated[tuple[VehicleClass, ...], _Some] | None = None
    ev: bool | None = None
    resident: bool | None = None
    pass_holder: bool | None = None
    merchants: Annotated[tuple[GivenName, ...], _Some] | None = None

    def fits(self, circumstances: Circumstances) -> bool:
        """Whether every condition holds."""
        vehicle = circumstances.vehicle
        return (
            (self.vehicle_classes is None or vehicle.vehicle_class in self.vehicle_classes)
            and self.ev in {None, vehicle.is_ev}
            and self.resident in {None, vehicle.is_resident}
            and self.pass_holder in {None, circumstances.has_pass}
            and (
                self.merchants is None
                or not set(self.merchants).isdisjoint(circumstances.merchants)
            )
        )


class RateAllowance(Part):
    """The first minutes of chargeable time in each period are free, such as an EV's first hour.

    Attributes:
        per: calendar_day: the local day, over all stays of the vehicle; the period's key is its
            date. session: this stay; its key is empty.
    """

    name: GivenName
    minutes: Minutes
    per: Literal["calendar_day", "session"] = "calendar_day"
    eligibility: RateEligibility = RateEligibility()


class RateValidation(Part):
    """What a merchant's or the operator's coupon takes off a stay.

    minutes: the first minutes are free. amount: so much less. percent: of the price, rounded in
    the driver's favour. free: everything.
    """

    name: GivenName
    kind: Literal["minutes", "amount", "percent", "free"]
    value: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.value is None) != (self.kind == "free"):
            raise misfit("`value` for every kind but free", "value")
        if self.kind == "percent" and (self.value or 0) > PERCENT_MAX:
            raise misfit(f"less than or equal to {PERCENT_MAX}", "value")
        return self
