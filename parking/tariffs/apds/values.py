"""Durations and amounts as APDS (ISO/TS 5206-1) writes them: ISO 8601 and decimal numbers."""

import re
from decimal import Decimal
from typing import Final

from parking.kit.errors import InvalidInputError
from parking.kit.money import minor_digits
from parking.tariffs.rate_terms import AMOUNT_MINOR_MAX, MINUTES_MAX

_MINUTES_PER_DAY: Final = 1440
_MINUTES_PER_HOUR: Final = 60
_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,7})M)?(?:(?P<seconds>\d{1,9})S)?)?"
)
# Published tables also write `02:00` for two hours.
_CLOCK: Final = re.compile(r"(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d)(?::00)?")


def duration_text(minutes: int) -> str:
    """Return a length of time, such as `PT1H30M`."""
    days, rest = divmod(minutes, _MINUTES_PER_DAY)
    hours, rest = divmod(rest, _MINUTES_PER_HOUR)
    clock = (f"{hours}H" if hours else "") + (f"{rest}M" if rest else "")
    if not days:
        return f"PT{clock or '0M'}"
    return f"P{days}D" + (f"T{clock}" if clock else "")


def minutes_of(text: object, path: str) -> int:
    """Return the whole minutes of a length of time.

    Raises:
        InvalidInputError: it is none, not of whole minutes, of months or years, or too long.
    """
    expected = "a duration of whole minutes up to days or weeks, such as PT1H30M"
    if not isinstance(text, str):
        raise InvalidInputError(path, expected)
    found = _DURATION.fullmatch(text) or _CLOCK.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        raise InvalidInputError(path, expected)
    parts = {name: int(value or 0) for name, value in found.groupdict().items()}
    seconds = parts.get("seconds", 0)
    minutes = (
        parts.get("weeks", 0) * 7 * _MINUTES_PER_DAY
        + parts.get("days", 0) * _MINUTES_PER_DAY
        + parts["hours"] * _MINUTES_PER_HOUR
        + parts["minutes"]
        + seconds // 60
    )
    if seconds % 60 or minutes > MINUTES_MAX:
        raise InvalidInputError(path, expected)
    return minutes


def amount_number(amount_minor: int, currency: str) -> float:
    """Return an amount in the major unit; its shortest decimal text is exact.

    A double keeps 15 decimal digits, and no amount of a rate table has more.
    """
    return float(Decimal(amount_minor).scaleb(-minor_digits(currency)))


def amount_minor_of(number: object, currency: str, path: str) -> int:
    """Return an amount in minor units.

    Raises:
        InvalidInputError: it is no number, negative, too large, or has more digits than the
            currency.
    """
    if isinstance(number, bool) or not isinstance(number, (int, float, Decimal)):
        raise InvalidInputError(path, "an amount")
    exact = Decimal(repr(number) if isinstance(number, float) else number)
    digits = minor_digits(currency)
    if not exact.is_finite() or not 0 <= exact.scaleb(digits) <= AMOUNT_MINOR_MAX:
        raise InvalidInputError(path, "an amount that is not negative and not absurd")
    minor = exact.scaleb(digits)
    if minor != minor.to_integral_value():
        raise InvalidInputError(path, f"at most {digits} decimal digits, as {currency} has")
    return int(minor)
