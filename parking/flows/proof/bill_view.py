"""Issued bills as their driver and the operator's staff see them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from parking.drivers import stays
from parking.flows.bills.bill_lines import BillLine, read_lines
from parking.flows.bills.checks import Verification
from parking.flows.context import ParkingContext
from parking.flows.place_view import PlaceView
from parking.flows.proof.bill_proof import prove
from parking.flows.proof.receipts import IssuedReceipt, issue_receipt
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments import bill_history
from parking.payments import repository as payments
from parking.payments.models import Bill, BillState
from parking.payments.versions import version_id
from parking.places import repository as places
from parking.places.models import Place

STAYS_AT_ONCE = 50
# The time in a stay's id says how far back its bills may lie; nobody else's id has one.
ID_VERSION = 7
# A driver whose stays never cost anything has no bills to find, however far one looks.
STAYS_LOOKED_AT_MAX = 1000


@dataclass(frozen=True, slots=True)
class IssuedBillView:
    """One version of a bill.

    Attributes:
        session_id: None for a pass.
        corrected_by_id: The version that counts in its place; None for the one that counts.
    """

    operator_id: UUID
    id: UUID
    session_id: UUID | None
    place: PlaceView | None
    version: int
    corrects_id: UUID | None
    corrected_by_id: UUID | None
    state: BillState
    total: Money
    lines: tuple[BillLine, ...]
    issued_at: datetime
    priced_until: datetime
    paid_at: datetime | None


async def bills_of_stays(
    context: ParkingContext, driver_id: UUID, session_ids: Collection[UUID]
) -> dict[UUID, list[IssuedBillView]]:
    """Return the driver's own bills of some stays, newest first; two statements and the places."""
    async with context.database.begin() as unit:
        found = await stays.find_stays(unit, driver_id, session_ids)
        keys = [(stay.operator_id, stay.session_id) for stay in found]
        listed = await _own_bills(unit, driver_id, keys)
        views = await _views(unit, [bill for bills in listed.values() for bill in bills])
    by_session: dict[UUID, list[IssuedBillView]] = {session_id: [] for session_id in session_ids}
    for view in views:
        if view.session_id is not None:
            by_session[view.session_id].append(view)
    return by_session


async def bills_of_passes(
    context: ParkingContext, driver_id: UUID, keys: Collection[tuple[UUID, UUID]]
) -> dict[UUID, list[IssuedBillView]]:
    """Return the driver's newest bills that count of some passes, newest first.

    Args:
        context: The domain's surroundings.
        driver_id: Whose.
        keys: (operator, pass).
    """
    async with context.database.begin() as unit:
        bills = await payments.find_bills_of_passes(unit, keys)
        own = [bill for bill in bills if bill.driver_id == driver_id]
        views = await _views(unit, own)
    by_pass: dict[UUID, list[IssuedBillView]] = {pass_id: [] for _, pass_id in keys}
    for bill, view in zip(own, views, strict=True):
        if bill.pass_id is not None:
            by_pass[bill.pass_id].append(view)
    return by_pass


async def page_bills(
    context: ParkingContext, driver_id: UUID, *, first: int, after: tuple[UUID, UUID] | None
) -> list[IssuedBillView]:
    """Return up to `first` of a driver's bills: of the newest stay first, its newest bill first.

    Args:
        context: The domain's surroundings.
        driver_id: Whose.
        first: How many.
        after: Stay and bill that the page before ended with.
    """
    found: list[Bill] = []
    async with context.database.begin() as unit:
        reached = None if after is None else after[0]
        if after is not None:
            found += await _rest_of_stay(unit, driver_id, *after)
        for _ in range(STAYS_LOOKED_AT_MAX // STAYS_AT_ONCE):
            if len(found) >= first:
                break
            page = await stays.list_page(unit, driver_id, first=STAYS_AT_ONCE, after=reached)
            keys = [(stay.operator_id, stay.session_id) for stay in page]
            listed = await _own_bills(unit, driver_id, keys)
            found += [bill for _, session_id in keys for bill in listed[session_id]]
            if len(page) < STAYS_AT_ONCE:
                break
            reached = page[-1].session_id
        return await _views(unit, found[:first])


async def find_own(
    context: ParkingContext, driver_id: UUID, operator_id: UUID, bill_id: UUID
) -> IssuedBillView | None:
    """Return one of a driver's bills; None for anybody else's, as for none."""
    async with context.database.begin() as unit:
        bill = await _own_bill(unit, driver_id, operator_id, bill_id)
        return None if bill is None else (await _views(unit, [bill]))[0]


async def verify_own(
    context: ParkingContext, driver_id: UUID, operator_id: UUID, bill_id: UUID
) -> Verification | None:
    """Check one of a driver's bills; None for anybody else's, as for none."""
    async with context.database.begin() as unit:
        bill = await _own_bill(unit, driver_id, operator_id, bill_id)
        return None if bill is None else await prove(context, unit, operator_id, bill_id)


async def own_receipt(
    context: ParkingContext,
    driver_id: UUID,
    operator_id: UUID,
    bill_id: UUID,
    *,
    with_plate: bool = False,
) -> IssuedReceipt | None:
    """Return the receipt of one of a driver's bills; None for anybody else's, as for none.

    Raises:
        ReceiptsUnavailableError: this process has no key.
        ReceiptNotReadyError: the bill is not paid.
    """
    async with context.database.begin() as unit:
        bill = await _own_bill(unit, driver_id, operator_id, bill_id)
        if bill is None:
            return None
        return await issue_receipt(context, unit, bill, with_plate=with_plate)


async def find_of_operator(
    context: ParkingContext, operator_id: UUID, bill_id: UUID
) -> IssuedBillView | None:
    """Return one of an operator's bills, taken back ones too; None for another operator's."""
    async with context.database.begin() as unit:
        bill = await payments.find_bill(unit, operator_id, bill_id)
        return None if bill is None else (await _views(unit, [bill]))[0]


async def verify_of_operator(
    context: ParkingContext, operator_id: UUID, bill_id: UUID
) -> Verification | None:
    """Check one of an operator's bills; None where there is none."""
    async with context.database.begin() as unit:
        bill = await payments.find_bill(unit, operator_id, bill_id)
        return None if bill is None else await prove(context, unit, operator_id, bill_id)


async def receipt_of_operator(
    context: ParkingContext, operator_id: UUID, bill_id: UUID
) -> IssuedReceipt | None:
    """Return the receipt of one of an operator's bills; None where there is none.

    Raises:
        ReceiptsUnavailableError: this process has no key.
        ReceiptNotReadyError: the bill is not paid.
    """
    async with context.database.begin() as unit:
        bill = await payments.find_bill(unit, operator_id, bill_id)
        return None if bill is None else await issue_receipt(context, unit, bill)


async def list_of_stay(
    context: ParkingContext, operator_id: UUID, session_id: UUID
) -> list[IssuedBillView]:
    """Return the bills of one of an operator's stays, newest first; none of another's."""
    if session_id.version != ID_VERSION:
        return []
    async with context.database.begin() as unit:
        found = await bill_history.find_history_of(unit, [(operator_id, session_id)])
        return await _views(unit, newest_first(found[session_id]))


def newest_first(bills: Sequence[Bill]) -> list[Bill]:
    """Return bills in order: a version has its first version's time in its id."""
    return sorted(bills, key=lambda bill: (bill.issued_at, bill.version, bill.id), reverse=True)


async def _own_bill(
    unit: UnitOfWork, driver_id: UUID, operator_id: UUID, bill_id: UUID
) -> Bill | None:
    bill = await payments.find_bill(unit, operator_id, bill_id)
    if bill is None or bill.driver_id != driver_id or bill.state == BillState.VOID:
        return None
    return bill


async def _own_bills(
    unit: UnitOfWork, driver_id: UUID, keys: Sequence[tuple[UUID, UUID]]
) -> dict[UUID, list[Bill]]:
    # A plate may change hands: of one stay each driver sees what they paid or owe themselves.
    listed = await bill_history.find_history_of(unit, keys)
    return {
        session_id: newest_first([bill for bill in bills if bill.driver_id == driver_id])
        for session_id, bills in listed.items()
    }


async def _rest_of_stay(
    unit: UnitOfWork, driver_id: UUID, session_id: UUID, bill_id: UUID
) -> list[Bill]:
    stay = await stays.find_stay(unit, driver_id, session_id)
    if stay is None:
        return []
    bills = (await _own_bills(unit, driver_id, [(stay.operator_id, session_id)]))[session_id]
    at = next((index for index, bill in enumerate(bills) if bill.id == bill_id), len(bills))
    return bills[at + 1 :]


async def _views(unit: UnitOfWork, bills: Sequence[Bill]) -> list[IssuedBillView]:
    keys = {(bill.operator_id, bill.place_id) for bill in bills if bill.place_id is not None}
    grounds = await places.find_places(unit, keys) if keys else {}
    return [_view(bill, grounds) for bill in bills]


def _view(bill: Bill, grounds: dict[tuple[UUID, UUID], Place]) -> IssuedBillView:
    place = None if bill.place_id is None else grounds.get((bill.operator_id, bill.place_id))
    is_corrected = bill.state == BillState.CORRECTED
    return IssuedBillView(
        operator_id=bill.operator_id,
        id=bill.id,
        session_id=bill.session_id,
        place=None
        if place is None
        else PlaceView(place.operator_id, place.id, place.name, place.timezone, place.currency),
        version=bill.version,
        corrects_id=bill.corrects_id,
        corrected_by_id=version_id(bill.id) if is_corrected else None,
        state=BillState(bill.state),
        total=Money(bill.total_minor, bill.currency),
        lines=read_lines(bill.lines),
        issued_at=bill.issued_at,
        priced_until=bill.priced_until,
        paid_at=bill.paid_at,
    )
