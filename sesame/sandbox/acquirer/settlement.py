"""Part 7 of docs/acquirer-wire.md: closed days, in pages."""

from datetime import UTC, date, datetime, time, timedelta

from sesame.sandbox.platform import Json, Platform, SettlementLine, instant, settlement_lines
from sesame.sandbox.signed_wire import WireError

PAGE_ROWS = 200
FILES_MAX = 32
# What acquirers keep of a parking fee, give or take.
FEE_BASIS_POINTS = 60


class SettlementFiles:
    """The files that were made: all pages of one are of one making."""

    def __init__(self) -> None:
        self._files: dict[date, list[Json]] = {}

    def page(self, platform: Platform, day: date, after: int) -> Json:
        """Return a page of a day; the first one makes the file anew.

        Raises:
            WireError: the day is not closed.
        """
        start = datetime.combine(day, time(), UTC)
        is_over = platform.clock.now() >= start + timedelta(days=1)
        if not is_over and not (platform.is_day_closed and start <= platform.clock.now()):
            raise WireError(
                409, "settlement_not_ready", "the day's books are not closed; ask later"
            )
        if after <= 0 or day not in self._files:
            self._remember(day, _rows(platform, start))
        rows = self._files[day]
        following = max(after, 0) + PAGE_ROWS
        return {
            "date": day.isoformat(),
            "count": len(rows),
            "rows": rows[max(after, 0) : following],
            "next": str(following) if following < len(rows) else None,
        }

    def _remember(self, day: date, rows: list[Json]) -> None:
        self._files.pop(day, None)
        while len(self._files) >= FILES_MAX:
            self._files.pop(next(iter(self._files)))
        self._files[day] = rows


def _rows(platform: Platform, start: datetime) -> list[Json]:
    start_ms = int(start.timestamp() * 1000)
    lines = settlement_lines(
        platform.store,
        start_ms,
        start_ms + 24 * 3600 * 1000,
        differences=platform.script.take_differences(),
        fee_basis_points=FEE_BASIS_POINTS,
    )
    return [_row(line) for line in lines]


def _row(line: SettlementLine) -> Json:
    return {
        "kind": line.kind,
        "number": line.number,
        "reference": line.reference,
        "amount_minor": line.amount_minor,
        "currency": line.currency,
        "fee_minor": line.fee_minor,
        "occurred_at": instant(line.occurred_ms),
    }
