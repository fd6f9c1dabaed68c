"""What the bill of a pass's period stores so that anybody can recompute it: one pure function."""

from datetime import UTC, date
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field

from parking.flows.bills.bill_basis import CREDITS_MAX, StoredCredit
from parking.flows.bills.bill_lines import BillLine, Credit, StayLines, add_credit
from parking.kit.money import Money
from parking.passes.local_time import midnight
from parking.passes.models import AssignedRight, RightSpecification
from parking.passes.periods import PeriodKind, PeriodTerms, boundary, first_price
from parking.passes.products import PERIOD_DAYS_MAX, PRICE_MINOR_MAX
from parking.tariffs.model_part import Part, validated

# The reason of the line that is the period's price.
PERIOD_REASON: Final = "pass_period"
PERIODS_MAX: Final = 100_000


class PassBasis(Part):
    """Everything that the bill of one period follows from.

    Attributes:
        pass_format: Of this form; a later one gets the next number.
        description: The product's name, as the payer reads it.
        price_minor: Of a whole period, as it was sold or announced.
        first_day: The local day on which the pass began.
        starts_at: When the pass began to be valid; the first period begins then.
        period: Which period it is, from 1.
        credits: What went back, in its order.
    """

    pass_format: Literal[1] = 1
    description: Annotated[str, Field(max_length=100)]
    specification_id: Annotated[UUID, Field(strict=False)]
    price_minor: Annotated[int, Field(ge=0, le=PRICE_MINOR_MAX)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    timezone: Annotated[str, Field(max_length=64)]
    period_kind: Annotated[PeriodKind, Field(strict=False)]
    period_days: Annotated[int, Field(ge=1, le=PERIOD_DAYS_MAX)] | None = None
    is_prorated: bool = False
    first_day: Annotated[date, Field(strict=False)]
    starts_at: Annotated[AwareDatetime, Field(strict=False)]
    period: Annotated[int, Field(ge=1, le=PERIODS_MAX)]
    credits: Annotated[tuple[StoredCredit, ...], Field(strict=False, max_length=CREDITS_MAX)] = ()

    @classmethod
    def of(cls, right: AssignedRight, product: RightSpecification, price_minor: int) -> Self:
        """Return what the bill of the pass's next period follows from."""
        return cls(
            description=product.name,
            specification_id=product.id,
            price_minor=price_minor,
            currency=product.currency,
            timezone=product.timezone,
            period_kind=PeriodKind(product.period),
            period_days=product.period_days,
            is_prorated=product.is_prorated,
            first_day=right.first_day,
            starts_at=right.starts_at,
            period=right.periods + 1,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the basis as a bill holds it."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Return the basis that `to_json` gave.

        Raises:
            InvalidInputError: names the path of the first field that does not fit.
        """
        return validated(cls, data, "basis")


def recompute(basis: PassBasis) -> StayLines:
    """Return the lines and the total of a period's bill from nothing but its basis."""
    terms = PeriodTerms(basis.period_kind, basis.period_days, basis.is_prorated)
    zone = ZoneInfo(basis.timezone)
    is_first = basis.period == 1
    begins = midnight(zone, boundary(terms, basis.first_day, basis.period - 1))
    price_minor = basis.price_minor
    if is_first:
        price_minor = first_price(terms, basis.first_day, price_minor)
    lines = [
        BillLine(
            reason=PERIOD_REASON,
            amount_minor=price_minor,
            running_total_minor=price_minor,
            starts_at=basis.starts_at.astimezone(UTC) if is_first else begins,
            ends_at=midnight(zone, boundary(terms, basis.first_day, basis.period)),
            note=basis.description,
        )
    ]
    for item in basis.credits:
        add_credit(lines, Credit(item.reason, item.amount_minor, item.note))
    return StayLines(
        lines=tuple(lines),
        total=Money(price_minor, basis.currency),
        due=Money(lines[-1].running_total_minor, basis.currency),
    )
