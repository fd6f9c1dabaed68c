"""New versions of issued bills: what a bill says is corrected, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id
from parking.kit.money import Money
from parking.payments import credit, ledger, owing, repository
from parking.payments.errors import BillReplacedError, BillUnknownError, PaymentInProgressError
from parking.payments.models import Bill, BillState

# Each version is a person's or a rule's decision: more of them is a defect.
VERSIONS_MAX = 100


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What the bill should have said; its lines add up to `total`, which is never higher."""

    total: Money
    lines: Sequence[Mapping[str, Any]]
    basis: Mapping[str, Any]
    priced_until: datetime


def version_id(bill_id: UUID) -> UUID:
    """Return the id of the one version that may replace a bill."""
    return derive_id(bill_id, "correction")


async def lock_newest(unit: UnitOfWork, operator_id: UUID, bill_id: UUID) -> Bill:
    """Lock the version of a bill that counts now.

    Raises:
        BillUnknownError: there is no such bill.
    """
    for _ in range(VERSIONS_MAX):
        bill = await repository.lock_bill(unit, operator_id, bill_id)
        if bill is None:
            raise BillUnknownError("bill: expected one of yours")
        if bill.state != BillState.CORRECTED:
            return bill
        bill_id = version_id(bill.id)
    raise BillReplacedError(f"bill: expected fewer than {VERSIONS_MAX} versions")


async def replace(unit: UnitOfWork, bill: Bill, new: NewVersion) -> Bill:
    """Let a new version of a locked bill count in its place.

    What was paid stays paid: whoever calls this sees to the refund of the difference. One that is
    still to be paid is paid at once where nothing is left of it.

    Raises:
        PaymentInProgressError: a payment of it is under way; its outcome comes first.
        BillReplacedError: a newer version counts already.
        ValueError: the total is higher, or of another currency.
    """
    if bill.state in repository.REPLACED:
        raise BillReplacedError("bill: expected the version that counts")
    if bill.live_attempt_id is not None or bill.claim_id is not None:
        raise PaymentInProgressError("bill: expected one without a payment under way")
    less = Money(bill.total_minor, bill.currency) - new.total
    if less.amount_minor < 0:
        raise ValueError("total: expected at most what the bill says")
    state = BillState(bill.state) if new.total else BillState.PAID
    paid_at = bill.paid_at or unit.now() if state == BillState.PAID else None
    listed = await owing.unlist(unit, bill)
    if bill.state == BillState.WRITTEN_OFF:
        await ledger.post_reinstated(unit, bill, source=bill.id)
    bill.state = BillState.CORRECTED
    version = _version(bill, new, state, paid_at, bill.paid_attempt_id, at=unit.now())
    await credit.carry(unit, bill, version)
    unit.session.add(version)
    await ledger.post_corrected(unit, version, less)
    if version.state == BillState.OWED and listed is not None:
        owing.list_version(unit, version, listed)
    if version.state == BillState.WRITTEN_OFF:
        await ledger.post_written_off(unit, version, source=version.id)
    return version


async def reopen(unit: UnitOfWork, bill: Bill) -> Bill:
    """Let a locked paid bill be owed again, by a version that says the same: its money is gone.

    Whoever calls this posts where the money went, and lists what is owed.

    Raises:
        BillReplacedError: it is not paid, or a newer version counts already.
    """
    if bill.state != BillState.PAID:
        raise BillReplacedError("bill: expected the version that counts, and that is paid")
    bill.state = BillState.CORRECTED
    version = _version(bill, _same(bill), BillState.OWED, None, None, at=unit.now())
    unit.session.add(version)
    return version


async def pay_with(unit: UnitOfWork, bill: Bill, attempt_id: UUID) -> Bill:
    """Let a locked bill be paid by money that came back, by a version that says the same.

    Whoever calls this posts where the money came from, and sees to it that it is not paid twice.

    Raises:
        PaymentInProgressError: a payment of it is under way; its outcome comes first.
        BillReplacedError: a newer version counts already.
    """
    if bill.state in repository.REPLACED:
        raise BillReplacedError("bill: expected the version that counts")
    if bill.live_attempt_id is not None or bill.claim_id is not None:
        raise PaymentInProgressError("bill: expected one without a payment under way")
    await owing.close(unit, bill)
    paid_at = bill.paid_at or unit.now()
    bill.state = BillState.CORRECTED
    version = _version(bill, _same(bill), BillState.PAID, paid_at, attempt_id, at=unit.now())
    unit.session.add(version)
    return version


def _same(bill: Bill) -> NewVersion:
    total = Money(bill.total_minor, bill.currency)
    return NewVersion(total, bill.lines, bill.basis, bill.priced_until)


def _version(
    bill: Bill,
    new: NewVersion,
    state: BillState,
    paid_at: datetime | None,
    paid_attempt_id: UUID | None,
    *,
    at: datetime,
) -> Bill:
    return Bill(
        operator_id=bill.operator_id,
        id=version_id(bill.id),
        session_id=bill.session_id,
        pass_id=bill.pass_id,
        place_id=bill.place_id,
        driver_id=bill.driver_id,
        presentation_id=bill.presentation_id,
        rate_table_id=bill.rate_table_id,
        version=bill.version + 1,
        corrects_id=bill.id,
        state=state,
        total_minor=new.total.amount_minor,
        currency=new.total.currency,
        lines=[dict(line) for line in new.lines],
        basis=dict(new.basis),
        priced_until=new.priced_until,
        issued_at=at,
        paid_at=paid_at,
        paid_attempt_id=paid_attempt_id,
    )
