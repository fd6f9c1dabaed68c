"""Amounts and times of the wire, the stand-in's own way."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

SHANGHAI = timezone(timedelta(hours=8))
_FORMAT = "%Y-%m-%d %H:%M:%S"
FEN = Decimal(100)


def yuan(minor: int) -> str:
    """Return an amount with two decimals."""
    return str((Decimal(minor) / FEN).quantize(Decimal("0.01")))


def minor(text: object) -> int | None:
    """Return an amount in fen; None for what is not a positive amount of whole fen."""
    if not isinstance(text, str):
        return None
    try:
        value = Decimal(text) * FEN
    except InvalidOperation:
        return None
    return int(value) if value == value.to_integral_value() and value > 0 else None


def clock_time(milliseconds: int | None) -> str | None:
    """Return a time as Shanghai's clocks show it."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, SHANGHAI).strftime(_FORMAT)


def milliseconds_of(text: str) -> int:
    """Return a time of Shanghai's clocks.

    Raises:
        ValueError: it is not one.
    """
    at = datetime.strptime(text, _FORMAT).replace(tzinfo=SHANGHAI)
    return int(at.astimezone(UTC).timestamp()) * 1000


def day_bounds_ms(day: str) -> tuple[int, int]:
    """Return where a day in Shanghai begins and ends.

    Raises:
        ValueError: it is not a day.
    """
    start = milliseconds_of(f"{day} 00:00:00")
    return start, start + 86_400_000
