"""What a price plot shows: the price by the length of the stay, its caps and its free time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from parking.kit.money import Money, minor_digits
from parking.tariffs.first_steps import changes_by_the_second
from parking.tariffs.rules import (
    NO_CIRCUMSTANCES,
    Circumstances,
    PriceReason,
    PriceStep,
    RateTable,
    price,
    price_curve,
)

POINTS: Final = 400
CAP_LINES_MAX: Final = 6
_MINUTES_PER_HOUR: Final = 60
_FREE_REASONS: Final = frozenset(
    {PriceReason.FREE, PriceReason.FREE_FIRST, PriceReason.NO_CHARGE_HOURS, PriceReason.GRACE}
)


class StretchKind(StrEnum):
    """Why a stretch of a stay adds nothing to its price."""

    FREE = "free"
    CAPPED = "capped"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the stay in which the price does not rise."""

    starts_at: datetime
    ends_at: datetime
    kind: StretchKind


@dataclass(frozen=True, slots=True)
class CapLevel:
    """A cap of the table, drawn as a level where it stands within the plot."""

    label: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class PlottedCurve:
    """The price of stays that begin at one instant, by when they end."""

    title: str
    zone: ZoneInfo
    currency: str
    entered_at: datetime
    until: datetime
    steps: tuple[PriceStep, ...]
    caps: tuple[CapLevel, ...]
    stretches: tuple[Stretch, ...]

    def major(self, amount_minor: int) -> float:
        """Return an amount in the currency's major unit, to draw it."""
        return amount_minor / 10 ** minor_digits(self.currency)

    def corners(self) -> tuple[list[datetime], list[float]]:
        """Return the steps as corners of one line: each price holds until the next one."""
        times: list[datetime] = []
        prices: list[float] = []
        for step in self.steps:
            if prices:
                times.append(step.at)
                prices.append(prices[-1])
            times.append(step.at)
            prices.append(self.major(step.total_minor))
        if times:
            times.append(self.until)
            prices.append(prices[-1])
        return times, prices


def curve_of(
    table: RateTable,
    entered_at: datetime,
    until: datetime,
    circumstances: Circumstances = NO_CIRCUMSTANCES,
    *,
    title: str = "",
) -> PlottedCurve:
    """Return the curve of stays that begin at `entered_at` and end by `until`.

    Raises:
        InvalidInputError: as `price`.
    """
    steps = _steps(table, entered_at, until, circumstances)
    return PlottedCurve(
        title=title or table.name,
        zone=table.zone,
        currency=table.currency,
        entered_at=entered_at,
        until=until,
        steps=steps,
        caps=_levels(table.table_of(table.variant_for(circumstances))),
        stretches=tuple(_stretches(table, entered_at, until, circumstances)),
    )


def _steps(
    table: RateTable, entered_at: datetime, until: datetime, circumstances: Circumstances
) -> tuple[PriceStep, ...]:
    """Return the steps, or as many points as can be told apart where there is one a second."""
    if not changes_by_the_second(table):
        return price_curve(table, entered_at, until, circumstances)
    moments = (entered_at + (until - entered_at) * index / POINTS for index in range(POINTS + 1))
    return tuple(
        PriceStep(at, price(table, entered_at, at, circumstances).total.amount_minor)
        for at in moments
    )


def _levels(table: RateTable) -> tuple[CapLevel, ...]:
    """Return the caps, those of one amount as one level with all their names."""
    labels: dict[int, list[str]] = {}
    for cap in _caps(table):
        labels.setdefault(cap.amount_minor, []).append(cap.label)
    levels = [
        CapLevel(f"at most {Money(amount, table.currency).format()} {', '.join(names)}", amount)
        for amount, names in labels.items()
    ]
    return tuple(levels[:CAP_LINES_MAX])


def _caps(table: RateTable) -> Iterator[CapLevel]:
    for cap in table.caps:
        if cap.per == "calendar_day":
            period = "a day"
        elif cap.minutes is None:
            period = "a stay"
        elif cap.minutes % _MINUTES_PER_HOUR:
            period = f"in {cap.minutes} min"
        else:
            period = f"in {cap.minutes // _MINUTES_PER_HOUR} h"
        where = "" if cap.collection is None else table.collections[cap.collection].name
        yield CapLevel(f"{period} {where}".strip(), cap.amount_minor)
    for collection in table.collections:
        if collection.cap_minor is not None:
            where = collection.name or "-".join(collection.window)
            yield CapLevel(f"for {where}", collection.cap_minor)


def _stretches(
    table: RateTable, entered_at: datetime, until: datetime, circumstances: Circumstances
) -> Iterator[Stretch]:
    """Yield what the lines of the stay say; a package would leave only one line."""
    variants = tuple(each.model_copy(update={"packages": None}) for each in table.variants)
    plain = table.model_copy(update={"packages": (), "variants": variants})
    rises = [step.at for step in _steps(plain, entered_at, until, circumstances)]
    for line in price(plain, entered_at, until, circumstances).lines:
        if line.reason in _FREE_REASONS:
            yield Stretch(line.starts_at, line.ends_at, StretchKind.FREE)
        elif line.capped_from_minor is not None:
            # The last blocks before the cap still cost something.
            within = [at for at in rises if line.starts_at <= at < line.ends_at]
            yield Stretch(max(within, default=line.starts_at), line.ends_at, StretchKind.CAPPED)
