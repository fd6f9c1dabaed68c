"""Forgetting what has served its purpose, a bounded number of rows at a time."""

from datetime import timedelta
from typing import Final

from sqlalchemy import TextClause, text

from parking.kit.database import Database

# Long after the last moment at which any of these rows can still decide something.
KEPT: Final = timedelta(days=7)
ROWS_MAX: Final = 5_000


def _purge(table: str, column: str) -> TextClause:
    # Both names are our own, from the table below.
    return text(
        f"DELETE FROM {table} WHERE ctid IN "  # noqa: S608
        f"(SELECT ctid FROM {table} WHERE {column} < :before LIMIT :rows)"
    )


_PURGES: Final = {
    table: _purge(table, column)
    for table, column in (
        # A period that nothing was taken in for a week is over.
        ("allowance_uses", "updated_at"),
        ("binding_claims", "expires_at"),
        ("departures", "merge_until"),
        ("lane_codes", "expires_at"),
        ("request_counts", "window_started_at"),
        ("sign_in_codes", "expires_at"),
        ("sign_ins", "expires_at"),
        ("stay_announcements", "ended_at"),
    )
}


async def purge_expired(database: Database) -> dict[str, int]:
    """Delete what ended KEPT ago and decides nothing any more; returns rows by table."""
    purged: dict[str, int] = {}
    for table, statement in _PURGES.items():
        async with database.begin() as unit:
            values = {"before": unit.now() - KEPT, "rows": ROWS_MAX}
            purged[table] = (await unit.run(statement, values)).rowcount
    return purged
