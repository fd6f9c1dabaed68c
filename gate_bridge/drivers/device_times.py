"""Times as devices write them."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from parking.kit.errors import InvalidInputError

TEXT_LENGTH_MAX: Final = 64
_MICROSECONDS_PER_S: Final = 1_000_000
# As some write it: 20260223 101112345, with or without the blank, and a zone behind.
_COMPACT: Final = re.compile(
    r"(\d{4})(\d\d)(\d\d)[ T]?(\d\d)(\d\d)(\d\d)\.?(\d{0,6})\s*(Z|[+-]\d\d:?\d\d)?"
)


def written_time(text: str, zone: ZoneInfo | timezone, near: datetime, field: str) -> datetime:
    """Return an ISO 8601 time, also one with a blank for the `T` and without a zone.

    Args:
        text: As the device wrote it.
        zone: Of a text without one.
        near: The time of receipt; see `wall_time`.
        field: The part's name, for the error.

    Raises:
        InvalidInputError: it is no time.
    """
    try:
        moment = datetime.fromisoformat(_spread(text.strip()[:TEXT_LENGTH_MAX]))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        return wall_time(moment, zone, near)
    except (ValueError, OverflowError):
        raise InvalidInputError(field, "a time such as 2026-01-31T08:00:00+01:00") from None


def wall_time(moment: datetime, zone: ZoneInfo | timezone, near: datetime) -> datetime:
    """Return what a clock on the wall of `zone` shows, in UTC.

    In the hour that comes twice when summer ends, the one nearer to `near` is meant.
    """
    both = [moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(both, key=lambda candidate: abs(candidate - near))


def epoch_time(count: float, field: str, *, per_s: int = 1) -> datetime:
    """Return a time that is counted since 1970.

    Args:
        count: Since 1970-01-01 00:00 UTC.
        field: The part's name, for the error.
        per_s: Counts in a second: 1000 where the device counts milliseconds.

    Raises:
        InvalidInputError: no year has it.
    """
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=round(count * _MICROSECONDS_PER_S / per_s)
        )
    except OverflowError:
        raise InvalidInputError(field, "a time counted since 1970") from None


def _spread(text: str) -> str:
    compact = _COMPACT.fullmatch(text)
    if compact is None:
        return text
    year, month, day, hour, minute, second, fraction, zone = compact.groups()
    part = f".{fraction.ljust(6, '0')}" if fraction else ""
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{part}{zone or ''}"
