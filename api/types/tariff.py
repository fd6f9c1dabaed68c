"""Tariffs in words, and quotes."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from api.types.money import Money
from parking.flows import quotes
from parking.kit import money
from parking.tariffs.rules import PriceLine, PriceStep


@strawberry.type(description="Sentences under a heading; the heading may be empty.")
class TariffSection:
    """Sentences under a heading."""

    heading: str
    lines: list[str]


@strawberry.type(description="What one stay would cost.")
class TariffExample:
    """What one stay would cost."""

    words: str
    entered_at: datetime
    left_at: datetime
    amount: Money


@strawberry.type(description="What a place charges those who enter now, for everybody to read.")
class Tariff:
    """What a place charges."""

    version: int = strawberry.field(description="Counts the versions of the place's rate table.")
    effective_at: datetime = strawberry.field(description="Since when the version is in force.")
    currency: str
    sections: list[TariffSection]
    examples: list[TariffExample]
    rate_table: JSON = strawberry.field(
        description="The rate table itself: with it anybody can recompute a bill."
    )

    @classmethod
    def of(cls, told: quotes.ToldTariff) -> "Tariff":
        """Return the tariff for a client."""
        currency = told.table.currency
        return cls(
            version=told.version.version,
            effective_at=told.version.effective_at,
            currency=currency,
            sections=[
                TariffSection(heading=section.heading, lines=list(section.lines))
                for section in told.explanation.sections
            ],
            examples=[
                TariffExample(
                    words=example.words,
                    entered_at=example.entered_at,
                    left_at=example.left_at,
                    amount=_money(example.amount_minor, currency),
                )
                for example in told.explanation.examples
            ],
            rate_table=JSON(told.version.body),
        )


@strawberry.type(description="One line of a price; the lines add up to the total.")
class QuoteLine:
    """One line of a price."""

    reason: str = strawberry.field(description="Stable word, such as `increment` or `package`.")
    starts_at: datetime
    ends_at: datetime
    block_minutes: int | None
    block_count: int | None
    amount: Money
    running_total: Money
    capped_from: Money | None = strawberry.field(
        description="What the line would cost without a cap or package; null if none takes off."
    )
    collection: str = strawberry.field(description="Which hours of the tariff, if they are named.")
    note: str = strawberry.field(description="The cap or package that set the amount, or empty.")

    @classmethod
    def of(cls, line: PriceLine, currency: str) -> "QuoteLine":
        """Return the line for a client."""
        capped = line.capped_from_minor
        return cls(
            reason=line.reason,
            starts_at=line.starts_at,
            ends_at=line.ends_at,
            block_minutes=line.block_minutes,
            block_count=line.block_count,
            amount=_money(line.amount_minor, currency),
            running_total=_money(line.running_total_minor, currency),
            capped_from=None if capped is None else _money(capped, currency),
            collection=line.collection,
            note=line.note,
        )


@strawberry.type(description="From `at` on, until the next step, leaving costs `total`.")
class PriceCurveStep:
    """One step of a price."""

    at: datetime
    total: Money

    @classmethod
    def of(cls, step: PriceStep, currency: str) -> "PriceCurveStep":
        """Return the step for a client."""
        return cls(at=step.at, total=_money(step.total_minor, currency))


@strawberry.type(description="What a stay costs, by the rate table that is known now.")
class Quote:
    """What a stay costs."""

    total: Money
    lines: list[QuoteLine]
    curve: list[PriceCurveStep] = strawberry.field(
        description="What each shorter stay costs: a step wherever the price changes."
    )
    curve_ends_at: datetime = strawberry.field(
        description="Up to where the curve goes; before `leftAt` where it has too many steps."
    )
    next_change_at: datetime | None
    expires_at: datetime = strawberry.field(description="Ask again then.")
    version: int = strawberry.field(description="The version of the rate table that applies.")
    variant: str = strawberry.field(
        description="Which of the table's variants applies to the vehicle; empty for none."
    )

    @classmethod
    def of(cls, quote: quotes.Quote) -> "Quote":
        """Return the quote for a client."""
        priced = quote.priced
        currency = priced.total.currency
        return cls(
            total=Money.of(priced.total),
            lines=[QuoteLine.of(line, currency) for line in priced.lines],
            curve=[PriceCurveStep.of(step, currency) for step in quote.curve],
            curve_ends_at=quote.curve_ends_at,
            next_change_at=priced.next_change_at,
            expires_at=quote.expires_at,
            version=quote.version.version,
            variant=priced.variant,
        )


@strawberry.input(description="What the price may depend on besides the time.")
class QuotedVehicleInput:
    """What the price may depend on besides the time."""

    vehicle_class: str = strawberry.field(
        default="car", description="`car`, `motorcycle`, `van`, `truck`, `bus` or `other`."
    )
    is_ev: bool = False
    is_resident: bool = False
    has_pass: bool = False


def _money(amount_minor: int, currency: str) -> Money:
    return Money.of(money.Money(amount_minor, currency))
