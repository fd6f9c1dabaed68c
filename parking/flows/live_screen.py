"""What the app shows first, in one statement: whether the sign-in stands, and the running stays.

Every phone that is opened asks for it. `driver_view` says the same through the ORM, in eight
statements and thirty times the processor time; a test holds the two together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from parking.drivers.stays import ACTIVE_STAYS_MAX
from parking.flows import driver_view
from parking.flows.bills.bill_lines import KeptLines
from parking.flows.bills.live_bill import bill_of
from parking.flows.context import ParkingContext
from parking.flows.driver_view import SessionView
from parking.flows.place_view import PlaceView
from parking.kit.one_statement import OneStatement
from parking.kit.quick_reads import Row
from parking.payments.repository import REPLACED
from parking.sessions.models import SessionState
from parking.sessions.service import PLATE_CONTEXT
from parking.tariffs import service as tariffs
from parking.tariffs.rules import Pricing, price
from parking.tariffs.service import LoadedVersion

# What `view_of` reads of a stay. Bills that were replaced do not count; what is paid back is told
# by `driver_view`, for hardly any running stay has any of it.
STAY_COLUMNS: Final = """
        stay.session_id, session.operator_id, session.place_id, session.plate_sealed,
        session.rate_table_id, session.state, session.version, session.entered_at,
        session.left_at, session.prepaid_until, session.circumstances,
        place.name, place.timezone, place.currency, bill.bills,
        bill.bills IS NOT NULL AND EXISTS (
            SELECT FROM refunds
            WHERE refunds.operator_id = session.operator_id AND refunds.session_id = session.id
        ) AS has_refunds
"""
_REPLACED: Final = ", ".join(f"'{state}'" for state in REPLACED)
# Where the columns come from, given `stay`: its operator_id and session_id.
STAY_JOINS: Final = f"""
    LEFT JOIN sessions AS session
        ON session.operator_id = stay.operator_id AND session.id = stay.session_id
    LEFT JOIN places AS place
        ON place.operator_id = session.operator_id AND place.id = session.place_id
    LEFT JOIN LATERAL (
        SELECT json_agg(
            json_build_object(
                'state', state, 'total_minor', total_minor, 'currency', currency,
                'basis', basis, 'priced_until', priced_until
            ) ORDER BY id
        ) AS bills
        FROM bills
        WHERE bills.operator_id = session.operator_id AND bills.session_id = session.id
            AND bills.state NOT IN ({_REPLACED})
    ) AS bill ON true
"""  # noqa: S608 - words of ours

# One row for each running stay, and one without a stay where there is none. No row: the sign-in
# has ended.
_READ: Final = OneStatement(f"""
    SELECT {STAY_COLUMNS}
    FROM sign_ins
    JOIN drivers ON drivers.id = sign_ins.driver_id
    LEFT JOIN LATERAL (
        SELECT operator_id, session_id FROM driver_stays
        WHERE driver_id = drivers.id AND left_at IS NULL
        ORDER BY session_id DESC LIMIT {ACTIVE_STAYS_MAX}
    ) AS stay ON true
    {STAY_JOINS}
    WHERE sign_ins.driver_id = :driver_id AND sign_ins.id = :sign_in_id
        AND sign_ins.revoked_at IS NULL AND sign_ins.expires_at > :now
        AND drivers.closed_at IS NULL
    ORDER BY stay.session_id DESC
""")  # noqa: S608 - words of ours


# A phone that shows a stay asks again soon: its ladder is not climbed anew each time.
STAYS_KEPT_MAX: Final = 500
_kept: dict[tuple[UUID, UUID, datetime, str], KeptLines] = {}


@dataclass(frozen=True, slots=True)
class _Stay:
    """What a price depends on, as `live_bill.PricedStay` wants it."""

    entered_at: datetime
    left_at: datetime | None
    prepaid_until: datetime | None
    circumstances: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Bill:
    """What of a bill counts for the next one, as `live_bill.CountedBill` wants it."""

    state: str
    total_minor: int
    currency: str
    basis: Mapping[str, Any]
    priced_until: datetime


async def look(
    context: ParkingContext, driver_id: UUID, sign_in_id: UUID
) -> list[SessionView] | None:
    """Return the driver's stays that have not ended, newest first; None if the sign-in has.

    Raises:
        DatabaseUnavailableError: PostgreSQL does not answer.
    """
    now = context.clock.now()
    rows = await context.database.read_quickly(
        _READ,
        {
            "driver_id": driver_id,
            "sign_in_id": sign_in_id,
            "now": now,
        },
    )
    if not rows:
        return None
    found = [row for row in rows if row["operator_id"] is not None]
    if any(row["has_refunds"] for row in found):
        return await driver_view.active_sessions(context, driver_id)
    versions = await versions_for(context, found)
    return [view_of(context, row, versions, now, _pricing(row)) for row in found]


async def versions_for(
    context: ParkingContext, rows: Sequence[Row]
) -> Mapping[tuple[UUID, UUID], LoadedVersion]:
    """Return the rate tables of stays that were read; mostly without a statement."""
    keys = {(row["operator_id"], row["rate_table_id"]) for row in rows}
    known = tariffs.known_versions(keys)
    if len(known) == len(keys):
        return known
    async with context.database.begin() as unit:
        return await tariffs.load_versions(unit, keys)


def view_of(
    context: ParkingContext,
    row: Row,
    versions: Mapping[tuple[UUID, UUID], LoadedVersion],
    now: datetime,
    pricing: Pricing = price,
) -> SessionView:
    """Return a stay as its driver sees it, from a row with STAY_COLUMNS."""
    operator_id, circumstances = row["operator_id"], row["circumstances"]
    stay = _Stay(
        entered_at=row["entered_at"],
        left_at=row["left_at"],
        prepaid_until=row["prepaid_until"],
        circumstances=orjson.loads(circumstances) if circumstances != "{}" else {},
    )
    version = versions[operator_id, row["rate_table_id"]]
    bills = [] if row["bills"] is None else [_bill(each) for each in orjson.loads(row["bills"])]
    return SessionView(
        operator_id=operator_id,
        id=row["session_id"],
        place=PlaceView(
            operator_id, row["place_id"], row["name"], row["timezone"], row["currency"]
        ),
        plate=context.vault.open(row["plate_sealed"], context=PLATE_CONTEXT),
        state=SessionState(row["state"]),
        version=row["version"],
        entered_at=stay.entered_at,
        left_at=stay.left_at,
        prepaid_until=stay.prepaid_until,
        rate_table_version=version.number,
        bill=bill_of(stay, version.table, bills, now, pricing),
        refunds=(),
    )


def _pricing(row: Row) -> KeptLines:
    """Return what prices a stay; what its price depends on is the key, so that it never ages."""
    key = row["session_id"], row["rate_table_id"], row["entered_at"], row["circumstances"]
    kept = _kept.get(key)
    if kept is None:
        if len(_kept) >= STAYS_KEPT_MAX:
            del _kept[next(iter(_kept))]
        kept = _kept[key] = KeptLines()
    return kept


def _bill(stored: Mapping[str, Any]) -> _Bill:
    return _Bill(
        state=stored["state"],
        total_minor=stored["total_minor"],
        currency=stored["currency"],
        basis=stored["basis"],
        priced_until=datetime.fromisoformat(stored["priced_until"]).astimezone(UTC),
    )
