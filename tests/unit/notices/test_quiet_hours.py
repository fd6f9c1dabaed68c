"""Quiet hours end when the clock on the driver's wall says so."""

from datetime import UTC, datetime, time

import pytest

from parking.kit.errors import InvalidInputError
from parking.notices.quiet_hours import QuietHours

NIGHT = QuietHours(time(22), time(7), "Europe/Berlin")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NIGHT, "2026-01-10T21:59:59+01:00", None),
        (NIGHT, "2026-01-10T22:00:00+01:00", "2026-01-11T07:00:00+01:00"),
        (NIGHT, "2026-01-11T06:59:59+01:00", "2026-01-11T07:00:00+01:00"),
        (NIGHT, "2026-01-11T07:00:00+01:00", None),
        # Clocks go forward at 2: the night is an hour shorter. And back at 3: an hour longer.
        (NIGHT, "2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),
        (NIGHT, "2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00"),
        # An end that the wall's clock leaves out, and one that it shows twice.
        (
            QuietHours(time(1), time(2, 30), "Europe/Berlin"),
            "2026-03-29T01:30:00+01:00",
            "2026-03-29T03:30:00+02:00",
        ),
        (
            QuietHours(time(1), time(2, 30), "Europe/Berlin"),
            "2026-03-29T01:15:00+01:00",
            "2026-03-29T03:30:00+02:00",
        ),
        (
            QuietHours(time(1), time(2, 30), "Europe/Berlin"),
            "2026-10-25T02:15:00+02:00",
            "2026-10-25T02:30:00+02:00",
        ),
        (
            QuietHours(time(1), time(2, 30), "Europe/Berlin"),
            "2026-10-25T02:15:00+01:00",
            "2026-10-25T02:30:00+01:00",
        ),
        (
            QuietHours(time(12), time(14), "Asia/Shanghai"),
            "2026-05-01T05:00:00+00:00",
            "2026-05-01T06:00:00+00:00",
        ),
        (QuietHours(time(12), time(14), "Asia/Shanghai"), "2026-05-01T06:00:00+00:00", None),
    ],
)
def test_when_they_end(hours: QuietHours, now: str, until: str | None) -> None:
    assert hours.until(_at(now)) == (None if until is None else _at(until))


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "timezone", "field"),
    [
        (time(22), time(22), "Europe/Berlin", "ends_at"),
        (time(22), time(7), "Moon/Sea", "timezone"),
        (time(22), time(7), "../etc/passwd", "timezone"),
        (time(22, tzinfo=UTC), time(7), "Europe/Berlin", "starts_at"),
    ],
)
def test_what_is_no_quiet_time_is_refused(
    starts_at: time, ends_at: time, timezone: str, field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        QuietHours(starts_at, ends_at, timezone)
    assert caught.value.field == field
