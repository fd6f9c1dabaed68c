"""Packages: one price for a stay that enters and leaves in given local windows."""

from typing import NamedTuple

from parking.tariffs.rate_table import MINUTES_PER_DAY, RatePackage, RateTable, minute_of_day
from parking.tariffs.schedule import day_matches
from parking.tariffs.wall_clock import local_day, wall_seconds


class PackageOffer(NamedTuple):
    """A package that the entry qualifies for: it holds for an exit in `[from_s, until_s)`."""

    from_s: int
    until_s: int
    amount_minor: int
    name: str


def package_offers(table: RateTable, entered_s: int) -> tuple[PackageOffer, ...]:
    """Return the packages that a stay entered at `entered_s` can still end in."""
    if not table.packages:
        return ()
    today = local_day(table.zone, entered_s)
    offers: list[PackageOffer] = []
    for package in table.packages:
        # A window over midnight belongs to the evening it begins on.
        for day in (today, today - 1):
            if _is_entered(table, package, day, entered_s):
                from_s, until_s = _window(table, package.exit, day + package.day_offset)
                offers.append(PackageOffer(from_s, until_s, package.amount_minor, package.name))
                break
    return tuple(offers)


def _is_entered(table: RateTable, package: RatePackage, day: int, entered_s: int) -> bool:
    from_s, until_s = _window(table, package.enter, day)
    return from_s <= entered_s < until_s and day_matches(table, package.days, day)


def _window(table: RateTable, window: tuple[str, str], day: int) -> tuple[int, int]:
    opens, closes = (minute_of_day(text) for text in window)
    if closes <= opens:
        closes += MINUTES_PER_DAY
    return wall_seconds(table.zone, day, opens), wall_seconds(table.zone, day, closes)
