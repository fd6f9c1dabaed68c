"""Which plates a lane's policy answers for, and what it says of each."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.flows.bills import live_bill
from parking.flows.lane_types import Direction, Lane
from parking.kit.database import UnitOfWork
from parking.offline.bundle import ENTRIES_MAX, Right
from parking.passes import repository as passes
from parking.passes import rules as pass_rules
from parking.passes.windows import covered_ranges
from parking.payments import credit, credit_lists
from parking.payments import repository as payments
from parking.payments.models import Bill
from parking.places import repository as places
from parking.plates import listing as plates
from parking.plates.service import PLATE_CONTEXT
from parking.sessions import open_stays
from parking.sessions.models import Session
from parking.sessions.service import PLATE_CONTEXT as SESSION_CONTEXT
from parking.tariffs import service as tariffs

# Pricing thousands of stays must not keep other lanes' events waiting.
PRICED_AT_ONCE_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Listed:
    """A plate before it is hashed.

    Attributes:
        context: Of its seal.
    """

    plate_sealed: bytes
    context: str
    right: Right
    begins_at: datetime
    until: datetime | None
    risk_minor: int = 0
    limit_minor: int = 0


@dataclass(frozen=True, slots=True)
class _Terms:
    currency: str
    until: datetime
    opens_unpaid: bool


async def list_plates(
    unit: UnitOfWork,
    lane: Lane,
    *,
    zone: ZoneInfo,
    currency: str,
    until: datetime,
    opens_unpaid: bool,
) -> dict[UUID, Listed]:
    """Return what a lane has to know of plates until its policy ends, by plate.

    At an exit a stay that is under way says more than a pass does: it is what is to be paid.

    Args:
        unit: The transaction.
        lane: Whose policy it is.
        zone: The place's.
        currency: The place's.
        until: When the policy ends.
        opens_unpaid: Whether the lane lets out whoever owes: then it must know how much.
    """
    found: dict[UUID, Listed] = {}
    if lane.direction == Direction.EXIT:
        terms = _Terms(currency, until, opens_unpaid)
        found |= await _stays(unit, lane, terms)
    for index, listed in (await _passes(unit, lane, zone, until)).items():
        found.setdefault(index, listed)
    if lane.direction == Direction.ENTRY:
        rows = await plates.list_registered(
            unit, lane.operator_id, begins_by=until, rows=ENTRIES_MAX
        )
        for row in rows:
            listed = Listed(
                row.plate_sealed, PLATE_CONTEXT, Right.REGISTERED, row.valid_from, row.valid_until
            )
            found.setdefault(row.plate_index, listed)
    return dict(list(found.items())[:ENTRIES_MAX])


async def _passes(
    unit: UnitOfWork, lane: Lane, zone: ZoneInfo, until: datetime
) -> dict[UUID, Listed]:
    rows = await passes.list_opening_plates(unit, lane.operator_id, rows=ENTRIES_MAX)
    lineage = await places.find_lineage(unit, lane.operator_id, lane.area_id)
    drivers = await plates.active_drivers(unit, {plate.plate_index for plate, _, _ in rows})
    found: dict[UUID, Listed] = {}
    for plate, right, product in rows:
        # A binding that ended takes the plate off the pass at the next gate.
        if right.driver_id not in {None, drivers.get(plate.plate_index)}:
            continue
        if str(lane.place_id) not in product.place_ids:
            continue
        if product.area_id is not None and product.area_id not in lineage:
            continue
        ends_at = pass_rules.valid_until(right, product)
        if ends_at is None:
            continue
        starts_at = max(unit.now(), right.starts_at)
        hours = pass_rules.hours_of(product)
        ranges = covered_ranges(hours, zone, starts_at, min(ends_at, until))
        if ranges:
            begins, ends = ranges[0]
            listed = Listed(plate.plate_sealed, PLATE_CONTEXT, Right.PASS, begins, ends)
            found.setdefault(plate.plate_index, listed)
    return found


async def _stays(unit: UnitOfWork, lane: Lane, terms: _Terms) -> dict[UUID, Listed]:
    stays = await open_stays.list_stays(unit, lane.operator_id, lane.place_id)
    if not stays:
        return {}
    bills = await payments.find_bills_of(unit, [(stay.operator_id, stay.id) for stay in stays])
    drivers = await plates.active_drivers(unit, {stay.plate_index for stay in stays})
    credit_left = await _credit_left(unit, lane, terms.currency, set(drivers.values()))
    found: dict[UUID, Listed] = {}
    for number, stay in enumerate(stays):
        if number % PRICED_AT_ONCE_MAX == PRICED_AT_ONCE_MAX - 1:
            await asyncio.sleep(0)
        driver_id = drivers.get(stay.plate_index)
        limit_minor = 0 if driver_id is None else credit_left.get(driver_id, 0)
        found[stay.plate_index] = await _stay(
            unit, stay, bills[stay.id], terms, limit_minor=limit_minor
        )
    return found


async def _stay(
    unit: UnitOfWork, stay: Session, bills: Sequence[Bill], terms: _Terms, *, limit_minor: int
) -> Listed:
    table = await tariffs.load(unit, stay.operator_id, stay.rate_table_id)
    now = unit.now()
    live = live_bill.bill_of(stay, table, bills, now)
    is_free = not live.due and not any(bill.live_attempt_id for bill in bills)
    if is_free:
        changes_at = live.next_change_at
        # What comes after that moment is asked for where a network can be asked.
        return Listed(stay.plate_sealed, SESSION_CONTEXT, Right.NOTHING_DUE, now, changes_at)
    if not limit_minor and not terms.opens_unpaid:
        return Listed(stay.plate_sealed, SESSION_CONTEXT, Right.UNPAID, now, None)
    at_most = live_bill.bill_of(stay, table, bills, terms.until).due.amount_minor
    return Listed(
        stay.plate_sealed,
        SESSION_CONTEXT,
        Right.CREDIT if limit_minor >= at_most else Right.UNPAID,
        now,
        None,
        at_most,
        limit_minor,
    )


async def _credit_left(
    unit: UnitOfWork, lane: Lane, currency: str, driver_ids: set[UUID]
) -> Mapping[UUID, int]:
    policy = await credit.find_policy(unit, lane.operator_id, currency)
    if policy is None:
        return {}
    return await credit_lists.limits_left(unit, policy, lane.place_id, driver_ids)
