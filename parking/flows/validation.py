"""A merchant's or the operator's validation of a running stay: its bill changes at once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from parking.events.pokes import lane_channel
from parking.events.types import EventType
from parking.flows.bills import live_bill
from parking.flows.bills.live_bill import LiveBill
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.lanes import repository as lanes
from parking.payments import repository as payments
from parking.payments.errors import PaymentInProgressError
from parking.places import service as places
from parking.plates import service as plates
from parking.plates.normalise import normalise_plate
from parking.sessions import service as sessions
from parking.sessions import validations
from parking.sessions.errors import SessionUnknownError, StayOverError, StayPaidError
from parking.sessions.events import tell
from parking.sessions.models import Session, SessionValidation
from parking.tariffs import service as tariffs
from parking.tariffs.circumstances import GRANTS_MAX
from parking.tariffs.rules import RateTable

MERCHANT_LENGTH_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class StayNamed:
    """Which stay: by its id, or by the plate that is inside a place."""

    session_id: UUID | None = None
    place_id: UUID | None = None
    plate: str | None = None


@dataclass(frozen=True, slots=True)
class ValidatedStay:
    """What was granted, and what the stay costs with it."""

    session_id: UUID
    validation: str
    merchant: str | None
    granted_by: str
    granted_at: datetime
    bill: LiveBill


async def validate_stay(
    context: ParkingContext,
    operator_id: UUID,
    stay: StayNamed,
    *,
    validation: str,
    merchant: str | None = None,
    by: str,
) -> ValidatedStay:
    """Grant a validation of the stay's rate table; the same again changes nothing.

    Args:
        context: The domain's surroundings.
        operator_id: Whose staff asks: another operator's stay is none of theirs.
        stay: Which one.
        validation: Its name in the rate table that the stay is priced by.
        merchant: Whose customer the driver is; it may make another variant of the table count.
        by: Who grants it.

    Raises:
        InvalidInputError: no such validation, an unusable name, or too many of them.
        SessionUnknownError: no such stay of this operator.
        StayOverError: the vehicle has left.
        StayPaidError: nothing is left to take anything off.
        PaymentInProgressError: the driver is paying right now.
    """
    merchant = None if merchant is None else merchant.strip()
    if merchant is not None and not 0 < len(merchant) <= MERCHANT_LENGTH_MAX:
        raise InvalidInputError("merchant", f"1 to {MERCHANT_LENGTH_MAX} characters")
    async with context.database.begin() as unit:
        session = await _lock(unit, operator_id, stay)
        granted = await validations.find(unit, session, validation)
        if granted is None:
            granted = await _grant(unit, session, validation, merchant=merchant, by=by)
        bill = await live_bill.compute(unit, session, unit.now())
    return ValidatedStay(
        session_id=session.id,
        validation=granted.name,
        merchant=granted.merchant,
        granted_by=granted.granted_by,
        granted_at=granted.granted_at,
        bill=bill,
    )


async def _lock(unit: UnitOfWork, operator_id: UUID, stay: StayNamed) -> Session:
    if stay.session_id is not None:
        session = await sessions.lock_session(unit, operator_id, stay.session_id)
    elif stay.place_id is not None and stay.plate is not None:
        index = plates.plate_index(unit.vault, normalise_plate(stay.plate))
        session = await sessions.lock_open(unit, operator_id, stay.place_id, index)
    else:
        raise InvalidInputError("session_id", "a stay's id, or a plate and a place")
    if session is None:
        raise SessionUnknownError("session_id: expected a stay of yours that is running")
    return session


async def _grant(
    unit: UnitOfWork, session: Session, name: str, *, merchant: str | None, by: str
) -> SessionValidation:
    if session.left_at is not None:
        raise StayOverError
    table = await tariffs.load(unit, session.operator_id, session.rate_table_id)
    _require_validation(table, name)
    await _require_unpaid(unit, session, table)
    before = live_bill.circumstances_of(session)
    granted = (*before.validations, name)
    merchants = before.merchants if merchant is None else (*before.merchants, merchant)
    merchants = tuple(dict.fromkeys(merchants))
    if max(len(granted), len(merchants)) > GRANTS_MAX:
        raise InvalidInputError("validation", f"at most {GRANTS_MAX} for one stay")
    after = before.model_copy(update={"validations": granted, "merchants": merchants})
    session.circumstances = after.to_json()
    row = await validations.grant(unit, session, name, merchant=merchant, by=by)
    await _tell(unit, session, row)
    return row


def _require_validation(table: RateTable, name: str) -> None:
    if table.validation(name) is None:
        known = ", ".join(each.name for each in table.validations)
        raise InvalidInputError("validation", f"one of {known}" if known else "none at this place")


async def _require_unpaid(unit: UnitOfWork, session: Session, table: RateTable) -> None:
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    if any(bill.live_attempt_id is not None for bill in bills):
        raise PaymentInProgressError("validation: the driver is paying right now")
    live = live_bill.bill_of(session, table, bills, unit.now())
    if live.paid and not live.due:
        raise StayPaidError


async def _tell(unit: UnitOfWork, session: Session, row: SessionValidation) -> None:
    place = await places.require_place(unit, session.operator_id, session.place_id)
    payload = {
        "place_name": place.name,
        "timezone": place.timezone,
        "validation": row.name,
        "merchant": row.merchant,
    }
    lane = None
    if session.exit_presentation_id is not None:
        lane = await lanes.find_presentation(
            unit, session.operator_id, session.exit_presentation_id
        )
    # A car that waits at the exit is shown what it owes now.
    channels = () if lane is None or lane.cleared_at is not None else (lane_channel(lane.lane_id),)
    tell(unit, session, EventType.SESSION_BILL_CHANGED, payload, channels=channels)
